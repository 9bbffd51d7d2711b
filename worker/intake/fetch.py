"""A feed's bytes, by HTTP or from a local file the operator named: what is asked, and what the answer is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from email.message import Message
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from worker.config import Settings
from worker.errors import Failed, FetchError
from worker.intake.files import document_of, read_file, signature
from worker.intake.http import FetchAnswer, FetchRequest, without_credentials
from worker.intake.http.secrets import reveal
from worker.model import Document, Http, Source
from worker.state.spool import Spool

VALIDATORS = ("url", "etag", "last_modified", "signature")
"""Fields of the poll state that let a source say "not modified"; `url` is the one they belong to."""
_ACCEPT = b"application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json, */*;q=0.8"


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What a local file brought: `document` is None where the source is not modified.

    `validators` are the fields to remember (empty where there is none of that kind).
    """

    document: Document | None
    validators: dict[str, str]


def local_path(source: Source) -> Path | None:
    """The file a feed lies in, where the operator named a path or a file:// URL; None for what is to be asked."""
    url = source.url or ""
    if "://" not in url:
        return Path(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def known_validators(source: Source, state: Mapping[str, str]) -> dict[str, str]:
    """The validators in a poll state, empty where they belong to another URL."""
    if state.get("url") != without_credentials(source.url or ""):
        return {}
    return {name: state[name] for name in VALIDATORS if name in state}


def request_for(source: Source, validators: Mapping[str, str], settings: Settings) -> FetchRequest:
    """What to ask for a feed, secrets revealed; raises FetchError("refused") where a variable is not set."""
    feeds = settings.feeds
    headers = [(b"Accept", _ACCEPT)]
    for field, name in (("etag", b"If-None-Match"), ("last_modified", b"If-Modified-Since")):
        if value := validators.get(field):
            # Latin-1 maps every byte to one character and back: what the server sent is what it gets.
            headers.append((name, value.encode("latin-1")))
    private = [(name.encode(), reveal(value).encode()) for name, value in source.headers.items()]
    if source.auth is not None:
        private.append((b"Authorization", b"Basic " + base64.b64encode(reveal(source.auth).encode())))
    return FetchRequest(
        url=reveal(source.url or ""),
        headers=tuple(headers),
        private_headers=tuple(private),
        proxy=None if source.proxy is None else reveal(source.proxy),
        allowed_hosts=frozenset(source.allowed_hosts),
        most_bytes=feeds.document_bytes,
        connect_seconds=feeds.connect_seconds,
        first_byte_seconds=feeds.first_byte_seconds,
        deadline_seconds=feeds.timeout_seconds,
    )


def document_of_answer(source: Source, answer: FetchAnswer, now: datetime) -> Document:
    """The document that an answer brought, with its content."""
    media_type, charset = _content_type(answer)
    return msgspec.structs.replace(
        document_of(source, without_credentials(source.url or ""), now),
        content=answer.content,
        size_bytes=len(answer.content),
        media_type=media_type,
        encoding_declared=charset,
        http=Http(
            url=answer.url,
            status=answer.status,
            answered_at=now,
            etag=answer.header("etag") or None,
            last_modified=answer.header("last-modified") or None,
            robots=answer.header("x-robots-tag") or None,
            tdm_reservation=answer.header("tdm-reservation") or None,
            tdm_policy=answer.header("tdm-policy") or None,
        ),
    )


def read_local(
    path: Path, source: Source, validators: Mapping[str, str], settings: Settings, spool: Spool, now: datetime
) -> Fetched:
    """What a local file holds, unless it is the one the validators name; raises FetchError("unreadable")."""
    try:
        mark = signature(path)
        fields = _fields(source, signature=mark)
        if validators.get("signature") == mark:
            return Fetched(document=None, validators=fields)
        document = read_file(path, source, settings, spool, now)
    except Failed as error:
        raise FetchError(error.code, error.detail) from error
    return Fetched(document=document, validators=fields)


def _fields(source: Source, **known: str) -> dict[str, str]:
    return dict.fromkeys(VALIDATORS, "") | known | {"url": without_credentials(source.url or "")}


def _content_type(answer: FetchAnswer) -> tuple[str | None, str | None]:
    """Media type and charset of the Content-Type header, both in lower case."""
    value = answer.header("content-type")
    message = Message()
    message["Content-Type"] = value
    charset = message.get_content_charset()
    return value.partition(";")[0].strip().lower() or None, charset
