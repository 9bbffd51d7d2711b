"""Reading the input of `copydesk dedupe`: JSONL of record-like objects, plain or gzip, from a file or a stream."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader

import msgspec

from worker.clean.dates import parse_date
from worker.errors import Failed
from worker.model import Article, Document

GZIP_MAGIC = b"\x1f\x8b"
LINE_BYTES = 50_000_000
"""A longer line is no article."""


class InputRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A line: the fields of a record that recognising copies looks at. Others are ignored; only `id` is needed."""

    id: str
    source_id: str | None = None
    headline: str | None = None
    abstract: str | None = None
    body_text: str | None = None
    published_at: str | None = None
    updated_at: str | None = None
    guid: str | None = None
    url: str | None = None
    canonical_url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no record: its number from 1, and why."""

    number: int
    reason: str


_decoder = msgspec.json.Decoder(InputRecord)


def read_records(stream: BufferedReader) -> Iterator[InputRecord | BadLine]:
    """JSONL, plain or gzip, as it comes; blank lines are left out.

    Raises Failed `unreadable` where the stream cannot be read or ends in the middle of its compression.
    """
    try:
        is_gzip = stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
        lines: BufferedReader | gzip.GzipFile = gzip.GzipFile(fileobj=stream) if is_gzip else stream
        number = 0
        while line := lines.readline(LINE_BYTES):
            number += 1
            if len(line) == LINE_BYTES and not line.endswith(b"\n"):
                yield BadLine(number, f"longer than {LINE_BYTES:,} bytes")
                _skip_line(lines)
            elif line.strip():
                yield _record(number, line)
    except (OSError, EOFError, zlib.error) as error:
        raise Failed("unreadable", str(error)) from error


def article_of(record: InputRecord, received_at: datetime) -> Article:
    """The article of a line, as parsing would have handed it over."""
    published, updated = (parse_date(value, received_at) for value in (record.published_at, record.updated_at))
    return Article(
        headline=record.headline,
        abstract=record.abstract,
        body_text=record.body_text or "",
        published_at=published.at,
        published_precision=published.precision,
        updated_at=updated.at,
        guid=record.guid,
        url=record.url,
        canonical_url=record.canonical_url,
        language=record.language,
    )


def document_of(record: InputRecord, received_at: datetime) -> Document:
    """The document a line stands for: where it came from and when."""
    return Document(source_id=record.source_id or "unknown", origin=record.id, received_at=received_at)


def _skip_line(lines: BufferedReader | gzip.GzipFile) -> None:
    while (rest := lines.readline(LINE_BYTES)) and not rest.endswith(b"\n"):
        pass


def _record(number: int, line: bytes) -> InputRecord | BadLine:
    try:
        record = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return BadLine(number, str(error))
    return record if record.id else BadLine(number, "the id is empty")
