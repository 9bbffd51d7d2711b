"""Back-pressure: above a high-water mark pulling pauses and says why; nothing is dropped, it resumes alone."""

from __future__ import annotations

import shutil
import time
from typing import Any

from redis import Redis

from worker.config import Settings
from worker.state.counters import Counters
from worker.state.keys import Keys

CACHE_SECONDS = 0.5
"""How long an answer is reused: pulling asks before every batch."""


class Pressure:
    """Answers whether intake must pause."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._marks = settings.pressure
        self._data = settings.data
        self._keys = Keys(settings.state.namespace)
        self._counters = Counters(redis, self._keys)
        self._answer: tuple[float, str | None] = (float("-inf"), None)

    def paused(self) -> str | None:
        """Why intake must pause, or None where it may go on."""
        asked, answer = self._answer
        if time.monotonic() - asked > CACHE_SECONDS:
            answer = self._measure()
            self._answer = (time.monotonic(), answer)
            self._publish(answer)
        return answer

    def _measure(self) -> str | None:
        backlog = int(self._redis.xlen(self._keys.stream))
        if backlog > self._marks.backlog_records:
            return f"{backlog} records wait for the store (pressure.backlog_records = {self._marks.backlog_records})"
        in_flight = self._counters.in_flight()
        if in_flight > self._marks.in_flight_documents:
            limit = self._marks.in_flight_documents
            return f"{in_flight} documents in flight (pressure.in_flight_documents = {limit})"
        return self._memory() or self._disk()

    def _memory(self) -> str | None:
        info: Any = self._redis.info("memory")
        used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
        if limit and used > limit * self._marks.memory_share:
            return f"the server uses {used} of {limit} bytes (pressure.memory_share = {self._marks.memory_share})"
        return None

    def _disk(self) -> str | None:
        try:
            free = shutil.disk_usage(self._data).free
        except FileNotFoundError:
            return None
        if free < self._marks.free_disk_bytes:
            return f"{free} bytes free in {self._data} (pressure.free_disk_bytes = {self._marks.free_disk_bytes})"
        return None

    def _publish(self, reason: str | None) -> None:
        if reason:
            self._redis.hset(self._keys.name("paused"), "pull", reason)
        else:
            self._redis.hdel(self._keys.name("paused"), "pull")
