"""Articles before each fault, and how soon they flow again after it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.faults.articles import DOCUMENTS_PER_FILE
from tests.faults.report import Report
from tests.faults.system import PATIENT_SECONDS, System, wait_for


class Pace:
    """Feeds a share of the documents before each fault and watches how soon the system works again after it.

    `goal_seconds` is how soon new articles should be stored after the fault has gone.
    """

    def __init__(self, system: System, documents: int, faults: int, goal_seconds: float) -> None:
        self._system = system
        self._documents = documents
        self._faults = faults
        self._goal_seconds = goal_seconds
        self._slowest = 0.0
        self._busy = 0
        self._failures: list[str] = []
        self._started = time.monotonic()

    def steps(self) -> Iterator[int]:
        """Before each step articles are on their way, and some are stored already."""
        for step in range(self._faults):
            before = self._system.stored()
            self._system.feed(max(DOCUMENTS_PER_FILE, self._documents * (step + 1) // self._faults - self._system.fed))
            self._busy += self._system.wait_busy(before)
            yield step

    def expect(self, held: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
        """Something the scenario expects of its own, and what to report where it does not hold."""
        self._failures += [] if held else [otherwise]

    def wait_working(self) -> None:
        """A few more articles, and how long until one more is stored."""
        before = self._system.stored()
        self._system.feed(DOCUMENTS_PER_FILE)
        seconds = wait_for(lambda: self._system.stored() > before)
        self.expect(seconds < PATIENT_SECONDS, f"nothing stored within {PATIENT_SECONDS:g} s after a fault")
        self._slowest = max(self._slowest, seconds)

    def report(self, fault: str, **notes: object) -> Report:
        """The report; the time of recovery is a goal."""
        return self._system.report(
            fault,
            faults=self._faults,
            under_fire=time.monotonic() - self._started,
            notes={**notes, "faults_while_at_work": self._busy},
            goals={"seconds_to_work_again": (round(self._slowest, 1), self._goal_seconds)},
            failures=tuple(self._failures),
        )
