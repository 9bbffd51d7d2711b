"""F7: the server's memory is full, and the disks of sink, spool, inbox and server, one after another.

Each is a small file system that somebody else fills to the last byte while articles flow. Until there is room again the
system must say what is wrong (`copydesk status`), and afterwards go on alone.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from redis import Redis

from tests.faults.disks import fill, free, small_disk
from tests.faults.report import Report
from tests.faults.servers import StateServer
from tests.faults.system import PATIENT_SECONDS, System, wait_for
from worker.state.connection import connect

DISK_BYTES = 48_000_000
LARGE = "Padding that makes the document travel through the spool. " * 80
INLINE_BYTES = 4_000
RESUMES_GOAL_SECONDS = 60.0

SETTINGS: dict[str, dict[str, object]] = {
    "pressure": {"backlog_records": 60, "free_disk_bytes": 1},
    "limits": {"inline_bytes": INLINE_BYTES},
    "state": {"socket_timeout_seconds": 5},
}


def fill_up(directory: Path, *, documents: int, server: str = "valkey") -> Report:
    """F7: so many documents flow while each of five resources is full in turn."""
    run = directory / "run"
    with contextlib.ExitStack() as stack:
        # The server ends itself where `appendfsync always` meets a full disk: somebody must start it again.
        kept = stack.enter_context(_kept_server(stack, directory / "server")) if server == "redis" else None
        system = System(run, url=kept.url if kept else None, settings=_settings(directory))
        inbox, spool = stack.enter_context(small_disk(system.inbox, DISK_BYTES)), system.data / "spool"
        stack.enter_context(small_disk(directory / "sink", DISK_BYTES))
        at_server = kept.directory if kept else stack.enter_context(small_disk(system.data / "valkey", DISK_BYTES))
        stack.enter_context(small_disk(spool, DISK_BYTES))
        system.store = directory / "sink" / "records.db"
        stack.enter_context(system)
        redis = connect(system.url, 5)
        watch = _Watch(system, documents // 5)
        started = time.monotonic()
        watch.step("memory", lambda: _limit_memory(redis, redis.info("memory")["used_memory"]), _unlimit(redis))
        watch.step("sink", lambda: fill(directory / "sink"), lambda: free(directory / "sink"))
        watch.step("spool", lambda: fill(spool), lambda: free(spool), padding=LARGE)
        # Nobody can drop a file into a full inbox; those that lie there still go through.
        watch.step("inbox", lambda: fill(inbox), lambda: free(inbox), first=True)
        watch.step("server", lambda: fill(at_server), lambda: free(at_server))
        under_fire = time.monotonic() - started
        return system.report(
            "F7",
            faults=5,
            under_fire=under_fire,
            notes={"server": server, "said": watch.said, "seconds_to_resume": watch.resumed},
            goals={"slowest_seconds_to_resume": (max(watch.resumed.values()), RESUMES_GOAL_SECONDS)},
            failures=tuple(watch.failures),
        )


class _Watch:
    """Fills something up while articles flow, and looks at what is said of it and how it goes on."""

    def __init__(self, system: System, documents: int) -> None:
        self._system = system
        self._documents = documents
        self.said: dict[str, str] = {}
        self.resumed: dict[str, float] = {}
        self.failures: list[str] = []

    def step(
        self,
        name: str,
        fill: Callable[[], object],
        free: Callable[[], object],
        *,
        padding: str = "",
        first: bool = False,
    ) -> None:
        """One resource is full for a while. `first`: the articles come before it is."""
        system = self._system
        system.feed(self._documents // 2, padding)
        wait_for(lambda: first or system.stored() >= system.fed)
        if first:
            system.feed(self._documents - self._documents // 2, padding)
        fill()
        try:
            if not first:
                system.feed(self._documents - self._documents // 2, padding)
                wait_for(lambda: self._says(name))
        finally:
            free()
        self.resumed[name] = round(wait_for(lambda: system.stored() >= system.fed), 1)
        if name not in self.said and not first:
            self.failures.append(f"{name}: status named no reason")
        if self.resumed[name] >= PATIENT_SECONDS:
            self.failures.append(f"{name}: not resumed within {PATIENT_SECONDS:g} s")

    def _says(self, name: str) -> bool:
        reasons = self._system.reasons()
        if reasons:
            self.said[name] = "; ".join(reasons)
        return bool(reasons)


def _settings(directory: Path) -> dict[str, dict[str, object]]:
    return {**SETTINGS, "store": {"url": f"sqlite:///{directory / 'sink' / 'records.db'}", "claim_idle_seconds": 3}}


def _limit_memory(redis: Redis, limit_bytes: int) -> None:
    redis.config_set("maxmemory", limit_bytes)


def _unlimit(redis: Redis) -> Callable[[], None]:
    return lambda: _limit_memory(redis, 0)


@contextlib.contextmanager
def _kept_server(stack: contextlib.ExitStack, directory: Path) -> Iterator[StateServer]:
    """A server that is started again whenever it ends, as systemd does."""
    stack.enter_context(small_disk(directory, DISK_BYTES))
    state = StateServer(directory, "redis")
    state.start()
    done = threading.Event()
    keeper = threading.Thread(target=lambda: _keep(state, done), daemon=True)
    keeper.start()
    try:
        yield state
    finally:
        done.set()
        keeper.join()
        state.stop()


def _keep(state: StateServer, done: threading.Event) -> None:
    while not done.wait(1.0):
        if state.process is not None and state.process.poll() is not None:
            state.spawn()
