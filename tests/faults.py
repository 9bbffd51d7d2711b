"""The fault harness: documents flow through a real `copydesk run` while its processes are killed at random.

    python -m tests.faults --documents 100000 --kills 1000 --server-kills 15

Prints a report (inputs, faults, lost, twice, seconds to recover) and exits 1 where anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from worker.dedupe.fingerprint import fingerprint
from worker.model import Article

SOURCE = "fault-test"
DOCUMENTS_PER_FILE = 20
SETTINGS = """
[batches]
documents = 25
[sweeper]
interval_seconds = 1
after_seconds = 3
lease_seconds = 4
[inbox]
interval_seconds = 0.5
stable_seconds = 0.2
[store]
claim_idle_seconds = 3
[supervision]
crash_loop_exits = 100000
longest_pause_seconds = 0.5
"""


@dataclass(frozen=True)
class Report:
    """What a fault run gave; `lost` and `twice` must be 0 and `balanced` True."""

    documents: int
    kills: int
    server_kills: int
    lost: int
    unexpected: int
    twice: int
    buried: int
    balanced: bool
    seconds_under_fire: float
    seconds_to_recover: float
    events: dict[str, int]

    @property
    def passed(self) -> bool:
        """True where the promise held."""
        return self.balanced and self.lost == self.twice == self.unexpected == self.buried == 0


class FaultRun:
    """One `copydesk run` on a directory of its own, fed through an inbox."""

    def __init__(self, directory: Path, seed: int = 1) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.inbox = directory / "inbox"
        self.random = random.Random(seed)
        config = directory / "config"
        config.mkdir(parents=True)
        self.inbox.mkdir()
        (config / "worker.toml").write_text(SETTINGS)
        (config / "sources.toml").write_text(
            f'[[source]]\nid = "{SOURCE}"\nkind = "directory"\npath = "../inbox"\nclaim = true\n'
        )
        self.options = ["--data", str(self.data), "--config", str(config)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the supervisor in a session of its own."""
        with (self.directory / "run.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", "run", *self.options], stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """End the supervisor as Ctrl-C does, and whatever it left."""
        if self.process is None:
            return
        descendants = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for orphan in psutil.wait_procs(descendants, timeout=3)[1]:
            orphan.kill()
        self.process = None

    def feed(self, count: int, first: int = 0) -> None:
        """Put articles number `first` to `first + count - 1` into the inbox, as JSONL files that appear whole."""
        for start in range(first, first + count, DOCUMENTS_PER_FILE):
            numbers = range(start, min(start + DOCUMENTS_PER_FILE, first + count))
            hidden = self.inbox / f".part-{start}"
            hidden.write_text("".join(json.dumps(article(number)) + "\n" for number in numbers))
            hidden.rename(self.inbox / f"articles-{start:07}.jsonl")

    def children(self) -> dict[str, psutil.Process]:
        """The supervisor's living children by what they do: pull, parse, beat, store, server."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                found[_role(child.cmdline())] = child
            except psutil.NoSuchProcess:
                continue
        return found

    def kill_one(self, roles: tuple[str, ...] = ("pull", "parse", "beat", "store")) -> str | None:
        """SIGKILL the process group of a random child; the role that was hit, None where none was alive."""
        targets = [(role, child) for role, child in self.children().items() if role in roles]
        if not targets:
            return None
        role, child = self.random.choice(sorted(targets, key=lambda target: target[0]))
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return role

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a copydesk command on this directory."""
        return subprocess.run(
            [sys.executable, "-m", "worker", *words, *self.options], capture_output=True, text=True, check=False
        )

    def status(self) -> dict[str, object]:
        """The answer of `copydesk status --json`; empty while the server is away."""
        answer = self.command("status", "--json")
        status: dict[str, object] = json.loads(answer.stdout) if answer.returncode == 0 else {}
        return status

    def stored(self) -> int:
        """Rows in the store, 0 before it exists."""
        database = self.data / "records.db"
        if not database.exists():
            return 0
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
            try:
                return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])
            except sqlite3.OperationalError:
                return 0

    def rows(self) -> list[tuple[str, int]]:
        """(id, version) of every stored row."""
        with sqlite3.connect(f"file:{self.data / 'records.db'}?mode=ro", uri=True, timeout=30) as connection:
            return [(str(row[0]), int(row[1])) for row in connection.execute("SELECT id, version FROM records")]


def article(number: int) -> dict[str, str]:
    """One of the unique articles that flow; its guid makes its record id predictable."""
    words = " ".join(f"word{(number * 7919 + k * k) % 9973}" for k in range(60))
    body = f"Report number {number} from the harbour. {words}\n\nThe second paragraph of report {number}."
    return {"guid": f"fault-{number}", "headline": f"Harbour report {number}", "body_text": body}


def expected_ids(count: int) -> set[str]:
    """The record ids of the first `count` articles."""
    now = datetime.now(UTC)
    return {fingerprint(SOURCE, Article(guid=f"fault-{number}"), now).record_id.hex() for number in range(count)}


def run_faults(directory: Path, documents: int, kills: int, server_kills: int, seconds_between: float) -> Report:
    """Feed documents, kill, wait for recovery, compare. The run lasts as long as the kills do, or the documents."""
    run = FaultRun(directory)
    run.start()
    try:
        plan = _plan(run.random, kills, server_kills)
        started = time.monotonic()
        fed = 0
        for step, kind in enumerate(plan):
            due = documents * (step + 1) // len(plan)
            run.feed(due - fed, fed)
            fed = due
            time.sleep(run.random.uniform(0.3, 1.7) * seconds_between)
            while run.kill_one(("server",) if kind == "server" else ("pull", "parse", "beat", "store")) is None:
                if run.process is None or run.process.poll() is not None:
                    raise RuntimeError(f"copydesk run has ended by itself; see {run.directory / 'run.log'}")
                time.sleep(0.05)
        run.feed(documents - fed, fed)
        under_fire = time.monotonic() - started
        recovered = _wait_until_done(run, documents, limit_seconds=120 + documents / 50)
        reconciled = run.command("reconcile", "--json")
        report = json.loads(reconciled.stdout or "{}")
        status = run.status()
        letters = status.get("letters", {})
        rows = run.rows()
    finally:
        run.stop()
    wanted, got = expected_ids(documents), {record_id for record_id, _ in rows}
    return Report(
        documents=documents,
        kills=kills,
        server_kills=server_kills,
        lost=len(wanted - got),
        unexpected=len(got - wanted),
        twice=len(rows) - len(got),
        buried=sum(letters.values()) if isinstance(letters, dict) else -1,
        balanced=reconciled.returncode == 0 and bool(report.get("balanced")),
        seconds_under_fire=round(under_fire, 1),
        seconds_to_recover=round(recovered, 1),
        events=dict(status.get("events", {})),  # type: ignore[call-overload]  # JSON of our own command
    )


def _plan(chance: random.Random, kills: int, server_kills: int) -> list[str]:
    plan = ["worker"] * kills + ["server"] * server_kills
    chance.shuffle(plan)
    return plan


def _wait_until_done(run: FaultRun, documents: int, limit_seconds: float) -> float:
    """Seconds until all is stored and nothing is in flight (or the limit)."""
    started = time.monotonic()
    while time.monotonic() - started < limit_seconds:
        if run.stored() >= documents:
            status = run.status()
            if status and status["in_flight"] == 0 and status["storage_queue"]["records"] == 0:  # type: ignore[index]  # JSON of our own command
                break
        time.sleep(0.3)
    return time.monotonic() - started


def _role(command: list[str]) -> str:
    words = " ".join(command)
    roles = {"--queues pull": "pull", "--queues parse": "parse", "worker beat": "beat", "worker store": "store"}
    for mark, role in roles.items():
        if mark in words:
            return role
    return "server" if "valkey-server" in words else "other"


def _reports(options: argparse.Namespace) -> Iterator[Report]:
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="copydesk-faults-") as directory:
            yield run_faults(
                Path(directory) / "run", options.documents, options.kills, options.server_kills, options.seconds_between
            )


def main() -> int:
    """Command line of `make faults`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--server-kills", type=int, default=15)
    parser.add_argument("--seconds-between", type=float, default=1.5)
    parser.add_argument("--runs", type=int, default=1)
    passed = True
    for report in _reports(parser.parse_args()):
        print(json.dumps(asdict(report) | {"passed": report.passed}), flush=True)
        passed &= report.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
