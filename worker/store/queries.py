"""Reading from the tables of a relational store: a connection and what to look for in, records out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Exists, Select, func, or_, select

from worker.events import Sighting
from worker.model import Record, decode_record
from worker.store.sink import StoredRecord
from worker.store.tables import copies, current_records, record_from, records, seen_in, sighting_from

KEYS_PER_QUERY = 500
"""Bound on the parameters of one statement: SQLite before 3.32 takes 999."""
_Key = TypeVar("_Key")
_LAST_CHARACTER = "\U0010ffff"


def count(connection: Connection) -> int:
    """Stored (id, version) pairs."""
    return connection.execute(select(func.count()).select_from(records)).scalar_one()


def last_position(connection: Connection) -> int:
    """The highest `sequence`, 0 in an empty store."""
    return connection.execute(select(func.max(records.c.sequence))).scalar_one() or 0


def missing(connection: Connection, pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those of the pairs that are not stored, in the order given."""
    absent = []
    for chunk in chunks(pairs):
        query = select(records.c.id, records.c.version).where(records.c.id.in_({pair[0] for pair in chunk}))
        stored = {(row.id, row.version) for row in connection.execute(query)}
        absent += [pair for pair in chunk if tuple(pair) not in stored]
    return absent


def newest(connection: Connection, limit: int) -> list[Record]:
    """The current records stored last, newest first."""
    query = select(current_records).order_by(current_records.c.sequence.desc()).limit(limit)
    return [stored.record for stored in _records(connection, query)]


def after(connection: Connection, position: int, limit: int) -> list[StoredRecord]:
    """Versions stored after `position`, in the order of storing."""
    query = select(records).where(records.c.sequence > position).order_by(records.c.sequence).limit(limit)
    return _records(connection, query)


def versions(connection: Connection, record_id: str) -> list[Record]:
    """Every version of an id, oldest first."""
    query = select(records).where(records.c.id == record_id).order_by(records.c.version)
    return [stored.record for stored in _records(connection, query)]


def find(connection: Connection, text: str, limit: int) -> list[Record]:
    """The highest version of each record that `text` names: id, beginning of an id, URL or canonical URL."""
    if not text:
        return []
    names_it = or_(
        records.c.id.between(text, text + _LAST_CHARACTER), records.c.url == text, records.c.canonical_url == text
    )
    named = select(records.c.id).where(names_it).distinct().order_by(records.c.id).limit(limit)
    return _highest(connection, named)


def seen_at(connection: Connection, url: str, limit: int) -> list[Record]:
    """The highest version of each record a copy of which was seen at a URL."""
    seen = select(seen_in.c.id).where(seen_in.c.place == url).distinct().order_by(seen_in.c.id).limit(limit)
    return _highest(connection, seen)


def find_copies(connection: Connection, text: str, limit: int) -> list[Record]:
    """Kept near copies that `text` names: id, beginning of an id, or URL."""
    if not text:
        return []
    names_it = or_(copies.c.id.between(text, text + _LAST_CHARACTER), copies.c.url == text)
    rows = connection.execute(select(copies.c.record).where(names_it).order_by(copies.c.id).limit(limit)).scalars()
    return [decode_record(row) for row in rows]


def kept_copies(connection: Connection, record_id: str, limit: int) -> list[Record]:
    """Near copies kept beside a record, earliest received first; or the one copy of that id."""
    query = select(copies.c.record).where(or_(copies.c.head_id == record_id, copies.c.id == record_id))
    received = func.json_extract(copies.c.record, "$.received_at")
    rows = connection.execute(query.order_by(received, copies.c.id).limit(limit)).scalars()
    return [decode_record(row) for row in rows]


def sightings(connection: Connection, record_id: str, limit: int) -> list[Sighting]:
    """Where copies of a record were seen, earliest first."""
    query = select(seen_in).where(seen_in.c.id == record_id).order_by(seen_in.c.at, seen_in.c.place).limit(limit)
    return [sighting_from(dict(row)) for row in connection.execute(query).mappings()]


def withdrawn(connection: Connection, ids: Iterable[str]) -> list[str]:
    """Those of the ids whose highest version is a withdrawal."""
    found: list[str] = []
    for chunk in chunks(ids):
        query = select(records.c.id).where(records.c.id.in_(chunk), records.c.event == "withdraw", ~_superseded())
        found += connection.execute(query).scalars()
    return found


def chunks(values: Iterable[_Key]) -> Iterator[list[_Key]]:
    """The values in lists of at most KEYS_PER_QUERY."""
    iterator = iter(values)
    while chunk := list(islice(iterator, KEYS_PER_QUERY)):
        yield chunk


def _highest(connection: Connection, ids: Select[Any]) -> list[Record]:
    query = select(records).where(records.c.id.in_(ids), ~_superseded()).order_by(records.c.id)
    return [stored.record for stored in _records(connection, query)]


def _superseded() -> Exists:
    newer = records.alias()
    return select(newer.c.id).where(newer.c.id == records.c.id, newer.c.version > records.c.version).exists()


def _records(connection: Connection, query: Select[Any]) -> list[StoredRecord]:
    rows = connection.execute(query).mappings().all()
    sightings = _sightings(connection, sorted({row["id"] for row in rows}))
    return [StoredRecord(row["sequence"], record_from(dict(row), sightings[row["id"]])) for row in rows]


def _sightings(connection: Connection, ids: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for first in range(0, len(ids), KEYS_PER_QUERY):
        query = select(seen_in).where(seen_in.c.id.in_(ids[first : first + KEYS_PER_QUERY]))
        for row in connection.execute(query.order_by(seen_in.c.at, seen_in.c.place)).mappings():
            found[row["id"]].append(dict(row))
    return found
