"""F9 and F14: bells that come twice and out of order, and two beats of which the first stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import system_on, wait_for


def double_bells(directory: Path, *, documents: int, server: str = "valkey") -> Report:
    """F9: every bell is delivered twice, in another order; the output is the same."""
    flags = Flags(directory / "flags")
    flags.raise_flag("double_bells")
    with system_on(server, directory, environment=flags.environment) as system:
        started = time.monotonic()
        system.feed(documents)
        return system.report("F9", faults=documents, under_fire=time.monotonic() - started)


def two_beats(directory: Path, *, documents: int, seconds: float, server: str = "valkey") -> Report:
    """F14: a second beat ticks too; then the first is stopped, and killed."""
    with system_on(server, directory) as system:
        started = time.monotonic()
        system.feed(documents // 2)
        with (directory / "beat.log").open("ab") as log:
            second = subprocess.Popen([sys.executable, "-m", "worker", "beat", *system.options], stdout=log, stderr=log)
        try:
            wait_for(lambda: system.stored() and "beat" in system.children(), 60)
            time.sleep(seconds)
            first = system.children()["beat"]
            os.killpg(first.pid, signal.SIGSTOP)
            system.feed(documents - system.fed)
            time.sleep(seconds)
            os.killpg(first.pid, signal.SIGKILL)
            pulls = system.command("sources", "list", "--json")
            return system.report(
                "F14",
                faults=2,
                under_fire=time.monotonic() - started,
                failures=() if pulls.returncode == 0 else ("sources cannot be listed",),
            )
        finally:
            second.terminate()
            second.wait()
