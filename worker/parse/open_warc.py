"""Web archives: WARC (ISO 28500) and ARC. A page, feed, text or JSON that a server answered with is a document.

Requests, metadata, revisits, errors, what is no text (pictures, scripts, styles) and files that sites keep for
machines (robots.txt) are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import Any, BinaryIO

import msgspec
from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import ChunkedDataReader
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordloader import ArcWarcRecord

from worker.clean.dates import read_date
from worker.errors import Rejected
from worker.model import Document, Http
from worker.parse.open_compressed import decode_content
from worker.parse.unpacking import PIECE_BYTES, Budget, Part, member_of, part_name

_ANSWERS = ("response", "resource")
_FOUND = range(200, 300)
_NO_CONTENT = 204
_DOCUMENT_TYPES = frozenset(
    (
        "text/html",
        "text/xml",
        "application/xml",
        "text/plain",
        "text/markdown",
        "application/json",
        "text/json",
        "application/x-ndjson",
        "application/jsonl",
    )
)
_FOR_MACHINES = frozenset(
    ("/robots.txt", "/ads.txt", "/app-ads.txt", "/sellers.json", "/security.txt", "/humans.txt", "/llms.txt")
)
"""By their standards: RFC 9309, RFC 9116, the IAB's ads.txt and sellers.json; also all of RFC 8615's /.well-known/."""


def open_warc(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
    """Unpacked WARC or ARC -> the documents among its records; `member` is the address, as is `http.url`."""
    try:
        for record in _QuietIterator(stream, arc2warc=True):
            part = _part(document, record, budget)
            if part is not None:
                yield part
            while record.raw_stream.read(PIECE_BYTES):
                pass
            if part is None:
                _refuse_early_end(record)
    except (Rejected, OSError):
        raise
    except Exception as error:
        # warcio raises whatever it meets: ValueError, KeyError, errors of its own.
        raise Rejected("truncated_container", f"damaged: {_first_line(error)}") from error


class _QuietIterator(ArchiveIterator):  # type: ignore[misc]
    """warcio's iterator; bytes between records raise instead of being printed."""

    def _consume_blanklines(self) -> tuple[bytes | None, int]:
        size = 0
        while line := self.reader.readline():
            if line.strip():
                if size or line.startswith((b"WARC/", b"http")):
                    return line, size
                raise ArchiveLoadFailed("a record is longer than it says")
            size += len(line)
        return None, size


def _part(document: Document, record: ArcWarcRecord, budget: Budget) -> Part | None:
    url = (record.rec_headers.get_header("WARC-Target-URI") or "").strip("<> ")
    if record.rec_type not in _ANSWERS or not url.startswith(("http://", "https://")):
        return None
    headers = record.http_headers
    status = _status(headers) if headers is not None else 200
    declared = (headers or record.rec_headers).get_header("Content-Type")
    media_type, charset = _content_type(declared)
    if status not in _FOUND or status == _NO_CONTENT or not _is_document(media_type) or _is_for_machines(url):
        return None
    member = msgspec.structs.replace(
        member_of(document, url),
        media_type=media_type,
        encoding_declared=charset,
        http=Http(
            url=url,
            status=status,
            answered_at=read_date(record.rec_headers.get_header("WARC-Date")).at,
            robots=_header(headers, "X-Robots-Tag"),
            tdm_reservation=_header(headers, "tdm-reservation"),
            tdm_policy=_header(headers, "tdm-policy"),
        ),
    )
    return Part(msgspec.structs.replace(member, member=part_name(document, url)), _pieces(record, budget))


def _header(headers: Any, name: str) -> str | None:
    value: str | None = headers.get_header(name) if headers is not None else None
    return value


def _pieces(record: ArcWarcRecord, budget: Budget) -> Iterator[bytes]:
    headers = record.http_headers
    stream: Any = record.raw_stream
    coding = ""
    if headers is not None:
        coding = (headers.get_header("Content-Encoding") or "").strip().lower()
        if (headers.get_header("Transfer-Encoding") or "").strip().lower() == "chunked":
            stream = ChunkedDataReader(stream)
    yield from decode_content(stream, coding, budget)
    _refuse_early_end(record)


def _refuse_early_end(record: ArcWarcRecord) -> None:
    missing = getattr(record.raw_stream, "limit", 0)
    if missing > 0:
        raise Rejected("truncated_container", f"a record that ends {missing} bytes early")


def _status(headers: Any) -> int:
    code = headers.get_statuscode() or ""
    return int(code) if code.isdecimal() and len(code) == 3 else 0


def _content_type(declared: str | None) -> tuple[str | None, str | None]:
    """`text/html; charset=utf-8` -> the media type in lower case and the charset."""
    if not declared or not declared.strip():
        return None, None
    message = Message()
    message["Content-Type"] = declared.replace("\r", " ").replace("\n", " ")
    return message.get_content_type(), message.get_content_charset()


def _is_document(media_type: str | None) -> bool:
    return media_type is None or media_type in _DOCUMENT_TYPES or media_type.endswith(("+xml", "+json"))


def _is_for_machines(url: str) -> bool:
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    return path in _FOR_MACHINES or path.startswith("/.well-known/")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
