"""The counters, and the balance they must keep.

    received + members = stored + updated + duplicate + rejected + dead + in flight

`members` are the documents found inside documents: a feed of 20 entries is one received and 19 members.
`near_duplicate` counts again those of them that are near copies, dropped (duplicate) or published (stored).
Each is booked by the script that makes it true, so the equation holds at every instant.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from redis import Redis

from worker.model import LANES, Lane
from worker.state.keys import STAGES, Keys
from worker.state.receipts import today

COUNTERS = ("received", "members", "parsed", "stored", "updated", "duplicate", "rejected", "dead", "near_duplicate")
BYTES = b"bytes|"
"""Fields of the hash `in_flight` that count bytes begin with it."""
VERDICTS = ("stored", "updated", "duplicate", "rejected", "dead")


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits in one stage of one lane: batches, documents, and the age of the oldest in seconds."""

    stage: str
    lane: str
    batches: int
    documents: int
    oldest_seconds: float


class Counters:
    """Reads counters and depths (they are written by the scripts)."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def by_source(self, day: str | None = None) -> dict[str, dict[str, int]]:
        """Documents by source id and counter, since the beginning or booked on one day (YYYY-MM-DD)."""
        key = self._keys.day("counts", day) if day else self._keys.name("counts", "total")
        table: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
        for field, value in self._hash(key).items():
            source, _, counter = field.rpartition("|")
            table[source][counter] = int(value)
        return dict(table)

    def totals(self) -> dict[str, int]:
        """Documents by counter, over all sources since the beginning."""
        return self.balance()[0]

    def balance(self) -> tuple[dict[str, int], int]:
        """Totals by counter, and documents in flight, of one instant: work that goes on is no imbalance."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(self._keys.name("counts", "total"))
            pipe.hgetall(self._keys.name("in_flight"))
            counts, in_flight = pipe.execute()
        totals = dict.fromkeys(COUNTERS, 0)
        for field, value in counts.items():
            counter = field.decode().rpartition("|")[2]
            totals[counter] = totals.get(counter, 0) + int(value)
        return totals, sum(int(value) for field, value in in_flight.items() if not field.startswith(BYTES))

    def in_flight(self) -> int:
        """Documents received and not yet settled."""
        fields = self._hash(self._keys.name("in_flight"))
        return sum(int(value) for field, value in fields.items() if not field.startswith(BYTES.decode()))

    def bytes_in_flight(self, lane: Lane | None = None) -> int:
        """Bytes of documents received and not yet settled, in one lane or in all."""
        fields = self._hash(self._keys.name("in_flight"))
        return sum(int(fields.get(f"{BYTES.decode()}{name}", 0)) for name in LANES if lane in (None, name))

    def of_source(self, source_id: str) -> int:
        """Documents of a source that are in flight."""
        names = ("received", "members", *VERDICTS)
        key, fields = self._keys.name("counts", "total"), [f"{source_id}|{name}" for name in names]
        answer: Any = self._redis.hmget(key, fields)
        taken, members, *settled = (int(value or 0) for value in answer)
        return taken + members - sum(settled)

    def depths(self) -> list[Depth]:
        """Depth and age of every stage and lane, by the server's clock."""
        seconds, micros = self._redis.time()
        now = int(seconds) + int(micros) / 1e6
        documents = self._hash(self._keys.name("in_flight"))
        rows = []
        for stage in STAGES:
            for lane in LANES:
                waiting = self._keys.waiting(stage, lane)
                oldest: Any = self._redis.zrange(waiting, 0, 0, withscores=True)
                age = max(0.0, now - oldest[0][1]) if oldest else 0.0
                batches = int(self._redis.zcard(waiting))
                rows.append(Depth(stage, lane, batches, int(documents.get(f"{stage}|{lane}", 0)), age))
        return rows

    def per_minute(self, minutes: int = 5) -> dict[str, float]:
        """Documents a minute by counter, averaged over the last full `minutes`."""
        sums: dict[str, float] = dict.fromkeys(COUNTERS, 0.0)
        for minutes_ago in range(1, minutes + 1):
            for counter, value in self._hash(self._keys.minute(minutes_ago)).items():
                sums[counter] = sums.get(counter, 0.0) + int(value)
        return {counter: value / minutes for counter, value in sums.items()}

    def events(self) -> dict[str, int]:
        """The ledger's own work: rescued, redelivered, split, ..."""
        return {name: int(value) for name, value in self._hash(self._keys.events).items()}

    def dead_today(self) -> int:
        """Documents buried today."""
        return sum(row["dead"] for row in self.by_source(today()).values())

    def _hash(self, key: str) -> dict[str, str]:
        answer: Any = self._redis.hgetall(key)
        return {field.decode(): value.decode() for field, value in answer.items()}


def imbalance(counts: dict[str, int], in_flight: int) -> int:
    """Documents unaccounted for: 0 where the ledger balances."""
    taken_in = counts["received"] + counts["members"]
    return taken_in - sum(counts[verdict] for verdict in VERDICTS) - in_flight
