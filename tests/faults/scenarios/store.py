"""F11 and F12: a sink that is slow or down, and a writer that is killed between commit and acknowledgement."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import system_on, wait_for

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
        wait_for(lambda: system.stored() > 0, 60)
        flags.raise_flag("sink_down")
        highest, paused = 0, False
        ends = time.monotonic() + down_seconds
        while time.monotonic() < ends:
            status = system.status()
            highest = max(highest, status["storage_queue"]["records"])
            paused |= bool(status["paused"])
            time.sleep(0.5)
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


def kill_writer(
    directory: Path, *, documents: int, probability: float, kills: int, limit_seconds: float, server: str = "valkey"
) -> Report:
    """F12: the writer dies between commit and acknowledgement, so many times within the limit."""
    flags = Flags(directory / "flags")
    settings = {"store": {"batch_records": 50, "claim_idle_seconds": 2}}
    with system_on(server, directory, settings=settings, environment=flags.environment) as system:
        started = time.monotonic()
        flags.raise_flag("kill_writer", probability)
        writers: set[int] = set()
        while len(writers) <= kills and time.monotonic() - started < limit_seconds:
            # One more batch for each writer: there is always something to commit.
            system.feed(min(documents - system.fed, documents // (4 * kills)))
            writer = system.children().get("store")
            writers |= {writer.pid} if writer else set()
            time.sleep(0.2)
        flags.lower_flag("kill_writer")
        system.feed(documents - system.fed)
        killed = len(writers) - 1
        return system.report(
            "F12",
            faults=killed,
            under_fire=time.monotonic() - started,
            failures=() if killed >= kills else (f"the writer was killed {killed} times only",),
        )
