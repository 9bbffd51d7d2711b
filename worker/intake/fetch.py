"""One feed's bytes, by HTTP or from a local file, with everything bounded: time, size, expansion, redirects."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import httpx
import msgspec

from worker.config import Settings
from worker.errors import Failed, FetchError
from worker.intake.connection import Deadline, DeadlineTransport
from worker.intake.files import keep_inline_or_spool, read_file, signature
from worker.model import Document, Http, Source
from worker.state.spool import Spool

MOST_REDIRECTS = 5
CHUNK_BYTES = 65_536
VALIDATORS = ("url", "etag", "last_modified", "signature")
"""Fields of the poll state that let a source say "not modified"; `url` is the one they belong to."""
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_ACCEPT = "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, */*;q=0.8"


class Gate(Protocol):
    """What has a say before every request, redirects included: the place for politeness and address rules."""

    def admit(self, url: str) -> None:
        """Return when the request may go out; raises FetchError("refused") where it must not."""


class OpenGate:
    """Lets every request pass."""

    def admit(self, url: str) -> None:
        """Always returns."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch brought: `document` is None where the source is not modified.

    `validators` are the fields to remember (empty where there is none of that kind), `bytes` counts what
    came over the wire, `status` is None for a local file.
    """

    document: Document | None
    validators: dict[str, str]
    status: int | None = None
    bytes: int = 0


def fetch_feed(
    source: Source,
    validators: Mapping[str, str],
    settings: Settings,
    spool: Spool,
    now: datetime,
    gate: Gate | None = None,
) -> Fetched:
    """Fetch a feed unless it is the one the validators name; raises FetchError.

    `source.url` is http(s), file:// or a local path. Codes: http_status (an answer that is no feed, or more
    than five redirects), timeout (feeds.timeout_seconds for all of it), network, too_large
    (feeds.document_bytes, as sent or expanded), refused (a scheme or address that may not be asked), unreadable
    (a local file).
    """
    url = source.url or ""
    try:
        parts = urlsplit(url if "://" in url else "")
        if validators.get("url") != without_credentials(url):
            validators = {}
    except ValueError as error:
        raise FetchError("refused", f"not a URL: {error}") from error
    if parts.scheme in ("", "file"):
        path = Path(unquote(parts.path) if parts.scheme else url)
        return _from_file(path, source, validators, settings, spool, now)
    return _from_http(source, validators, settings, spool, now, gate or OpenGate())


def without_credentials(url: str) -> str:
    """The URL without user and password: what may be written down."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else url


def _from_file(
    path: Path, source: Source, validators: Mapping[str, str], settings: Settings, spool: Spool, now: datetime
) -> Fetched:
    try:
        mark = signature(path)
        fields = _fields(source, signature=mark)
        if validators.get("signature") == mark:
            return Fetched(document=None, validators=fields)
        document = read_file(path, source, settings, spool, now)
    except Failed as error:
        raise FetchError(error.code, error.detail) from error
    return Fetched(document=document, validators=fields, bytes=document.size_bytes)


def _from_http(
    source: Source, validators: Mapping[str, str], settings: Settings, spool: Spool, now: datetime, gate: Gate
) -> Fetched:
    deadline = Deadline(settings.feeds.timeout_seconds)
    try:
        with httpx.Client(
            transport=DeadlineTransport(deadline), timeout=settings.feeds.timeout_seconds, follow_redirects=False
        ) as client:
            return _follow(client, source, validators, settings, spool, now, gate)
    except httpx.TimeoutException as error:
        raise FetchError("timeout", f"no whole answer within {settings.feeds.timeout_seconds:g} s") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise FetchError("refused", str(error)) from error
    except httpx.HTTPError as error:
        raise FetchError("network", str(error) or type(error).__name__) from error


def _follow(
    client: httpx.Client,
    source: Source,
    validators: Mapping[str, str],
    settings: Settings,
    spool: Spool,
    now: datetime,
    gate: Gate,
) -> Fetched:
    url = httpx.URL(source.url or "")
    headers = _request_headers(validators, settings)
    for _ in range(MOST_REDIRECTS + 1):
        _admit(url, gate)
        with client.stream("GET", url, headers=headers) as response:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                url = url.join(response.headers["location"])
                continue
            return _answer(response, source, validators, settings, spool, now)
    raise FetchError("http_status", f"more than {MOST_REDIRECTS} redirects", response.status_code)


def _admit(url: httpx.URL, gate: Gate) -> None:
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchError("refused", f"not an http(s) URL: {without_credentials(str(url))}")
    gate.admit(str(url))


def _request_headers(validators: Mapping[str, str], settings: Settings) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"User-Agent", settings.feeds.user_agent.encode()),
        (b"Accept", _ACCEPT.encode()),
        (b"Accept-Encoding", b"gzip"),
    ]
    for field, name in (("etag", b"If-None-Match"), ("last_modified", b"If-Modified-Since")):
        if value := validators.get(field):
            # Latin-1 maps every byte to one character and back: what the server sent is what it gets.
            headers.append((name, value.encode("latin-1")))
    return headers


def _answer(
    response: httpx.Response,
    source: Source,
    validators: Mapping[str, str],
    settings: Settings,
    spool: Spool,
    now: datetime,
) -> Fetched:
    etag, last_modified = _header(response, b"etag"), _header(response, b"last-modified")
    asked = bool(validators.get("etag") or validators.get("last_modified"))
    if response.status_code == httpx.codes.NOT_MODIFIED and asked:
        kept = {name: validators.get(name, "") for name in ("etag", "last_modified")}
        fresh = {name: value for name, value in (("etag", etag), ("last_modified", last_modified)) if value}
        return Fetched(document=None, validators=_fields(source, **kept | fresh), status=304)
    if response.status_code != httpx.codes.OK:
        status = response.status_code
        raise FetchError("http_status", f"HTTP {status} {response.reason_phrase}".strip(), status)
    content = read_body(response, settings.feeds.document_bytes)
    kind = response.headers.get("content-type", "")
    document = Document(
        source_id=source.id,
        origin=without_credentials(source.url or ""),
        received_at=now,
        content=content,
        media_type=kind.partition(";")[0].strip().lower() or None,
        encoding_declared=response.charset_encoding,
        source_name=source.name,
        language=source.language,
        timezone=source.timezone,
        fields=source.fields,
        http=Http(
            url=without_credentials(str(response.url)),
            status=response.status_code,
            etag=etag or None,
            last_modified=last_modified or None,
        ),
    )
    return Fetched(
        document=keep_inline_or_spool(document, settings, spool),
        validators=_fields(source, etag=etag, last_modified=last_modified),
        status=response.status_code,
        bytes=response.num_bytes_downloaded,
    )


def _fields(source: Source, **known: str) -> dict[str, str]:
    return dict.fromkeys(VALIDATORS, "") | known | {"url": without_credentials(source.url or "")}


def _header(response: httpx.Response, name: bytes) -> str:
    """A header's exact bytes as Latin-1 text; empty where it is missing."""
    return next((value.decode("latin-1") for key, value in response.headers.raw if key.lower() == name), "")


def read_body(response: httpx.Response, most_bytes: int) -> bytes:
    """The body, expanded; raises FetchError("too_large") before more than `most_bytes` are held."""
    if response.headers.get("content-length", "").isdecimal() and int(response.headers["content-length"]) > most_bytes:
        raise FetchError("too_large", f"announces {response.headers['content-length']} bytes, {most_bytes} are allowed")
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise FetchError("network", f"answers in the encoding {coding!r}, which was not asked for")
    chunks = _counted(response.iter_raw(CHUNK_BYTES), most_bytes)
    if coding in ("gzip", "x-gzip"):
        chunks = gunzip(chunks, most_bytes)
    return b"".join(chunks)


def gunzip(chunks: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    """Expand gzip as it comes, never more than `most_bytes` in all; raises FetchError("too_large", "network")."""
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    total, started = 0, False
    for chunk in chunks:
        rest = chunk
        while rest:
            if inflater.eof:
                if not rest.startswith(b"\x1f"):
                    return  # padding behind the last member
                inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            try:
                expanded = inflater.decompress(rest, most_bytes - total + 1)
            except zlib.error as error:
                raise FetchError("network", f"broken gzip: {error}") from error
            started = True
            total += len(expanded)
            if total > most_bytes:
                raise FetchError("too_large", f"expands to more than {most_bytes} bytes")
            yield expanded
            rest = inflater.unconsumed_tail or inflater.unused_data
    if started and not inflater.eof:
        raise FetchError("network", "gzip ends in the middle")


def _counted(chunks: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > most_bytes:
            raise FetchError("too_large", f"sends more than {most_bytes} bytes")
        yield chunk
