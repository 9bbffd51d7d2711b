"""A limit on burials: one bad deployment must not bury everything.

Counted are the documents that died within the last minute or two, beside all that the stage dealt with well in that
time. Two workers that ask at once may both be let pass: the limit holds to within a batch for each worker.
"""

from __future__ import annotations

from typing import Any

from redis import Redis

from worker.config import Settings
from worker.state.keys import Keys
from worker.state.pauses import Pauses, PauseStage

RATE_SECONDS = 10_800
"""How long the counters of a minute live (as in common.lua)."""
_FARED_WELL: dict[PauseStage, tuple[str, ...]] = {
    "parse": ("parsed", "rejected"),
    "dedupe": ("stored", "updated", "duplicate"),
    "store": ("stored", "updated"),
}
"""Counters of what a stage has not let die: each document once, though it passes several stages."""


class Burials:
    """Answers whether so many more may be buried, and pauses the stage where not."""

    def __init__(self, redis: Redis, settings: Settings, pauses: Pauses) -> None:
        self._redis = redis
        self._limits = settings.burials
        self._keys = Keys(settings.state.namespace)
        self._pauses = pauses

    def refuse(self, stage: PauseStage, dead: int, sound: int) -> str | None:
        """Why `dead` more documents must not be buried beside `sound` others (the stage is paused), or None."""
        if not dead:
            return None
        died, settled = self._lately("refused" if stage == "store" else "dead", _FARED_WELL[stage])
        died, all_of_them = died + dead, died + dead + settled + sound
        limit = max(float(self._limits.documents), self._limits.share * all_of_them)
        if died <= limit:
            return None
        reason = (
            f"{died} of {all_of_them} documents would have died within a minute (burials.documents = "
            f"{self._limits.documents}, burials.share = {self._limits.share:g}); see `copydesk dead list`"
        )
        self._pauses.pause(f"stage:{stage}", reason, alert=True)
        return reason

    def note_refused(self, count: int) -> None:
        """Count records that the store refused; what dies in other stages the scripts count."""
        with self._redis.pipeline() as pipe:
            pipe.hincrby(self._keys.minute(), "refused", count)
            pipe.expire(self._keys.minute(), RATE_SECONDS)
            pipe.execute()

    def _lately(self, died: str, fared_well: tuple[str, ...]) -> tuple[int, int]:
        """Documents that died, and that fared better, in this minute and the one before."""
        with self._redis.pipeline(transaction=False) as pipe:
            for minutes_ago in (0, 1):
                pipe.hmget(self._keys.minute(minutes_ago), died, *fared_well)
            rows: Any = pipe.execute()
        sums = [sum(int(value or 0) for value in column) for column in zip(*rows, strict=True)]
        return sums[0], sum(sums[1:])
