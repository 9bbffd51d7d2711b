"""F13: the present version starts on what an older one left in flight; then its workers are replaced under load."""

from __future__ import annotations

import contextlib
import signal
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tests.faults.articles import DOCUMENTS_PER_FILE, expected_ids
from tests.faults.flags import Flags
from tests.faults.lone import LoneWorker
from tests.faults.report import Report
from tests.faults.servers import state_server
from tests.faults.system import WORKERS, System, wait_for

OLD_STATES = Path(__file__).parent.parent.parent / "data" / "old_state"
OLD_ARTICLES = 41
"""As `tests/data/old_state/make.py` says: stored, in the storage queue, parsed, received, and held by a dead worker."""
STOP_SECONDS = 30.0
"""Whoever stops us (docker, systemd, Kubernetes) waits so long."""


def upgrade(directory: Path, *, documents: int, rounds: int, server: str = "valkey") -> Report:
    """F13: every old state in turn settles; then each group of workers gets SIGTERM while articles flow."""
    failures = []
    old_states = sorted(OLD_STATES.glob("*.tar.xz"))
    settled = {}
    for archive in old_states:
        flags = Flags(directory / "flags")
        with _system_on_old_state(archive, directory, server, flags.environment) as system:
            old = system.report("F13", faults=1, under_fire=0)
            settled[archive.name] = old.seconds_to_recover
            if not old.passed:
                failures.append(f"{archive.name}: {old}")
                continue
            if archive is old_states[-1]:
                rolled = _roll(system, flags, documents, rounds, settled, failures)
                return replace(rolled, notes={"server": server, **rolled.notes})
    raise FileNotFoundError(f"no old state settled below {OLD_STATES}: {failures}")


@contextlib.contextmanager
def _system_on_old_state(
    archive: Path, directory: Path, server: str, environment: Mapping[str, str]
) -> Iterator[System]:
    """The present version, started on what an older one left in flight."""
    directory = directory / archive.name.partition(".")[0]
    unpacked = directory / "run" / "data"
    with tarfile.open(archive) as packed:
        packed.extractall(unpacked, filter="data")
    with contextlib.ExitStack() as stack:
        url = None
        if server != "valkey":
            _hand_over(unpacked / "valkey" / "appendonlydir", directory / "server" / "appendonlydir")
            url = stack.enter_context(state_server(directory, server)).url
        system = System(directory / "run", url=url, environment=environment)
        system.fed = OLD_ARTICLES
        yield stack.enter_context(system)


def _hand_over(written: Path, here: Path) -> None:
    """Valkey's append-only file for a Redis: the same commands, which both read.

    Without the snapshot that Valkey began with: it is empty, and in a format that Redis does not know.
    """
    here.parent.mkdir(parents=True)
    written.rename(here)
    manifest = here / "appendonly.aof.manifest"
    increments = [line for line in manifest.read_text().splitlines(keepends=True) if line.endswith("type i\n")]
    manifest.write_text("".join(increments))


def _roll(
    system: System, flags: Flags, documents: int, rounds: int, settled: dict[str, float], failures: list[str]
) -> Report:
    """On top of the old state: SIGTERM to one group after another, each is back before the next one goes.

    At last to the parsers while one of them is in C code that never returns.
    """
    started = time.monotonic()
    slowest = 0.0
    steps = [role for _ in range(rounds) for role in WORKERS]
    for step, role in enumerate(steps, 1):
        system.feed(max(0, OLD_ARTICLES + documents * step // len(steps) - system.fed))
        slowest = max(slowest, _replace(system, role))
    slowest_stuck = _replace_stuck(system, flags)
    alone = _stop_alone(system, failures) if rounds > 1 else 0.0
    if max(slowest, slowest_stuck, alone) >= STOP_SECONDS:
        failures.append(f"a process did not end within {STOP_SECONDS:g} s")
    return system.report(
        "F13",
        faults=len(settled) + len(steps) + 1,
        under_fire=time.monotonic() - started,
        wanted=expected_ids(system.fed),
        notes={
            "seconds_until_old_state_settled": settled,
            "slowest_seconds_to_end": round(slowest, 1),
            "seconds_to_end_when_stuck": round(slowest_stuck, 1),
            "seconds_to_end_when_stuck_without_supervisor": round(alone, 1),
        },
        failures=tuple(failures),
    )


def _replace(system: System, role: str) -> float:
    """SIGTERM to a group while articles flow, and wait for its successor; seconds until it had ended."""
    before = system.stored()
    wait_for(lambda: system.stored() > before or before >= system.fed)
    return _end(system, role)


def _replace_stuck(system: System, flags: Flags) -> float:
    """As `_replace`, of the parsers, one of which never returns from a document."""
    flags.raise_flag("parse_stuck")
    system.feed(DOCUMENTS_PER_FILE)
    wait_for(lambda: flags.is_up("stuck"))
    return _end(system, "parse")


def _stop_alone(system: System, failures: list[str]) -> float:
    """The same to a worker that no supervisor kills: it must end by itself, and leave nothing behind."""
    worker = LoneWorker(system, system.directory)
    worker.flags.raise_flag("parse_stuck")
    with worker.running():
        if not worker.feed_until("stuck", DOCUMENTS_PER_FILE):
            failures.append("the lone worker took no batch")
        seconds, left = worker.terminate()
        if left:
            failures.append(f"the lone worker left {left} processes behind")
    return seconds


def _end(system: System, role: str) -> float:
    old = system.child(role)
    old.send_signal(signal.SIGTERM)
    seconds = wait_for(lambda: not old.is_running())
    system.child(role)
    return seconds
