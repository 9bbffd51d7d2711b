"""One `copydesk run` on a directory of its own, fed through an inbox, whose parts can be killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.faults.articles import DOCUMENTS_PER_FILE, SOURCE, article, expected_ids, write_file
from tests.faults.report import Report
from tests.faults.servers import StateServer, state_server
from tests.rabbit import running_rabbitmq
from worker.state.server import embedded_url

SETTINGS: dict[str, dict[str, object]] = {
    "batches": {"documents": 25},
    "sweeper": {"interval_seconds": 1, "after_seconds": 3, "lease_seconds": 4},
    "inbox": {"interval_seconds": 0.5, "stable_seconds": 0.2},
    "store": {"claim_idle_seconds": 3},
    "supervision": {"crash_loop_exits": 100_000, "longest_pause_seconds": 0.5},
}
"""Short times, so that recovery is seen soon; every scenario may set others."""
WORKERS = ("pull", "parse", "beat", "store")
LOOK_SECONDS = 0.3
PATIENT_SECONDS = 300.0
"""How long anything is waited for. Only what never comes fails a scenario; how soon it came is a figure."""
WORK_SECONDS = 0.02
"""For `parse_slow`: the work of some hundred articles is not over before a fault can strike."""


class System:
    """The system under fault. `url` names a state server of the suite's own; without one it is embedded.

    `prefix` are words before every command (`ip netns exec ...`), `sources` further tables of `sources.toml`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        url: str | None = None,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        environment: Mapping[str, str] | None = None,
        claim: bool = True,
        prefix: Sequence[str] = (),
        sources: str = "",
        seed: int = 1,
    ) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.inbox = directory / "inbox"
        self.random = random.Random(seed)
        self.fed = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.server: StateServer | None = None
        self._url = url
        self._prefix = list(prefix)
        self._environment = dict(environment or {})
        config = directory / "config"
        config.mkdir(parents=True)
        self.inbox.mkdir()
        self.store = self.data / "records.db"
        (config / "worker.toml").write_text(_toml(settings or {}, {"state": {"redis_url": url}} if url else {}))
        inbox = f'id = "{SOURCE}"\nkind = "directory"\npath = "../inbox"\nclaim = {str(claim).lower()}\n'
        (config / "sources.toml").write_text(f"[[source]]\n{inbox}{sources}")
        self.options = ["--data", str(self.data), "--config", str(config)]

    @property
    def url(self) -> str:
        """Where its state server listens."""
        return self._url or embedded_url(self.data)

    def __enter__(self) -> System:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the supervisor in a session of its own."""
        with (self.directory / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "worker", "run", *self.options],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self._environment},
            )

    def stop(self) -> None:
        """End the supervisor as Ctrl-C does, and whatever it left."""
        if self.process is None:
            return
        descendants = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for orphan in psutil.wait_procs(descendants, timeout=3)[1]:
            orphan.kill()
        self.process = None

    def feed(self, count: int, padding: str = "") -> None:
        """Put the next `count` articles into the inbox; `padding` makes them longer."""
        for start in range(self.fed, self.fed + count, DOCUMENTS_PER_FILE):
            numbers = range(start, min(start + DOCUMENTS_PER_FILE, self.fed + count))
            write_file(self.inbox / f"articles-{start:07}.jsonl", [article(number, padding) for number in numbers])
        self.fed += count

    def children(self) -> dict[str, psutil.Process]:
        """The supervisor's living children by what they do: pull, parse, beat, store, server."""
        found = {}
        for child in psutil.Process(self._running().pid).children():
            try:
                found[_role(child.cmdline())] = child
            except psutil.NoSuchProcess:
                continue
        return found

    def _running(self) -> subprocess.Popen[bytes]:
        """The supervisor; without it there is nothing to wait for."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"copydesk run has ended by itself; see {self.directory / 'run.log'}")
        return self.process

    def kill_one(self, roles: Sequence[str] = WORKERS) -> str:
        """SIGKILL the process group of a random child of these roles, waiting until one is alive; its role."""
        while True:
            targets = sorted((role, child.pid) for role, child in self.children().items() if role in roles)
            if targets:
                role, pid = self.random.choice(targets)
                try:
                    os.killpg(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                return role
            time.sleep(0.05)

    def child(self, role: str) -> psutil.Process:
        """The living child of this role, waited for."""
        while (found := self.children().get(role)) is None:
            time.sleep(LOOK_SECONDS)
        return found

    def wait_busy(self, before: int) -> bool:
        """Wait until more than `before` rows are stored; True where more is still on its way."""
        wait_for(lambda: self.stored() > before)
        return self.stored() < self.fed

    def kill_server(self) -> None:
        """SIGKILL the state server, embedded or not, and have it come back."""
        if self.server is None:
            self.kill_one(("server",))
        else:
            self.server.kill()
            self.server.start()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a copydesk command on this system."""
        return subprocess.run(
            [*self._prefix, sys.executable, "-m", "worker", *words, *self.options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self._environment},
        )

    def status(self) -> dict[str, Any]:
        """The answer of `copydesk status --json`; empty while the server is away."""
        answer = self.command("status", "--json")
        status: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {}
        return status

    def reasons(self) -> list[str]:
        """What `copydesk status` says is wrong: pauses, a writer that waits, sources in trouble, no answer at all."""
        answer = self.command("status", "--json")
        if answer.returncode:
            return [answer.stderr.strip()]
        status: dict[str, Any] = json.loads(answer.stdout)
        waiting = [process["detail"] for process in status["processes"] if process.get("detail")]
        troubles = [str(source["problem"]) for source in status["sources_in_trouble"]]
        return [*status["paused"].values(), *waiting, *troubles]

    def stored(self) -> int:
        """Rows in the store, 0 before it exists."""
        found = self._select("count(*)")
        return int(found[0][0]) if found else 0

    def rows(self) -> list[tuple[str, int]]:
        """(id, version) of every stored row."""
        return [(str(row[0]), int(row[1])) for row in self._select("id, version")]

    def holds(self, record_id: str) -> bool:
        """True where a record is in the store."""
        found = self._select(f"max(id = '{record_id}')")
        return bool(found and found[0][0])

    def _select(self, what: str) -> list[tuple[Any, ...]]:
        if not self.store.exists():
            return []
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=30) as connection:
            try:
                return connection.execute(f"SELECT {what} FROM records").fetchall()
            except sqlite3.OperationalError:
                return []

    def settled(self, rows: int) -> bool:
        """True when so many rows are stored and nothing is on its way."""
        self._running()
        if self.stored() < rows:
            return False
        status = self.status()
        return bool(status) and status["in_flight"] == 0 and status["storage_queue"]["records"] == 0

    def wait_settled(self, rows: int, limit_seconds: float) -> float:
        """Seconds until `settled`, or until the limit (then the report tells what is missing)."""
        return wait_for(lambda: self.settled(rows), limit_seconds)

    def report(self, fault: str, *, faults: int, under_fire: float, limit_seconds: float = 0.0, **more: Any) -> Report:
        """Wait for recovery, then compare the store with what was fed. `more` are fields of the Report.

        `wanted` among them replaces the ids that are expected in the store.
        """
        wanted = more.pop("wanted", None) or expected_ids(self.fed)
        recovered = self.wait_settled(len(wanted), limit_seconds or PATIENT_SECONDS + len(wanted) / 20)
        reconciled = self.command("reconcile", "--json")
        status, rows = self.status(), self.rows()
        got = {record_id for record_id, _ in rows}
        return Report(
            fault=fault,
            documents=len(wanted),
            faults=faults,
            lost=len(wanted - got),
            unexpected=len(got - wanted),
            twice=len(rows) - len(got),
            buried=sum(status.get("letters", {"unknown": -1}).values()),
            balanced=reconciled.returncode == 0 and bool(json.loads(reconciled.stdout or "{}").get("balanced")),
            seconds_under_fire=round(under_fire, 1),
            seconds_to_recover=round(recovered, 1),
            events=dict(status.get("events", {})),
            **more,
        )


def with_broker(options: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Options for a System whose bells are carried by this broker."""
    settings = {section: dict(values) for section, values in (options.get("settings") or {}).items()}
    settings.setdefault("state", {})["broker_url"] = url
    return {**options, "settings": settings}


@contextmanager
def system_on(server: str, directory: Path, *, broker: str = "", **options: Any) -> Iterator[System]:
    """A running system on the embedded server (`valkey`), or on one of the suite's own (`redis`, `valkey-server`).

    `broker` `rabbitmq`: a node of the suite's own carries the bells. The `environment` among the options is also the
    server's, as it is where the server is embedded.
    """
    if broker:
        (directory / "broker").mkdir(parents=True)
        with (
            running_rabbitmq(directory / "broker") as url,
            system_on(server, directory, **with_broker(options, url)) as system,
        ):
            yield system
        return
    if server == "valkey":
        with System(directory / "run", **options) as system:
            yield system
        return
    kind = server.removesuffix("-server")
    with (
        state_server(directory, kind, environment=options.get("environment")) as state,
        System(directory / "run", url=state.url, **options) as system,
    ):
        system.server = state
        yield system


def wait_for(condition: Callable[[], object], limit_seconds: float = PATIENT_SECONDS) -> float:
    """Seconds until the condition held, or until the limit (then what was waited for is missing in the report)."""
    started = time.monotonic()
    while time.monotonic() - started < limit_seconds and not condition():
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - started


def _toml(*tables: Mapping[str, Mapping[str, object]]) -> str:
    merged = {section: dict(values) for section, values in SETTINGS.items()}
    for table in tables:
        for section, values in table.items():
            merged.setdefault(section, {}).update(values)
    lines = []
    for section, values in merged.items():
        lines += [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    return "\n".join(lines) + "\n"


def _role(command: list[str]) -> str:
    words = " ".join(command)
    roles = {"--queues pull": "pull", "--queues parse": "parse", "worker beat": "beat", "worker store": "store"}
    for mark, role in roles.items():
        if mark in words:
            return role
    return "server" if "valkey-server" in words else "other"
