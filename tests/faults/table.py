"""Every fault, with what it takes in the suite (short) and in `make faults` (long)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from tests.faults.report import Report
from tests.faults.scenarios.bells import double_bells, two_beats
from tests.faults.scenarios.clock import step_clock
from tests.faults.scenarios.fairness import share_fairly
from tests.faults.scenarios.full import fill_up
from tests.faults.scenarios.hosts import two_hosts
from tests.faults.scenarios.kills import kill_server, kill_workers
from tests.faults.scenarios.network import break_network, freeze_server
from tests.faults.scenarios.poison import kill_children, poison
from tests.faults.scenarios.power import lose_power
from tests.faults.scenarios.soak import soak
from tests.faults.scenarios.store import kill_writer, trouble_sink
from tests.faults.scenarios.upgrade import upgrade


@dataclass(frozen=True)
class Scenario:
    """A fault: the function that runs it in an empty directory, and its measures."""

    run: Callable[..., Report]
    short: Mapping[str, Any]
    long: Mapping[str, Any]
    needs: tuple[str, ...] = ()

    def needs_on(self, server: str, broker: str | None = None) -> tuple[str, ...]:
        """What it needs (names of `tests.faults.needs`) on `valkey` or `redis`, with a broker of another kind."""
        needs = [*self.needs, *(["redis"] if server == "redis" else [])]
        if broker:
            needs += [broker, *([] if "broker" in signature(self.run).parameters else ["state broker"])]
        return tuple(needs)


SCENARIOS: dict[str, Scenario] = {
    "F1": Scenario(
        kill_workers,
        short={"documents": 5_000, "kills": 15, "server_kills": 2},
        long={"documents": 100_000, "kills": 1000, "server_kills": 0},
    ),
    "F3": Scenario(
        kill_server,
        short={"documents": 600, "kills": 3},
        long={"documents": 40_000, "kills": 15},
    ),
    "F4": Scenario(
        freeze_server,
        short={"documents": 400, "freezes": 2},
        long={"documents": 10_000, "freezes": 12},
    ),
    "F5": Scenario(
        break_network,
        short={"documents": 900, "resets": 3},
        long={"documents": 20_000, "resets": 25},
    ),
    "F6": Scenario(lose_power, short={"documents": 2_000, "losses": 3}, long={"documents": 40_000, "losses": 30}),
    "F2": Scenario(kill_children, short={"documents": 900, "kills": 6}, long={"documents": 40_000, "kills": 200}),
    "F7": Scenario(fill_up, short={"documents": 400}, long={"documents": 4_000}, needs=("root", "mount")),
    "F8": Scenario(poison, short={"documents": 500, "poisons": 3}, long={"documents": 5_000, "poisons": 12}),
    "F9": Scenario(double_bells, short={"documents": 1_000}, long={"documents": 40_000}),
    "F10": Scenario(step_clock, short={"documents": 500}, long={"documents": 20_000}, needs=("linux", "cc")),
    "F11": Scenario(
        trouble_sink,
        short={"documents": 5_000, "slow_seconds": 1.0, "down_seconds": 3},
        long={"documents": 20_000, "slow_seconds": 3.0, "down_seconds": 180},
    ),
    "F12": Scenario(
        kill_writer,
        short={"documents": 600, "probability": 1.0, "kills": 3},
        long={"documents": 20_000, "probability": 0.3, "kills": 40},
    ),
    "F13": Scenario(upgrade, short={"documents": 600, "rounds": 1}, long={"documents": 40_000, "rounds": 20}),
    "F14": Scenario(two_beats, short={"documents": 1_000, "seconds": 2}, long={"documents": 5_000, "seconds": 15}),
    "F15": Scenario(soak, short={"seconds": 45}, long={"seconds": 3 * 3600}),
    "FAIR": Scenario(share_fairly, short={"documents": 3_000, "entries": 2}, long={"documents": 20_000, "entries": 8}),
    "F16": Scenario(
        two_hosts,
        short={"documents": 1_000, "cuts": 1},
        long={"documents": 40_000, "cuts": 10},
        needs=("root", "ip"),
    ),
}

ALSO_ON_REDIS = ("F1", "F3")
ELSEWHERE = ("FAIR",)
"""In the suite as `tests/test_fair_share.py`, which looks at the order instead of the clock."""
SHORT_RUNS = [
    *((name, "valkey") for name in SCENARIOS if name not in ELSEWHERE),
    *((name, "redis") for name in ALSO_ON_REDIS),
]
"""What `make test` runs; Debian's Redis where the server itself is under fire."""
