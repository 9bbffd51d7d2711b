"""Back-pressure: near a high-water mark pulling slows, above it it pauses and says why; nothing is dropped.

Each mark is seen as a share: 1 is full. The lane backfill is full earlier (`pressure.backfill_share`), so that news
always finds room. Work that goes on lowers the shares, and pulling resumes alone.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import OutOfMemoryError

from worker.config import Settings
from worker.model import LANES, Lane
from worker.state.counters import Counters
from worker.state.keys import Keys

CACHE_SECONDS = 0.5
"""How long an answer is reused: pulling asks before every batch."""
LONGEST_DELAY_SECONDS = 2.0
"""The pause between two batches just below a mark."""


@dataclass(frozen=True, slots=True)
class Level:
    """How full one resource is (1: full), and what to say of it."""

    share: float
    reason: str


class Pressure:
    """Answers whether intake must slow down or pause."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._marks = settings.pressure
        self._data = settings.data
        self._keys = Keys(settings.state.namespace)
        self._counters = Counters(redis, self._keys)
        self._asked_at = float("-inf")
        self._highest = Level(0.0, "")

    def paused(self, lane: Lane = "news") -> str | None:
        """Why intake of the lane must pause, or None where it may go on."""
        level = self.highest()
        full = level.share > self._full(lane)
        if not full:
            return None
        return level.reason if lane == "news" else f"{level.reason}, of which {lane} may use {self._full(lane):.0%}"

    def delay_seconds(self, lane: Lane) -> float:
        """How long intake of the lane is to wait before its next batch: 0 far from every mark, longer near one."""
        full = self._full(lane)
        slow = self._marks.slow_share * full
        over = (self.highest().share - slow) / (full - slow) if full > slow else 0.0
        return LONGEST_DELAY_SECONDS * min(1.0, max(0.0, over)) ** 2

    def highest(self) -> Level:
        """The fullest of all resources; at most `CACHE_SECONDS` old."""
        if time.monotonic() - self._asked_at > CACHE_SECONDS:
            self._highest = self._look()
            self._asked_at = time.monotonic()
            self._publish()
        return self._highest

    def reasons(self) -> dict[str, str]:
        """Why pulling must pause at this moment, by queue (`pull`, `pull.backfill`); writes nothing."""
        return self._reasons(self._look())

    def _look(self) -> Level:
        return max(self._levels(), key=lambda level: level.share)

    def _reasons(self, level: Level) -> dict[str, str]:
        return {_field(lane): level.reason for lane in LANES if level.share > self._full(lane)}

    def _full(self, lane: Lane) -> float:
        return 1.0 if lane == "news" else self._marks.backfill_share

    def _levels(self) -> Iterator[Level]:
        marks = self._marks
        backlog = int(self._redis.xlen(self._keys.stream))
        yield _level(backlog, marks.backlog_records, "records wait for the store", "backlog_records")
        documents, size = self._counters.in_flight(), self._counters.bytes_in_flight()
        yield _level(documents, marks.in_flight_documents, "documents in flight", "in_flight_documents")
        yield _level(size, marks.in_flight_bytes, "bytes in flight", "in_flight_bytes")
        yield from self._server()
        yield from self._disk()

    def _server(self) -> Iterator[Level]:
        info: dict[str, Any] = self._redis.info("memory") | self._redis.info("persistence")
        used, share = int(info["used_memory"]), self._marks.memory_share
        limit = int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0))
        if limit:
            reason = f"the server uses {used} of {limit} bytes (pressure.memory_share = {share})"
            yield Level(used / (limit * share), reason)
        if info.get("aof_last_write_status", "ok") != "ok":
            yield Level(float("inf"), "the server cannot write its append-only file: is its disk full?")

    def _disk(self) -> Iterator[Level]:
        try:
            free = shutil.disk_usage(self._data).free
        except FileNotFoundError:
            return
        mark = self._marks.free_disk_bytes
        reason = f"{free} bytes free in {self._data} (pressure.free_disk_bytes = {mark})"
        yield Level(mark / max(1, free), reason)

    def _publish(self) -> None:
        reasons = self._reasons(self._highest)
        for field in map(_field, LANES):
            if field not in reasons:
                self._redis.hdel(self._keys.name("paused"), field)
                continue
            # A server whose memory is full takes no reason either; `reasons` finds it again.
            with contextlib.suppress(OutOfMemoryError):
                self._redis.hset(self._keys.name("paused"), field, reasons[field])


def _field(lane: Lane) -> str:
    """As queues are named: `pull`, and `pull.backfill`."""
    return "pull" if lane == "news" else f"pull.{lane}"


def _level(value: int, mark: int, what: str, setting: str) -> Level:
    return Level(value / max(1, mark), f"{value} {what} (pressure.{setting} = {mark})")
