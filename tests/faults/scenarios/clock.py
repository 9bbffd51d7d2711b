"""F10: the clocks of all processes, the server's too, are stepped by an hour, forwards and back.

By a small preloaded library (`tests/faults/clock/clock.c`): the wall clock and the times of files follow a file, the
monotonic clock stays right, as with a real step. (libfaketime 0.9.10 breaks `clock_nanosleep` where it does that.)
"""

from __future__ import annotations

import struct
import subprocess
import time
from pathlib import Path

import psutil

from tests.faults.articles import article, write_file
from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import PATIENT_SECONDS, WORK_SECONDS, System, system_on, wait_for
from worker.state.connection import connect

SOURCE = Path(__file__).parent.parent / "clock" / "clock.c"
STEPS = (3600, 0, -3600, 0)
"""Seconds between the false clock and the right one: each is a step of an hour, two of them back."""
WORKS_GOAL_SECONDS = 90.0
IDLE_SECONDS = 1.0
MOST_IDLE_CORES = 0.5
"""An idle system uses about 0.1 of a core; one that spins never less than a whole one."""
SEEN_AGAIN = 20
MOST_SECONDS_OFF = 60.0
"""Between our clock and a stepped one that follows: the look itself takes a moment."""


class Clock:
    """A wall clock for other processes that is wrong by so many seconds."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._offset = directory / "offset"
        self._library = directory / "clock.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(self._library), str(SOURCE)], check=True)
        self.step_to(0)

    @property
    def environment(self) -> dict[str, str]:
        """For `System(environment=...)`."""
        return {"LD_PRELOAD": str(self._library), "FAULT_CLOCK": str(self._offset)}

    def step_to(self, seconds: int) -> None:
        """Be wrong by so many seconds from now on; processes have the file mapped."""
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))


def step_clock(directory: Path, *, documents: int, server: str = "valkey") -> Report:
    """F10: articles flow before and after each step; old ones that come again are still known."""
    clock = Clock(directory / "clock")
    flags = Flags(directory / "flags")
    flags.raise_flag("parse_slow", WORK_SECONDS)
    with system_on(server, directory, environment={**clock.environment, **flags.environment}) as system:
        started = time.monotonic()
        seconds: dict[str, float] = {}
        busy: dict[str, float] = {}
        at_work = 0
        unmoved: list[str] = []
        system.feed(documents // (len(STEPS) + 1))
        wait_for(lambda: system.stored() >= system.fed)
        for number, offset in enumerate(STEPS, 1):
            # Some are on their way, or leased, when the step comes.
            before = system.stored()
            system.feed(documents * number // len(STEPS) - system.fed)
            at_work += system.wait_busy(before)
            clock.step_to(offset)
            again = [article(old) for old in range(SEEN_AGAIN)]
            write_file(system.inbox / f"again-{number}.jsonl", again)
            step = f"{number}: {offset:+} s"
            unmoved += [] if _server_follows(system, offset) else [step]
            seconds[step] = round(wait_for(lambda: system.settled(system.fed)), 1)
            busy[step] = round(wait_for(lambda: _cores(system) <= MOST_IDLE_CORES), 1)
        late = [step for step, waited in seconds.items() if waited >= PATIENT_SECONDS]
        hot = [step for step, waited in busy.items() if waited >= PATIENT_SECONDS]
        return system.report(
            "F10",
            faults=len(STEPS),
            under_fire=time.monotonic() - started,
            notes={"server": server, "seconds_until_idle": busy, "steps_while_at_work": at_work},
            goals={f"seconds_after_step_{step}": (waited, WORKS_GOAL_SECONDS) for step, waited in seconds.items()},
            failures=(
                *(f"unsettled after step {step}" for step in late),
                *(f"spins after step {step}" for step in hot),
                *(f"the server's clock did not take step {step}" for step in unmoved),
            ),
        )


def _server_follows(system: System, offset: int) -> bool:
    """True where the state server's clock is as wrong as it should be."""
    redis = connect(system.url, 10)
    try:
        seconds, _ = redis.time()
    finally:
        redis.close()
    return abs(seconds - time.time() - offset) < MOST_SECONDS_OFF


def _cores(system: System) -> float:
    """CPU seconds a second that the processes use while nothing is to be done."""
    before, began = _cpu_seconds(system), time.monotonic()
    time.sleep(IDLE_SECONDS)
    after = _cpu_seconds(system)
    used = sum(seconds - before[pid] for pid, seconds in after.items() if pid in before)
    return used / (time.monotonic() - began)


def _cpu_seconds(system: System) -> dict[int, float]:
    if system.process is None:
        return {}
    root = psutil.Process(system.process.pid)
    processes = [root, *root.children(recursive=True)]
    if system.server is not None and system.server.process is not None:
        processes.append(psutil.Process(system.server.process.pid))
    found = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[process.pid] = times.user + times.system
    return found
