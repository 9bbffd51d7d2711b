"""The values and their JSON form."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker import model
from worker.dedupe.records import make_candidate
from worker.errors import FAILURE_CODES, REJECTION_CODES, Failed, Rejected
from worker.model import (
    Article,
    Author,
    Correction,
    Document,
    Encoding,
    Extraction,
    Media,
    Record,
    Rights,
    SeenIn,
    Subject,
    decode_record,
    encode,
)

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
PUBLISH = Path(__file__).parent.parent / "worker" / "state" / "publish.lua"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | texts
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds it
units = st.floats(0, 1)
author_types = st.sampled_from(["person", "organization"])


def tuples(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=3).map(tuple)


SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "version": st.integers(1, 10**6),
    "event": st.sampled_from(["create", "update", "withdraw"]),
    "relation": st.none() | st.sampled_from(["exact", "syndicated", "revised", "excerpt", "rewrite"]),
    "similarity": st.none() | units,
    "schema_version": st.integers(1, 9),
    "language_confidence": st.none() | units,
    "published_precision": st.none() | st.sampled_from(["second", "minute", "day"]),
    "lane": st.sampled_from(["news", "backfill"]),
    "authors": tuples(st.builds(Author, name=texts, type=author_types, role=maybe, url=maybe)),
    "subjects": tuples(st.builds(Subject, name=texts, scheme=maybe, code=maybe)),
    "media": tuples(st.builds(Media, url=texts, type=maybe, caption=maybe, credit=maybe)),
    "corrections": tuples(st.builds(Correction, text=texts, at=st.none() | times)),
    "rights": st.none() | st.builds(Rights, holder=maybe, notice=maybe, ai_training=st.none() | st.booleans()),
    "seen_in": tuples(st.builds(SeenIn, source_id=texts, url=maybe, at=times, origin=maybe)),
    "encoding": st.none() | st.builds(Encoding, declared=maybe, detected=maybe, used=maybe),
    "extraction": st.none() | st.builds(Extraction, parser=texts, version=texts, quality=st.none() | units),
    "provenance": st.dictionaries(texts, texts, max_size=3),
    "urgency": st.none() | st.integers(1, 9),
    "word_count": st.integers(0, 10**6),
    "is_accessible_for_free": st.none() | st.booleans(),
    "is_full_text": st.none() | st.booleans(),
}


def strategy_of(field: msgspec.structs.FieldInfo) -> st.SearchStrategy[Any]:
    """Values for a field: by its name where it is special, else by its type."""
    by_type: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        str | None: maybe,
        datetime: times,
        datetime | None: st.none() | times,
        tuple[str, ...]: tuples(texts),
    }
    return SPECIAL[field.name] if field.name in SPECIAL else by_type[field.type]


records = st.builds(Record, **{field.name: strategy_of(field) for field in msgspec.structs.fields(Record)})


@given(records)
def test_a_record_comes_back_from_its_json_as_it_was(record: Record) -> None:
    assert decode_record(encode(record)) == record
    assert decode_record(encode(record).decode()) == record


@given(records)
def test_fields_of_a_later_version_are_ignored(record: Record) -> None:
    later = msgspec.json.decode(encode(record)) | {"mood": "bright", "weights": [1, {"a": None}]}
    assert decode_record(msgspec.json.encode(later)) == record


@pytest.mark.parametrize("data", [b"{}", b"[]", b'{"id": 7}', b'"x"'])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_record(data)


def test_what_the_publish_step_decides_comes_first_and_in_its_order() -> None:
    names = [field.name for field in msgspec.structs.fields(Record)]
    written = re.findall(
        r'"(\w+)":', PUBLISH.read_text("utf-8").partition("local function record_head")[2].partition("\nend")[0]
    )
    assert names[: len(written)] == written
    assert written[:5] == ["id", "version", "event", "supersedes", "family_id"]


def test_a_candidate_is_the_record_of_a_new_article() -> None:
    document = Document(source_id="a", origin="/in/a", received_at=NOW, content=b"x")
    candidate = make_candidate(Article(headline="Bridge", body_text="Open."), document, "news", NOW)
    record = decode_record(candidate.record)
    assert record.id == record.family_id == candidate.fingerprint.identities[0].hex()
    assert (record.version, record.event, record.headline) == (1, "create", "Bridge")
    assert (record.raw_ref, record.received_at, record.lane) == ("/in/a", NOW, "news")


def test_empty_content_is_not_taken_for_none() -> None:
    document = Document(source_id="a", origin="/in/a", received_at=NOW, content=b"")
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=Document)
    assert again.content == b""


def test_values_are_frozen() -> None:
    structs = [kind for kind in vars(model).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    own = [kind for kind in structs if kind is not msgspec.Struct]
    assert len(own) > 10
    assert all(kind.__struct_config__.frozen for kind in own)


def test_only_registered_codes_can_be_raised() -> None:
    assert not set(REJECTION_CODES) & set(FAILURE_CODES)
    assert Rejected("too_large").detail == REJECTION_CODES["too_large"]
    assert Failed("poison", "why").detail == "why"
    with pytest.raises(ValueError, match="not a registered code"):
        Rejected("poison")
    with pytest.raises(ValueError, match="not a registered code"):
        Failed("too_large")
