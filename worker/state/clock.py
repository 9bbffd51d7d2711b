"""The server's clock is the only clock of leases and due times; where it is stepped back, they follow."""

from __future__ import annotations

from typing import Any

from redis import Redis

from worker.model import LANES
from worker.state.keys import STAGES, Keys
from worker.state.scripts import Scripts
from worker.state.sources import SCHEDULES

LEAST_SECONDS = 5.0
"""Smaller steps are waited out."""


class Clock:
    """Remembers what the server's clock said last."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._scripts = Scripts(redis)
        schedules = [keys.name(name) for name in (*SCHEDULES, "asking")]
        self._names = [keys.name("clock"), *schedules, *(keys.due(stage, lane) for stage in STAGES for lane in LANES)]

    def mind(self) -> float:
        """Look at the clock; where it was stepped back, move all due times with it. By how many seconds, else 0.

        Steps forward need nothing: what lapses early is done again. To be called every second or so.
        """
        answer: Any = self._scripts.run("mind_clock", self._names, [LEAST_SECONDS])
        return float(answer)
