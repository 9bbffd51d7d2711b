"""F11 and F12: a sink that is slow or down, and a writer that is killed between commit and acknowledgement."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import PATIENT_SECONDS, System, system_on, wait_for

HIGH_WATER_RECORDS = 1_000
IN_FLIGHT_DOCUMENTS = 1_000
MOST_IN_THE_QUEUE = HIGH_WATER_RECORDS + IN_FLIGHT_DOCUMENTS + 2_500
"""What was in flight when the mark was passed still arrives, and what is taken in between two looks at it."""


def trouble_sink(
    directory: Path, *, documents: int, slow_seconds: float, down_seconds: float, server: str = "valkey"
) -> Report:
    """F11: the sink takes long for every write, then refuses everything; the stream stays bounded, pulling pauses."""
    flags = Flags(directory / "flags")
    settings: dict[str, dict[str, object]] = {
        "pressure": {"backlog_records": HIGH_WATER_RECORDS, "in_flight_documents": IN_FLIGHT_DOCUMENTS},
        "store": {"batch_records": 50, "claim_idle_seconds": 3},
    }
    with system_on(server, directory, settings=settings, environment=flags.environment) as system:
        started = time.monotonic()
        flags.raise_flag("sink_slow", slow_seconds)
        system.feed(documents)
        wait_for(system.stored)
        flags.raise_flag("sink_down")
        highest = 0

        def look() -> bool:
            """Whether pulling pauses."""
            nonlocal highest
            status = system.status()
            highest = max(highest, status.get("storage_queue", {}).get("records", 0))
            return bool(status.get("paused"))

        # However long the queue takes to fill, pulling pauses at the mark; and then it stays below its bound.
        paused = wait_for(look) < PATIENT_SECONDS
        wait_for(lambda: look() and False, down_seconds)
        flags.lower_flag("sink_down")
        flags.lower_flag("sink_slow")
        failures = [] if paused else ["pulling did not pause"]
        failures += [f"{highest} records in the storage queue"] if highest > MOST_IN_THE_QUEUE else []
        return system.report(
            "F11",
            faults=2,
            under_fire=time.monotonic() - started,
            notes={"most_records_in_the_storage_queue": highest, "high_water_mark": HIGH_WATER_RECORDS},
            failures=tuple(failures),
        )


def kill_writer(directory: Path, *, documents: int, probability: float, kills: int, server: str = "valkey") -> Report:
    """F12: the writer dies between commit and acknowledgement, so many times; each time another one goes on."""
    flags = Flags(directory / "flags")
    settings = {"store": {"batch_records": 50, "claim_idle_seconds": 2}}
    with system_on(server, directory, settings=settings, environment=flags.environment) as system:
        started = time.monotonic()
        flags.raise_flag("kill_writer", probability)
        killed = 0
        for _ in range(kills):
            if not _await_another_writer(system, documents // (4 * kills)):
                break
            killed += 1
        flags.lower_flag("kill_writer")
        system.feed(max(0, documents - system.fed))
        return system.report(
            "F12",
            faults=killed,
            under_fire=time.monotonic() - started,
            failures=() if killed >= kills else (f"the writer was killed {killed} times only",),
        )


def _await_another_writer(system: System, more: int) -> bool:
    """True when another writer is there; until then there is always something to commit."""
    before = system.child("store").pid

    def replaced() -> bool:
        if system.stored() >= system.fed:
            system.feed(more)
        now = system.children().get("store")
        return now is not None and now.pid != before

    return wait_for(replaced) < PATIENT_SECONDS
