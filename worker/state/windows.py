"""The windows of the memory: how long what came by a lane is recognised, and the generations each consists of.

All lanes share one window (`memory.remember_days`) unless `memory.backfill_days` says otherwise for the lane
`backfill`; then there are two, and an article is looked up in both. A window's generation lasts as long as the window;
the current one and the one before are read, and what is found in the older moves into the current one. So an article
that is still seen is never forgotten, and the rest expires as whole keys. A family lives in the longer of the windows
its articles came by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from worker.config import Settings
from worker.model import Lane
from worker.state.index import KINDS
from worker.state.keys import Generation, Keys

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """`name` is part of its keys: empty for that of all lanes which have no other."""

    name: str
    seconds: int


class Windows:
    """The windows of one deployment; scripts are told of them in this order."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        days, backfill_days = settings.memory.remember_days, settings.memory.backfill_days
        windows = [Window("", days * DAY_SECONDS)]
        if backfill_days not in (None, days):
            windows.append(Window("backfill", backfill_days * DAY_SECONDS))
        self.windows: tuple[Window, ...] = tuple(windows)
        self._keys = keys

    @property
    def longest_seconds(self) -> int:
        return max(window.seconds for window in self.windows)

    def home(self, lane: Lane) -> int:
        """The number, from 1, of the window in which articles of a lane are remembered at least."""
        return len(self.windows) if lane == "backfill" else 1

    def now(self, redis: Redis) -> tuple[Generation, ...]:
        """The current generation of each window by the server's clock."""
        now: Any = redis.time()
        return tuple(Generation(window.name, int(now[0]) // window.seconds) for window in self.windows)

    def script_keys(self, current: Sequence[Generation]) -> list[str]:
        """Keys of each window's current generation and of the one before, in the order the scripts take them."""
        places = [place for generation in current for place in (generation, generation.before)]
        return [self._keys.generation(kind, place) for place in places for kind in KINDS]

    def script_text(self, current: Sequence[Generation], seen: Sequence[int] = ()) -> str:
        """What open_memory in cards.lua takes; `seen`: tickets given in each window when candidates were read."""
        parts = zip(current, self.windows, seen or [0] * len(self.windows), strict=True)
        return " ".join(f"{generation.number}:{window.seconds}:{tickets}" for generation, window, tickets in parts)
