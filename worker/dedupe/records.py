"""Article -> the record that would be published, but for what only the publish step can know."""

from __future__ import annotations

from datetime import datetime

import msgspec

from worker.dedupe.fingerprint import Fingerprint, content_hash, count_words, fingerprint
from worker.dedupe.sketch import SketchInput
from worker.events import CopyFacts
from worker.model import Article, Document, Lane, Record, SeenIn, encode

_RECORD_FIELDS = {field.name for field in msgspec.structs.fields(Record)}
_SHARED = tuple(f.name for f in msgspec.structs.fields(Article) if f.name in _RECORD_FIELDS - {"source_name"})


class Candidate(msgspec.Struct, frozen=True):
    """An article ready for its verdict.

    `record` is the JSON of the record as it is published where the article is new; where it is not, publish.lua writes
    another head (see `new_record_head`). `sighting_tail` is what follows the fields that it writes in front of the
    sighting that is sent instead when the text is a known copy.
    """

    fingerprint: Fingerprint
    source_id: str
    published_at: datetime | None
    to_sketch: SketchInput
    record: bytes
    sighting_tail: bytes
    withdrawn: bool
    origin: str
    member: int | str | None


def make_record(article: Article, document: Document, lane: Lane, processed_at: datetime) -> Record:
    """The record of an article, still without identity and version."""
    facts = {name: getattr(article, name) for name in _SHARED}
    return Record(
        id="",
        source_id=document.source_id,
        source_name=article.source_name or document.source_name,
        received_at=document.received_at,
        processed_at=processed_at,
        word_count=count_words(article.body_text),
        content_hash=content_hash(article),
        raw_ref=raw_reference(document, article),
        lane=lane,
        **facts,
    )


def make_candidate(article: Article, document: Document, lane: Lane, processed_at: datetime) -> Candidate:
    """Fingerprint an article and encode its record for the publish step."""
    digests = fingerprint(document.source_id, article, document.received_at)
    record_id = digests.identities[0].hex()
    record = make_record(article, document, lane, processed_at)
    encoded = encode(msgspec.structs.replace(record, id=record_id, family_id=record_id))
    if not encoded.startswith(new_record_head(record_id)):
        raise ValueError("the fields that publish.lua writes must come first in Record")
    seen = SeenIn(
        source_id=document.source_id,
        url=article.canonical_url or article.url,
        at=document.received_at,
        origin=raw_reference(document, article),
    )
    facts = encode(_copy_facts(article, document, digests))
    return Candidate(
        fingerprint=digests,
        source_id=document.source_id,
        published_at=article.published_at,
        to_sketch=_to_sketch(article, document),
        record=encoded,
        withdrawn=article.withdrawn,
        sighting_tail=b'"seen_in":' + encode(seen) + b',"facts":' + facts + b"}",
        origin=document.origin,
        member=_member(document, article),
    )


def new_record_head(record_id: str) -> bytes:
    """What the JSON of a new record begins with; always as long, for an id has 32 characters.

    Most articles are new. Their text passes the script as it came: Lua hashes every string it makes, byte by byte, and
    one made of another head and the same text costs the server as much again as receiving it.
    """
    decided = {"id": record_id, "version": 1, "event": "create", "supersedes": None, "family_id": record_id}
    decided |= {"relation": None, "similarity": None, "matched_id": None}
    return msgspec.json.encode(decided)[:-1] + b","


def raw_reference(document: Document, article: Article) -> str:
    """Where the original bytes came from: path or URL, with `#member` for a part of it."""
    member = _member(document, article)
    return document.origin if member is None else f"{document.origin}#{member}"


def _copy_facts(article: Article, document: Document, digests: Fingerprint) -> CopyFacts:
    return CopyFacts(
        identities=tuple(identity.hex() for identity in digests.identities),
        text=digests.copy.hex(),
        guid=article.guid,
        headline=article.headline,
        authors=article.authors,
        source_name=article.source_name or document.source_name,
        published_at=article.published_at,
        published_precision=article.published_precision,
        published_source=article.published_source,
    )


def _to_sketch(article: Article, document: Document) -> SketchInput:
    # The notice that takes an article back may repeat its text, and copies nothing.
    body = "" if article.withdrawn else article.body_text
    says_corrected = bool(article.corrections)
    return SketchInput(article.headline or "", body, article.published_at, document.source_id, says_corrected)


def _member(document: Document, article: Article) -> int | str | None:
    return article.member if article.member is not None else document.member
