"""Records and stream entries for the tests of queue and store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from worker.events import Sighting
from worker.model import Record, SeenIn, encode
from worker.state.keys import Keys
from worker.state.queue import Entry

KEYS = Keys()
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def record(record_id: str = "r1", **fields: Any) -> Record:
    """A small valid record."""
    defaults: dict[str, Any] = {
        "source_id": "gazette",
        "headline": "Bridge reopens",
        "body_text": "The bridge over the Eln reopens on Monday.\n\nTolls stay as they were.",
        "received_at": NOON,
        "processed_at": NOON,
        "content_hash": "c0ffee",
        "url": f"https://gazette.example/{record_id}",
    }
    return Record(id=record_id, **{**defaults, **fields})


def sighting(record_id: str = "r1", source_id: str = "courier", url: str | None = None) -> Sighting:
    """A copy of a record seen in another source."""
    return Sighting(id=record_id, seen_in=SeenIn(source_id=source_id, url=url, at=NOON, origin="inbox/copy.txt"))


def fields_of(value: Record | Sighting) -> dict[str, Any]:
    """The fields of a stream entry, as the publish script writes them."""
    if isinstance(value, Sighting):
        return {"event": "seen", "id": value.id, "sighting": encode(value)}
    return {"event": value.event, "id": value.id, "version": value.version, "record": encode(value)}


def entry(value: Record | Sighting | Mapping[str, Any], entry_id: str = "1-1") -> Entry:
    """An entry as the queue hands it over."""
    fields = value if isinstance(value, Mapping) else fields_of(value)
    raw = {name: data if isinstance(data, bytes) else str(data).encode() for name, data in fields.items()}
    return Entry(entry_id, {name.encode(): data for name, data in raw.items()})


def publish(redis: Redis, *values: Record | Sighting | Mapping[str, Any]) -> list[str]:
    """Append the values to the storage queue; the entry ids."""
    added = []
    for value in values:
        fields: dict[Any, Any] = dict(value) if isinstance(value, Mapping) else fields_of(value)
        entry_id: Any = redis.xadd(KEYS.stream, fields)
        added.append(entry_id.decode())
    return added
