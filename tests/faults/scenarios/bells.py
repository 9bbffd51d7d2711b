"""F9 and F14: bells that come twice and out of order, and two beats of which the first stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.articles import expected_ids, record_id
from tests.faults.feed import FEED_ID, SLOT_SECONDS, Feed
from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import PATIENT_SECONDS, system_on, wait_for


def double_bells(directory: Path, *, documents: int, server: str = "valkey", broker: str = "") -> Report:
    """F9: every bell is delivered twice, in another order; the output is the same."""
    flags = Flags(directory / "flags")
    flags.raise_flag("double_bells")
    with system_on(server, directory, broker=broker, environment=flags.environment) as system:
        started = time.monotonic()
        system.feed(documents)
        under_fire, notes = time.monotonic() - started, {"server": server, "broker": broker}
        return system.report("F9", faults=documents, under_fire=under_fire, notes=notes)


def two_beats(directory: Path, *, documents: int, seconds: float, server: str = "valkey") -> Report:
    """F14: a second beat ticks too; then the first is stopped, and killed. No feed is polled twice in a slot."""
    with Feed() as feed, system_on(server, directory, sources=feed.source) as system:
        started = time.monotonic()
        feed.publish()
        system.feed(documents // 2)
        with (directory / "beat.log").open("ab") as log:
            second = subprocess.Popen([sys.executable, "-m", "worker", "beat", *system.options], stdout=log, stderr=log)
        try:
            wait_for(system.stored)
            # Both tick for a while, each from its own moment on.
            time.sleep(seconds)
            first = system.child("beat")
            os.killpg(first.pid, signal.SIGSTOP)
            before = len(feed.asked)
            system.feed(documents - system.fed)
            # The second beat alone keeps the feed polled.
            waited = wait_for(lambda: len(feed.asked) >= before + 2)
            os.killpg(first.pid, signal.SIGKILL)
            failures = ["no poll while the first beat was stopped"] if waited >= PATIENT_SECONDS else []
            failures += ["polled twice in a slot"] if feed.shortest_gap() < SLOT_SECONDS * 0.9 else []
            return system.report(
                "F14",
                faults=2,
                under_fire=time.monotonic() - started,
                wanted=expected_ids(documents) | {record_id("feed-1", FEED_ID)},
                notes={
                    "server": server,
                    "polls": len(feed.asked),
                    "slot_seconds": SLOT_SECONDS,
                    "shortest_gap_seconds": round(feed.shortest_gap(), 2),
                },
                failures=tuple(failures),
            )
        finally:
            second.terminate()
            second.wait()
