"""Postings: which remembered articles share a feature with an article, and how entries are filed.

    publish.lua ──append──► fresh ──file──► postings (buckets)
                              └──────┬──────────┘
                                 look up

The step that decides only appends what an article has to be filed under to one string, `fresh`, whatever is
remembered. A lookup reads that string and the buckets of its features; who makes the string long files it, for
everybody. So the server copies bytes, and the searching and rewriting of buckets is the workers' work.

An entry of `fresh`: ticket, the ticket it replaces, the ticket beside which it needs no place (a copy needs only the
features that the text it copies has not), then the features: see `FRESH`. Filing is valid only while nobody else
files (WATCH on the buckets, which nothing else writes); if it is given up, whoever makes the string longer still files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import WatchError

from worker.state.index import EVERYWHERE, FILED_FROM_BYTES, FIRST_POSTINGS, FRESH, POSTINGS_FILL
from worker.state.keys import Generation, Keys
from worker.state.scripts import Scripts

FILED_AT_ONCE_BYTES = 32_768
"""Most bytes filed in one step: some milliseconds of the server's time."""
FIELDS_AT_ONCE = 2_000
"""Most fields of one command."""
_PRINT, _ENTRY = 2, 6
_TICKET = struct.Struct(">I")

Numbers = npt.NDArray[np.uint32]


class Table:
    """The buckets of a linear hash table (Litwin, 1980) that was split so many times."""

    def __init__(self, splits: int) -> None:
        self.splits = splits
        self._low = FIRST_POSTINGS
        while self._low * 2 <= FIRST_POSTINGS + splits:
            self._low *= 2
        self._split = FIRST_POSTINGS + splits - self._low

    def buckets(self, numbers: Numbers) -> Numbers:
        """The bucket of each number."""
        coarse = numbers % np.uint32(self._low)
        return np.where(coarse < self._split, numbers % np.uint32(2 * self._low), coarse)

    def split_next(self) -> tuple[int, int]:
        """Split the next bucket: the one that gives and the new one that takes, see `parted`."""
        given, taken = self._split, self._split + self._low
        self.splits, self._split = self.splits + 1, self._split + 1
        if self._split == self._low:
            self._low, self._split = 2 * self._low, 0
        return given, taken


def numbers_of(prints: bytes) -> Numbers:
    """Features of four bytes -> their numbers: the first two bytes are the lower half, the kept ones the upper."""
    features = np.frombuffer(prints, ">u4").astype(np.uint32)
    return (features >> np.uint32(16)) | (features << np.uint32(16))


def parted(blob: bytes, given: int, taken: int) -> tuple[bytes, bytes]:
    """The entries of a bucket that stay, and those that go to the new one."""
    entries = np.frombuffer(blob, np.uint8).reshape(-1, _ENTRY)
    upper = entries[:, 0].astype(np.uint32) << np.uint32(8) | entries[:, 1]
    numbers = upper * np.uint32(FIRST_POSTINGS) + np.uint32(given % FIRST_POSTINGS)
    goes = (numbers & np.uint32(taken - given)) != 0
    return entries[~goes].tobytes(), entries[goes].tobytes()


def tickets_under(blob: bytes, kept: bytes) -> list[int]:
    """Tickets filed in a bucket under the kept bytes of a feature, oldest first."""
    tickets = []
    at = blob.find(kept)
    while at >= 0:
        if at % _ENTRY == 0:
            tickets.append(_TICKET.unpack_from(blob, at + _PRINT)[0])
            at += _ENTRY - 1
        at = blob.find(kept, at + 1)
    return tickets


def add_ticket(tickets: list[int], ticket: int, replaced: int, beside: int) -> None:
    """File a ticket under a feature, but not where `beside` is filed already.

    It takes the place of `replaced`, or that of the oldest where the feature is everywhere.
    """
    if ticket in tickets or beside in tickets:
        return
    if replaced in tickets:
        tickets.remove(replaced)
    elif len(tickets) >= EVERYWHERE:
        del tickets[0]
    tickets.append(ticket)


def fresh_entries(packed: bytes) -> Iterator[tuple[tuple[int, int, int], bytes, int]]:
    """The whole entries of `fresh`: (ticket, replaced, beside), features, and where the next one begins."""
    at = 0
    while at + FRESH.size <= len(packed):
        ticket, replaced, beside, features = FRESH.unpack_from(packed, at)
        begin, at = at + FRESH.size, at + FRESH.size + 4 * features
        if at > len(packed):
            return
        yield (ticket, replaced, beside), packed[begin:at], at


class Page:
    """What one generation has filed under the features that were asked for."""

    def __init__(self, blobs: Sequence[bytes | None], fresh: bytes) -> None:
        self._blobs = blobs
        self._fresh: dict[bytes, list[tuple[int, int, int]]] = {}
        for entry, features, _ in fresh_entries(fresh):
            for at in range(0, len(features), 4):
                self._fresh.setdefault(features[at : at + 4], []).append(entry)

    def tickets(self, at: int, feature: bytes) -> list[int]:
        """Tickets under feature number `at` of those asked for, none where it is everywhere."""
        blob, kept = self._blobs[at], feature[_PRINT:]
        tickets = tickets_under(blob, kept) if blob and kept in blob else []
        for entry in self._fresh.get(feature, ()):
            add_ticket(tickets, *entry)
        return tickets if len(tickets) < EVERYWHERE else []


class Postings:
    """The postings of all generations on one server."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._splits: dict[Generation, int] = {}

    def look_up(self, places: Sequence[Generation], features: bytes) -> tuple[list[int], list[Page]]:
        """For each generation the tickets given so far, and what it has under the features (4 bytes each).

        All is read at one instant.
        """
        numbers = numbers_of(features)
        while True:
            asked = [Table(self._splits.get(place, 0)).buckets(numbers) for place in places]
            with self._redis.pipeline(transaction=True) as pipe:
                for place, buckets in zip(places, asked, strict=True):
                    self._ask(pipe, place, buckets)
                answer: list[Any] = pipe.execute()
            size = len(answer) // len(places)
            rows = [answer[at : at + size] for at in range(0, len(answer), size)]
            # Splits that others made since are known only now; most touch none of the buckets that were read.
            self._splits = {place: int(row[0][1] or 0) for place, row in zip(places, rows, strict=True)}
            if all(
                np.array_equal(Table(self._splits[place]).buckets(numbers), buckets)
                for place, buckets in zip(places, asked, strict=True)
            ):
                pages = [Page([blob for part in row[2:] for blob in part], row[1] or b"") for row in rows]
                return [int(row[0][0] or 0) for row in rows], pages

    def _ask(self, pipe: Pipeline, generation: Generation, buckets: Numbers) -> None:
        name = self._keys.generation
        pipe.hmget(name("index", generation), ["tickets", "posting_splits"])
        pipe.get(name("fresh", generation))
        _ask_for(pipe, name("postings", generation), buckets.tolist())

    def file(self, generation: Generation, ttl_seconds: int) -> None:
        """File the fresh entries of a generation until few are left, unless somebody else does."""
        key = self._keys.generation("fresh", generation)
        while True:
            try:
                self._file(generation, ttl_seconds)
            except WatchError:  # somebody filed in between, or the connection broke: the entries are still there
                return
            if self._redis.strlen(key) < FILED_FROM_BYTES:
                return

    def _file(self, generation: Generation, ttl_seconds: int) -> None:
        name = self._keys.generation
        key, index = name("postings", generation), name("index", generation)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(key)  # type: ignore[no-untyped-call]  # redis-py has no types here
            state: Any = pipe.hmget(index, ["postings", "posting_splits"])
            fresh: Any = pipe.getrange(name("fresh", generation), 0, FILED_AT_ONCE_BYTES - 1)
            if not fresh:
                return
            filing = Filing(int(state[0] or 0), int(state[1] or 0), fresh)
            for wanted in filing.needs():
                filing.take(wanted, [blob for part in _slices(wanted) for blob in _values(pipe, key, part)])
            changed = filing.changed()
            pipe.multi()
            for part in _slices(list(changed)):
                pipe.hset(key, mapping={str(bucket): changed[bucket] for bucket in part})
            pipe.expire(key, ttl_seconds)
            sizes: dict[Any, Any] = {
                "postings": filing.entries,
                "posting_splits": filing.table.splits,
                "filed": filing.filed,
            }
            pipe.hset(index, mapping=sizes)
            self._scripts.run("filed", [name("fresh", generation)], [filing.filed_bytes], pipe)
            pipe.execute()


class Filing:
    """Fresh entries on their way into the buckets: pure, but for the buckets it `needs` and is to `take`."""

    def __init__(self, entries: int, splits: int, fresh: bytes) -> None:
        self.entries = entries
        self.table = Table(splits)
        self.filed = 0
        """Tickets below this one are filed."""
        self.filed_bytes = 0
        self._fresh: list[tuple[int, int, int]] = []
        self._blobs: dict[int, bytes] = {}
        self._changed: set[int] = set()
        features = []
        for entry, part, end in fresh_entries(fresh):
            self._fresh += [entry] * (len(part) // 4)
            features.append(part)
            self.filed, self.filed_bytes = max(self.filed, entry[0] + 1), end
        self._features = b"".join(features)
        self._buckets: list[int] = self.table.buckets(numbers_of(self._features)).tolist()

    def needs(self) -> Iterator[list[int]]:
        """The buckets to be taken next: first those of the entries, then those to be split."""
        yield list(dict.fromkeys(self._buckets))
        for at, (bucket, entry) in enumerate(zip(self._buckets, self._fresh, strict=True)):
            self._put(bucket, self._features[4 * at + _PRINT : 4 * at + 4], entry)
        splits = []
        while self.entries > (FIRST_POSTINGS + self.table.splits) * POSTINGS_FILL:
            splits.append(self.table.split_next())
        yield [given for given, _ in splits if given not in self._blobs]
        for given, taken in splits:
            self._split(given, taken)

    def take(self, buckets: Sequence[int], blobs: Iterable[bytes | None]) -> None:
        """The buckets that were asked for, as they are on the server."""
        self._blobs.update(zip(buckets, (blob or b"" for blob in blobs), strict=True))

    def changed(self) -> dict[int, bytes]:
        """The buckets to be written."""
        return {bucket: self._blobs[bucket] for bucket in self._changed}

    def _put(self, bucket: int, kept: bytes, entry: tuple[int, int, int]) -> None:
        blob = self._blobs[bucket]
        if kept not in blob:
            self._blobs[bucket] = blob + kept + _TICKET.pack(entry[0])
            self.entries += 1
        else:
            before = tickets_under(blob, kept)
            after = before.copy()
            add_ticket(after, *entry)
            if after == before:
                return
            others = (blob[at : at + _ENTRY] for at in range(0, len(blob), _ENTRY))
            rest = b"".join(other for other in others if not other.startswith(kept))
            self._blobs[bucket] = rest + b"".join(kept + _TICKET.pack(ticket) for ticket in after)
            self.entries += len(after) - len(before)
        self._changed.add(bucket)

    def _split(self, given: int, taken: int) -> None:
        stay, go = parted(self._blobs[given], given, taken)
        if go:
            self._blobs[given], self._blobs[taken] = stay, go
            self._changed |= {given, taken}
        else:
            self._blobs[taken] = b""


def _slices(fields: Sequence[int]) -> Iterator[Sequence[int]]:
    return (fields[at : at + FIELDS_AT_ONCE] for at in range(0, len(fields), FIELDS_AT_ONCE))


def _ask_for(pipe: Pipeline, key: str, fields: Sequence[int]) -> None:
    for part in _slices(fields):
        pipe.hmget(key, [str(field) for field in part])


def _values(pipe: Pipeline, key: str, fields: Sequence[int]) -> list[bytes | None]:
    values: Any = pipe.hmget(key, [str(field) for field in fields])
    return list(values)
