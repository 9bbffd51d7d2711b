"""What a fault run gave, and whether the promise held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """`lost`, `twice` and `unexpected` must be 0, `balanced` True, `buried` the number of poison documents.

    `notes` are further figures of the scenario; `failures` are expectations of its own that did not hold. `goals` are
    times of recovery: name -> (seconds measured, seconds wanted). How fast a machine is breaks no promise, so they
    count with `--strict` only.
    """

    fault: str
    documents: int
    faults: int
    lost: int
    unexpected: int
    twice: int
    buried: int
    balanced: bool
    seconds_under_fire: float
    seconds_to_recover: float
    expected_buried: int = 0
    events: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    goals: dict[str, tuple[float, float]] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True where the promise held."""
        clean = self.lost == self.twice == self.unexpected == 0 and self.buried == self.expected_buried
        return clean and self.balanced and not self.failures

    @property
    def missed(self) -> tuple[str, ...]:
        """Goals that were not reached."""
        return tuple(name for name, (seconds, wanted) in self.goals.items() if seconds > wanted)
