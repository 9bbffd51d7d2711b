"""The tables of a relational store, and records as their rows. Pure: values in, values out.

Columns carry the names of the record's fields. Lists and structures are JSON text, times are ISO 8601 text in
UTC with microseconds (`2026-01-31T09:00:00.000000Z`), which sorts as it reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Boolean, CheckConstraint, Column, Float, Index, Integer, MetaData, Table, Text, UniqueConstraint

from worker.events import CopyFacts, Sighting
from worker.model import Record, SeenIn

STORE_VERSION = 1
"""Version of these tables; a store written by a later version is not touched.

A column with a default may be added without a new version: stores that lack it get it when they are opened.
"""

JSON_COLUMNS = frozenset(
    {
        "authors",
        "sections",
        "keywords",
        "subjects",
        "places",
        "media",
        "rights",
        "corrections",
        "encoding",
        "extraction",
        "provenance",
        "warnings",
    }
)
TIME_COLUMNS = frozenset({"published_at", "updated_at", "received_at", "processed_at"})

metadata = MetaData()

records = Table(
    "records",
    metadata,
    Column("sequence", Integer, primary_key=True, comment="order of storing; stays when the version is written again"),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("event", Text, nullable=False),
    Column("supersedes", Text),
    Column("family_id", Text),
    Column("relation", Text),
    Column("similarity", Float),
    Column("matched_id", Text),
    Column("schema_version", Integer, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("source_name", Text),
    Column("provider", Text),
    Column("syndicated_from", Text),
    Column("guid", Text),
    Column("url", Text),
    Column("canonical_url", Text),
    Column("headline", Text),
    Column("subheadline", Text),
    Column("abstract", Text),
    Column("body_text", Text, nullable=False),
    Column("body_html", Text),
    Column("authors", Text, nullable=False),
    Column("byline", Text),
    Column("dateline", Text),
    Column("language", Text),
    Column("language_confidence", Float),
    Column("published_at", Text),
    Column("published_precision", Text),
    Column("published_source", Text),
    Column("updated_at", Text),
    Column("received_at", Text, nullable=False),
    Column("processed_at", Text, nullable=False),
    Column("sections", Text, nullable=False),
    Column("keywords", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("places", Text, nullable=False),
    Column("media", Text, nullable=False),
    Column("urgency", Integer),
    Column("rights", Text),
    Column("corrections", Text, nullable=False, server_default="[]"),
    Column("is_accessible_for_free", Boolean),
    Column("is_full_text", Boolean),
    Column("word_count", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("raw_ref", Text),
    Column("media_type", Text),
    Column("encoding", Text),
    Column("extraction", Text),
    Column("provenance", Text, nullable=False),
    Column("warnings", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("stored_at", Text, nullable=False, comment="first commit of this version, by the writer's clock"),
    UniqueConstraint("id", "version"),
    CheckConstraint("id <> ''", name="id_given"),
    CheckConstraint("version > 0", name="version_positive"),
    Index("records_by_url", "url"),
    Index("records_by_canonical_url", "canonical_url"),
    Index("records_by_source", "source_id"),
    Index("records_by_published", "published_at"),
    Index("records_by_content_hash", "content_hash"),
)

seen_in = Table(
    "seen_in",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("place", Text, primary_key=True, comment="url, or origin where there is none: one sighting a place"),
    Column("url", Text),
    Column("origin", Text),
    Column("at", Text, nullable=False),
    Column("facts", Text, comment="what the copy says of itself besides its text, as JSON (worker.events.CopyFacts)"),
    Index("seen_in_by_place", "place"),
)

copies = Table(
    "copies",
    metadata,
    Column("id", Text, primary_key=True, comment="the id the copy would have as a record of its own"),
    Column("head_id", Text, nullable=False, comment="the record it was recognised as a copy of"),
    Column("relation", Text),
    Column("similarity", Float),
    Column("source_id", Text, nullable=False),
    Column("url", Text),
    Column("published_at", Text),
    Column("word_count", Integer, nullable=False),
    Column("record", Text, nullable=False, comment="the copy as JSON, as it would have been published"),
    Index("copies_by_head", "head_id"),
    Index("copies_by_url", "url"),
)
"""Near copies that were not published: nothing is lost by a wrong verdict."""

family_changes = Table(
    "family_changes",
    metadata,
    Column("id", Text, primary_key=True, comment="a record or kept copy"),
    Column("family_id", Text, nullable=False),
    Column("relation", Text),
    Column("entry", Text, nullable=False, comment="the entry of the storage queue that said so, in a form that sorts"),
)
"""The last word on the family of an id, which holds for what was sent before it and comes only now too."""

current_records = records.to_metadata(MetaData(), name="current_records")
"""The view of the highest version of each id, without withdrawn records."""

CURRENT_RECORDS = """\
CREATE VIEW IF NOT EXISTS current_records AS SELECT * FROM records
WHERE event <> 'withdraw' AND NOT EXISTS (
  SELECT 1 FROM records AS newer WHERE newer.id = records.id AND newer.version > records.version)"""

_KEPT = ("sequence", "id", "version", "stored_at")
UPSERTED = tuple(str(column.name) for column in records.columns if column.name not in _KEPT)
"""Columns that a repeated write of the same (id, version) sets again."""

_FIELDS = ("id", "version", *UPSERTED)
_SEEN_FIELDS = ("source_id", "url", "origin", "at")
_encoder = msgspec.json.Encoder()


def record_row(record: Record, stored_at: datetime) -> dict[str, Any]:
    """A record as a row of `records` (without `sequence`, which the store gives)."""
    row: dict[str, Any] = {"stored_at": time_text(stored_at)}
    for name in _FIELDS:
        value = getattr(record, name)
        if value is None:
            row[name] = None
        elif name in JSON_COLUMNS:
            row[name] = _encoder.encode(value).decode()
        elif name in TIME_COLUMNS:
            row[name] = time_text(value)
        else:
            row[name] = value
    return row


def seen_row(record_id: str, seen: SeenIn, facts: CopyFacts | None = None) -> dict[str, Any]:
    """A sighting as a row of `seen_in`."""
    return {
        "id": record_id,
        "source_id": seen.source_id,
        "place": seen.url or seen.origin or "",
        "url": seen.url,
        "origin": seen.origin,
        "at": time_text(seen.at),
        "facts": _encoder.encode(facts).decode() if facts else None,
    }


def sighting_from(row: Mapping[str, Any]) -> Sighting:
    """The sighting of a row of `seen_in`, without the copy."""
    seen = msgspec.convert({name: row[name] for name in _SEEN_FIELDS}, SeenIn)
    facts = msgspec.json.decode(row["facts"], type=CopyFacts) if row["facts"] else None
    return Sighting(id=row["id"], seen_in=seen, facts=facts)


def copy_row(head_id: str, record: Record) -> dict[str, Any]:
    """A near copy of the record `head_id` as a row of `copies`."""
    return {
        "id": record.id,
        "head_id": head_id,
        "relation": record.relation,
        "similarity": record.similarity,
        "source_id": record.source_id,
        "url": record.canonical_url or record.url,
        "published_at": time_text(record.published_at) if record.published_at else None,
        "word_count": record.word_count,
        "record": _encoder.encode(record).decode(),
    }


def record_from(row: Mapping[str, Any], sightings: Iterable[Mapping[str, Any]] = ()) -> Record:
    """The record of a row of `records`, with its rows of `seen_in`."""
    fields = {
        name: msgspec.json.decode(row[name]) if name in JSON_COLUMNS and row[name] is not None else row[name]
        for name in _FIELDS
    }
    fields["seen_in"] = [{name: seen[name] for name in _SEEN_FIELDS} for seen in sightings]
    return msgspec.convert(fields, Record)


def time_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds; a time without a zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
