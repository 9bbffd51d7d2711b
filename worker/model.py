"""The frozen values that travel through copydesk, and their JSON form.

    Source ──► Document ──► Batch ──► Article ──► Record
               (bytes)      (unit of   (what the   (published: identity,
                             work)      parser      version, family)
                                        found)

Values never change; `msgspec.structs.replace` makes the next one. All times are UTC datetimes. What an article is made
of refers to nothing that refers back, so the garbage collector need not look at it (`gc=False`): with the
20,000 articles of a large feed that is a quarter of the time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

SCHEMA_VERSION = 1
"""Version of the record's JSON form; a change that breaks a reader raises it."""

Lane = Literal["news", "backfill"]
Event = Literal["create", "update", "withdraw"]
Relation = Literal["exact", "syndicated", "revised", "excerpt", "rewrite"]
Precision = Literal["second", "minute", "day"]
DedupePolicy = Literal["drop", "tag", "link"]
DedupeThreshold = Literal["strict", "balanced", "loose"]
LANES: tuple[Lane, ...] = ("news", "backfill")
UntrustedId = Literal["guid", "link"]
Archives = Literal["never", "linked", "paged"]
FullText = Literal["never", "auto", "always"]
AuthorType = Literal["person", "organization"]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where documents come from, and how they are to be treated.

    `kind` is `feed` (`url` is http(s) or a local path), `directory` (`path`) or `push`
    (documents handed over by `copydesk ingest`). `claim` makes a directory an inbox: files are moved
    to `done/` or `failed/`; without it files are read in place and remembered by size and time.
    `dedupe_policy` and `dedupe_threshold` replace the deployment's for near copies that this source brings.

    `timezone` (an IANA name) is that of dates which name none. `fields` maps fields of a record to paths in the
    source's JSON objects or to columns of its tables (worker/parse/field_map.py).

    `tags` are the user's own, for people and OPML; the folders of an imported file are tags. `archives` says how a feed
    is followed back where entries may have been missed: by its own links (RFC 5005), or also by numbered pages.
    `full_text` replaces the deployment's `feeds.full_text`: whether the pages of articles are fetched.

    A feed may ask hosts with private addresses only where `allowed_hosts` names them. `headers`, `auth`
    ("user:password") and `proxy` (an http(s) URL) may name environment variables as `${NAME}`; they are secrets, and
    never shown.
    """

    id: str
    kind: Literal["feed", "directory", "push"]
    name: str | None = None
    url: str | None = None
    path: str | None = None
    claim: bool = False
    lane: Lane = "news"
    language: str | None = None
    interval_seconds: float | None = None
    enabled: bool = True
    dedupe_policy: DedupePolicy | None = None
    dedupe_threshold: DedupeThreshold | None = None
    timezone: str | None = None
    fields: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    archives: Archives = "linked"
    full_text: FullText | None = None
    allowed_hosts: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    auth: str | None = None
    proxy: str | None = None

    def __repr__(self) -> str:
        """Names it, and shows nothing that could hold a secret (a URL may have a password)."""
        return f"Source(id={self.id!r}, kind={self.kind!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The same for rich, which shows the variables of a traceback with it."""
        return [("id", self.id), ("kind", self.kind)]


class Http(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the HTTP exchange said about a document, and when; `robots` is its X-Robots-Tag header."""

    url: str
    status: int
    answered_at: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    robots: str | None = None
    tdm_reservation: str | None = None
    tdm_policy: str | None = None


class Burial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An earlier dead letter of a document that was replayed: when, where and why, and by which version of copydesk."""

    letter_id: str
    at: datetime
    stage: str
    code: str
    software_version: str = ""


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as a feed of its own, and the address of the feed it was taken from."""

    content: bytes
    url: str


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bytes as received, with where and when.

    Exactly one of `content` (the bytes) and `content_ref` (a spool reference, for large ones) is set. `origin` is the
    path or URL; `member` names a part of it (line of a JSONL file, path in an archive), `only_member` the one part of
    the bytes that is wanted (a replayed letter). `timezone` and `fields` are those of its source. `refused` is set
    where a container lost something: it is all that parsing this document gives. `untrusted_ids` are names that the
    feed gives to several entries. `entry` is the entry of a feed that led to this page; `warnings` are for every
    article found here.
    """

    source_id: str
    origin: str
    received_at: datetime
    content: bytes | None = None
    content_ref: str | None = None
    size_bytes: int = 0
    member: int | str | None = None
    only_member: int | str | None = None
    media_type: str | None = None
    encoding_declared: str | None = None
    source_name: str | None = None
    language: str | None = None
    timezone: str | None = None
    fields: dict[str, str] = {}
    http: Http | None = None
    untrusted_ids: tuple[UntrustedId, ...] = ()
    entry: FeedEntry | None = None
    warnings: tuple[str, ...] = ()
    replayed_from: str | None = None
    history: tuple[Burial, ...] = ()
    refused: Refusal | None = None

    @property
    def part(self) -> int | str | None:
        """What of `origin` this document stands for; None for all of it."""
        return self.member if self.only_member is None else self.only_member


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Documents of one source and lane that travel together: the unit of work a bell names.

    `day` (YYYY-MM-DD, UTC) is the day of the counters these documents are booked on.
    """

    id: str
    source_id: str
    lane: Lane
    day: str
    documents: tuple[Document, ...]


class Author(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An author: a person; an organisation only where a page or a mail itself declares it as the author.

    `type` is schema.org's (https://schema.org/author), and stands in the JSON form only where it is `organization`.
    """

    name: str
    type: AuthorType = "person"
    role: str | None = None
    url: str | None = None


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A subject term; `scheme` names the vocabulary (IPTC Media Topics, a publisher's own)."""

    name: str
    scheme: str | None = None
    code: str | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A picture, video or audio file of the article."""

    url: str
    type: str | None = None
    caption: str | None = None
    credit: str | None = None


class Rights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who owns the text and what may be done with it; `ai_training` is None where nothing is said."""

    holder: str | None = None
    notice: str | None = None
    usage_terms: str | None = None
    ai_training: bool | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was corrected in the text, as its publisher says, and when (schema.org's CorrectionComment)."""

    text: str
    at: datetime | None = None


class Encoding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Character encodings: what was declared, what detection says, what was used."""

    declared: str | None = None
    detected: str | None = None
    used: str | None = None


class Extraction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which parser made the record, and how sure it is (`quality` 0 to 1, None where not judged)."""

    parser: str
    version: str
    method: str | None = None
    quality: float | None = None


class SeenIn(msgspec.Struct, frozen=True, kw_only=True):
    """One more place where a record's text was seen."""

    source_id: str
    url: str | None
    at: datetime
    origin: str | None = None


class Article(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What parsing found in a document. `provenance` says for each field where it was read.

    `identity_url` and `identity_guid` say whether `url` and `guid` may identify the article:
    a link shared by several entries of a feed names none of them. `withdrawn` is a kill notice: the
    article's record is published as event `withdraw`.
    """

    headline: str | None = None
    subheadline: str | None = None
    abstract: str | None = None
    body_text: str = ""
    body_html: str | None = None
    authors: tuple[Author, ...] = ()
    byline: str | None = None
    dateline: str | None = None
    provider: str | None = None
    syndicated_from: str | None = None
    source_name: str | None = None
    guid: str | None = None
    url: str | None = None
    canonical_url: str | None = None
    identity_guid: bool = True
    identity_url: bool = True
    withdrawn: bool = False
    language: str | None = None
    language_confidence: float | None = None
    published_at: datetime | None = None
    published_precision: Precision | None = None
    published_source: str | None = None
    updated_at: datetime | None = None
    sections: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    places: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    urgency: int | None = None
    rights: Rights | None = None
    corrections: tuple[Correction, ...] = ()
    is_accessible_for_free: bool | None = None
    is_full_text: bool | None = None
    media_type: str | None = None
    encoding: Encoding | None = None
    extraction: Extraction | None = None
    provenance: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    feed: dict[str, str] | None = None
    member: int | str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A document, or one member of it, that gives no article: `verdict` rejected or dead, and why.

    `article` holds the facts that were read all the same (a feed entry of a link and a date); it is
    shown by `copydesk parse` and stored nowhere.
    """

    verdict: Literal["rejected", "dead"]
    code: str
    detail: str
    traceback: str | None = None
    member: int | str | None = None
    feed: dict[str, str] | None = None
    article: Article | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A published article: what the storage queue carries and consumers store.

    `id` is stable across versions; (`id`, `version`) is the key to upsert by. `supersedes` is
    `"<id>:<version>"` of the version it replaces. `family_id` is the id of the family's head.
    """

    id: str
    version: int = 1
    event: Event = "create"
    supersedes: str | None = None
    family_id: str | None = None
    relation: Relation | None = None
    similarity: float | None = None
    matched_id: str | None = None
    schema_version: int = SCHEMA_VERSION
    source_id: str
    source_name: str | None = None
    provider: str | None = None
    syndicated_from: str | None = None
    guid: str | None = None
    url: str | None = None
    canonical_url: str | None = None
    headline: str | None = None
    subheadline: str | None = None
    abstract: str | None = None
    body_text: str = ""
    body_html: str | None = None
    authors: tuple[Author, ...] = ()
    byline: str | None = None
    dateline: str | None = None
    language: str | None = None
    language_confidence: float | None = None
    published_at: datetime | None = None
    published_precision: Precision | None = None
    published_source: str | None = None
    updated_at: datetime | None = None
    received_at: datetime
    processed_at: datetime
    sections: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    places: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    urgency: int | None = None
    rights: Rights | None = None
    corrections: tuple[Correction, ...] = ()
    is_accessible_for_free: bool | None = None
    is_full_text: bool | None = None
    word_count: int = 0
    content_hash: str
    seen_in: tuple[SeenIn, ...] = ()
    raw_ref: str | None = None
    media_type: str | None = None
    encoding: Encoding | None = None
    extraction: Extraction | None = None
    provenance: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    lane: Lane = "news"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was refused or buried, with its original bytes and the reason."""

    id: str
    verdict: Literal["rejected", "dead"]
    stage: str
    code: str
    detail: str
    source_id: str
    lane: Lane
    day: str
    at: datetime
    document: Document
    traceback: str | None = None
    software_version: str = ""
    deliveries: int = 0


def encode(value: msgspec.Struct) -> bytes:
    """Any value of this module -> JSON bytes (UTF-8)."""
    return msgspec.json.encode(value)


def decode_record(data: bytes | str) -> Record:
    """JSON of the storage queue -> Record; unknown fields are ignored. Raises msgspec.ValidationError for no record."""
    return msgspec.json.decode(data, type=Record)
