"""Does the ledger balance, against itself, the storage queue and the sink?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from worker.desk import Desk
from worker.model import LANES
from worker.operate.dead import refused_records
from worker.state.counters import VERDICTS, imbalance
from worker.state.keys import PARSED, STAGES
from worker.state.queue import StorageQueue
from worker.state.remembered import latest_versions
from worker.store.sink import Sink

CHUNK_RECORDS = 1000
MOST_NAMED = 20
"""How many missing records a report names."""


@dataclass(frozen=True, slots=True)
class Report:
    """The audit. `unaccounted` documents and `missing` records must be 0; `problems` says what is wrong in words.

    `remembered` records are those of the memory window (`memory.remember_days`), each looked up in the sink.
    `buried` ones were refused by the store and lie in dead letters.
    """

    received: int
    members: int
    verdicts: dict[str, int]
    in_flight: int
    unaccounted: int
    backlog_entries: int
    remembered: int
    missing: int
    buried: int
    missing_named: list[str]
    sink_records: int
    problems: list[str]

    @property
    def balanced(self) -> bool:
        """True where nothing is wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return asdict(self) | {"balanced": self.balanced}


def reconcile(desk: Desk, sink: Sink) -> Report:
    """Audit everything; cost grows with the records of the memory window (about 100,000 a second)."""
    counters = desk.counters
    totals, in_flight = counters.balance()
    problems = []
    unaccounted = imbalance(totals, in_flight)
    if unaccounted:
        problems.append(f"the counters do not balance: {unaccounted} documents unaccounted for")
    in_batches = _documents_in_batches(desk)
    if in_batches != counters.in_flight():
        again = _documents_in_batches(desk)
        if again != counters.in_flight():
            problems.append(f"{again} documents lie in batches, but {counters.in_flight()} are booked as in flight")
    remembered, missing, buried = _missing(desk, sink)
    if missing:
        problems.append(f"{len(missing)} published records are neither in the sink nor in the storage queue")
    lost = counters.events().get("stream_deleted_unacknowledged", 0)
    if lost:
        problems.append(f"{lost} entries vanished from the storage queue before they were acknowledged")
    return Report(
        received=totals["received"],
        members=totals["members"],
        verdicts={verdict: totals[verdict] for verdict in VERDICTS},
        in_flight=in_flight,
        unaccounted=unaccounted,
        backlog_entries=StorageQueue(desk.redis, desk.keys, desk.settings.store.group).length(),
        remembered=remembered,
        missing=len(missing),
        buried=buried,
        missing_named=[f"{record_id}:{version}" for record_id, version in missing[:MOST_NAMED]],
        sink_records=sink.count(),
        problems=problems,
    )


def _missing(desk: Desk, sink: Sink) -> tuple[int, list[tuple[str, int]], int]:
    """How many records are remembered, which are neither stored nor queued nor refused, and how many are refused."""
    queued = set(_queued(desk))
    remembered, missing = 0, []
    pairs = latest_versions(desk.redis, desk.keys)
    while chunk := list(islice(pairs, CHUNK_RECORDS)):
        remembered += len(chunk)
        missing += [pair for pair in sink.missing(chunk) if pair not in queued]
    # What was published while we looked has reached the sink or the queue by now.
    if missing:
        queued = set(_queued(desk))
        missing = [pair for pair in sink.missing(missing) if pair not in queued]
    refused = refused_records(desk) if missing else set()
    buried = sum(pair in refused for pair in missing)
    return remembered, [pair for pair in missing if pair not in refused], buried


def _documents_in_batches(desk: Desk) -> int:
    total = 0
    for stage in STAGES:
        for lane in LANES:
            ids: Any = desk.redis.zrange(desk.keys.waiting(stage, lane), 0, -1)
            with desk.redis.pipeline(transaction=False) as pipe:
                for batch_id in ids:
                    pipe.hmget(desk.keys.batch(batch_id.decode()), "size", "progress", "stage")
                for size, progress, found in pipe.execute():
                    if size is not None and found.decode() == stage:
                        total += int(size) - (int(progress or 0) if stage == PARSED else 0)
    return total


def _queued(desk: Desk) -> Iterator[tuple[str, int]]:
    """(id, version) of every record in the storage queue."""
    start = "-"
    while True:
        rows: Any = desk.redis.xrange(desk.keys.stream, min=start, count=CHUNK_RECORDS)
        if not rows:
            return
        for _, fields in rows:
            if b"version" in fields:
                yield fields[b"id"].decode(), int(fields[b"version"])
        start = f"({rows[-1][0].decode()}"
