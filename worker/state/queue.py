"""The storage queue: the Stream that carries records to every consumer group.

An entry has the fields `event` (create, update, withdraw, seen or family), `id`, `version`, and `record` (JSON, see
docs/record.schema.json) or, for `seen`, `sighting`, for `family`, `family` (JSON of worker.events). Entries leave the
stream only when every group has acknowledged them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from worker.state.keys import Keys
from worker.state.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry: its id and its fields (`event`, `id`, `version`, `record` or what else it carries) as bytes."""

    entry_id: str
    fields: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class GroupState:
    """How far a consumer group is: `lag` entries not yet read, `pending` entries read and not acknowledged.

    Where the server cannot count the lag (entries were deleted by hand), `lag` is an upper bound above 0.
    """

    name: str
    lag: int
    pending: int
    consumers: int


class StorageQueue:
    """Reads and settles the stream for one consumer group."""

    def __init__(self, redis: Redis, keys: Keys, group: str) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = Scripts(redis)
        self.group = group

    def create_group(self) -> None:
        """Create the group at the beginning of the stream unless it exists."""
        try:
            self._redis.xgroup_create(self._keys.stream, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read_own_pending(self, consumer: str, count: int, after: str = "0") -> list[Entry]:
        """Entries this consumer was given before and has not acknowledged (after its restart), oldest first.

        `after` is the entry id to continue from. An entry without fields was deleted before it was acknowledged.
        """
        return self._read(consumer, count, after, block_ms=0)

    def read_new(self, consumer: str, count: int, block_ms: int) -> list[Entry]:
        """Entries no consumer of the group has seen; waits up to `block_ms` for the first, 0 does not wait."""
        return self._read(consumer, count, ">", block_ms)

    def claim_stale(self, consumer: str, idle_seconds: float, count: int) -> tuple[list[Entry], int]:
        """Entries that another consumer has held for `idle_seconds`, and how many of them were deleted meanwhile.

        The second figure must stay 0: a deleted entry that nobody acknowledged would be a lost record.
        """
        claimed: list[Entry] = []
        deleted, cursor = 0, "0-0"
        while True:
            # One call looks at ten times `count` pending entries: a busy neighbour's may fill all of them.
            answer: Any = self._redis.xautoclaim(
                self._keys.stream, self.group, consumer, int(idle_seconds * 1000), cursor, count=count - len(claimed)
            )
            claimed += _entries(answer[1])
            deleted += len(answer[2])
            cursor = answer[0].decode()
            if cursor == "0-0" or len(claimed) >= count:
                return claimed, deleted

    def acknowledge(self, entries: list[Entry]) -> None:
        """Acknowledge the entries, and delete what every group of the stream has acknowledged."""
        if entries:
            ids = [entry.entry_id for entry in entries]
            self._scripts.run("acknowledge", [self._keys.stream], [self.group, *ids])

    def trim(self) -> None:
        """Delete what every group has acknowledged; consumers that only XACK leave that to others."""
        self._scripts.run("acknowledge", [self._keys.stream], [self.group])

    def length(self) -> int:
        """Entries in the stream: the backlog of the slowest group."""
        return int(self._redis.xlen(self._keys.stream))

    def added(self) -> int:
        """Entries ever added to the stream."""
        try:
            facts: Any = self._redis.xinfo_stream(self._keys.stream)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return 0
        return int(facts["entries-added"])

    def oldest_seconds(self) -> float:
        """Age of the oldest entry in seconds by the server's clock, 0 where the stream is empty."""
        first: Any = self._redis.xrange(self._keys.stream, count=1)
        if not first:
            return 0.0
        seconds, micros = self._redis.time()
        return max(0.0, int(seconds) + int(micros) / 1e6 - int(first[0][0].split(b"-")[0]) / 1000)

    def groups(self) -> list[GroupState]:
        """The state of every group of the stream."""
        try:
            rows: Any = self._redis.xinfo_groups(self._keys.stream)
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return []
        return [
            GroupState(row["name"].decode(), self._lag(row), int(row["pending"]), int(row["consumers"])) for row in rows
        ]

    def _lag(self, row: dict[str, Any]) -> int:
        if row.get("lag") is not None:
            return int(row["lag"])
        newer: Any = self._redis.xrange(self._keys.stream, min=b"(" + row["last-delivered-id"], count=1)
        return max(1, self.length() - int(row["pending"])) if newer else 0

    def _read(self, consumer: str, count: int, start: str, block_ms: int) -> list[Entry]:
        answer: Any = self._redis.xreadgroup(
            self.group, consumer, {self._keys.stream: start}, count=count, block=block_ms or None
        )
        if not answer:
            return []
        streams = answer.values() if isinstance(answer, dict) else [rows for _, rows in answer]
        return [entry for rows in streams for entry in _entries(rows)]


def _entries(rows: Any) -> list[Entry]:
    if rows and isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], (list, tuple)):
        rows = [row for part in rows for row in part]
    return [Entry(row[0].decode(), row[1] or {}) for row in rows if row is not None]
