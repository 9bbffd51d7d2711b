"""Every fault, with what it takes in the suite (short) and in `make faults` (long)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.report import Report
from tests.faults.scenarios.kills import kill_server, kill_workers


@dataclass(frozen=True)
class Scenario:
    """A fault: the function that runs it in an empty directory, and its measures."""

    run: Callable[..., Report]
    short: Mapping[str, Any]
    long: Mapping[str, Any]


SCENARIOS: dict[str, Scenario] = {
    "F1": Scenario(
        kill_workers,
        short={"documents": 15_000, "kills": 20, "server_kills": 3},
        long={"documents": 100_000, "kills": 1000, "server_kills": 0},
    ),
    "F3": Scenario(
        kill_server,
        short={"documents": 4_000, "kills": 3},
        long={"documents": 40_000, "kills": 15},
    ),
}
