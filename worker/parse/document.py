"""Bytes -> articles. `parse_document` is the one way in; it never raises on bad input.

bytes ──► detect ──► table ──► parser ──► Article | Refusal ...
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from worker.errors import Failed, Rejected
from worker.model import Article, Document, FeedEntry, Http, Refusal
from worker.parse.containers import is_container, open_container
from worker.parse.detect import (
    BINARY,
    FEED,
    SGML,
    SITEMAP,
    XML,
    detect_media_type,
    document_name,
    refuse_entities,
)
from worker.parse.entries import MOST_PARTS
from worker.parse.full_text import merge
from worker.parse.refusals import parse_error, refusal
from worker.parse.table import PARSERS

__all__ = ["parse_document"]

_DEPTH = 5
"""How deep documents may lie in each other: a mail with a mail with a packed page is three."""


def parse_document(document: Document, content: bytes, depth: int = 0) -> list[Article | Refusal]:
    """A document and its bytes -> what it holds: at least one article or refusal, in document order.

    `Rejected` becomes a refusal, `Failed` (raised by an alarm set around this call) a dead one, any other
    exception a dead one with code `parse_error` and its traceback. Only MemoryError and exceptions
    that are no `Exception` (interrupts) go through. `depth` counts the documents around this one.
    """
    if document.refused is not None:
        return [document.refused]
    if document.only_member is not None:
        return _only(document, document.only_member, content, depth)
    if document.entry is not None:
        return [_with_page(document, document.entry, content, depth)]
    if document.warnings:
        plain = msgspec.structs.replace(document, warnings=())
        return [_warned(item, document.warnings) for item in parse_document(plain, content, depth)]
    return _answered(document, content, depth)


def _answered(document: Document, content: bytes, depth: int) -> list[Article | Refusal]:
    """What the bytes give, every error as a refusal."""
    found: list[Article | Refusal] = []
    try:
        found.extend(_parse(document, content, depth))
    except Rejected as error:
        found.append(refusal(error, document.member))
    except Failed as error:
        return [refusal(error, document.member)]
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a parser's bug must cost this one only
        return [parse_error(error, document.member)]
    return found or [refusal(Rejected("no_article", "nothing was found"), document.member)]


def _only(document: Document, wanted: int | str, content: bytes, depth: int) -> list[Article | Refusal]:
    """The part of a document that is called `wanted`; else why nothing can be read, or that it is not there."""
    found = parse_document(msgspec.structs.replace(document, only_member=None), content, depth)
    parts = [item for item in found if item.member == wanted]
    whole = [item for item in found if isinstance(item, Refusal) and item.member == document.member]
    missing = refusal(Rejected("no_article", "the document has no such member"), wanted)
    return parts or [msgspec.structs.replace(item, member=wanted) for item in whole] or [missing]


def _with_page(document: Document, entry: FeedEntry, content: bytes, depth: int) -> Article | Refusal:
    """What a feed's entry and the page it links to give together."""
    page = msgspec.structs.replace(document, entry=None)
    http = Http(url=entry.url, status=200, answered_at=document.http.answered_at if document.http else None)
    feed = msgspec.structs.replace(page, http=http, origin=entry.url, media_type=None, encoding_declared="utf-8")
    first = parse_document(feed, entry.content, depth)[0]
    return merge(first, parse_document(page, content, depth)[0], content)


def _warned(item: Article | Refusal, warnings: tuple[str, ...]) -> Article | Refusal:
    if isinstance(item, Refusal):
        return item
    return msgspec.structs.replace(item, warnings=tuple(dict.fromkeys([*item.warnings, *warnings])))


def _parse(document: Document, content: bytes, depth: int) -> Iterator[Article | Refusal]:
    if not content.strip():
        raise Rejected("empty_document")
    if depth > _DEPTH:
        raise Rejected("nested_too_deep", f"more than {_DEPTH} documents in each other")
    media_type = detect_media_type(content, document.media_type, document_name(document))
    if is_container(media_type):
        yield from _parse_members(document, content, depth)
        return
    if media_type == BINARY:
        raise Rejected("binary_content")
    if media_type in (FEED, SITEMAP, XML, SGML):
        refuse_entities(content, external_dtd=media_type == XML)
    parser = PARSERS.get(media_type)
    if parser is None:
        raise Rejected("unsupported_format", f"no parser for {media_type} yet")
    for index, item in enumerate(parser(content, msgspec.structs.replace(document, media_type=media_type))):
        if index == MOST_PARTS:
            raise Rejected("too_many_members", f"more than {MOST_PARTS} articles; those before were taken")
        if isinstance(item, Document):
            inner = parse_document(item, item.content or b"", depth + 1)
            yield from (found for found in inner if isinstance(found, Article) and found.headline)
        else:
            yield item if item.member is not None else msgspec.structs.replace(item, member=document.member)


def _parse_members(document: Document, content: bytes, depth: int) -> Iterator[Article | Refusal]:
    """What a container holds, where nobody opened it before (a fetched one, a letter that is replayed)."""
    empty = True
    for member in open_container(document, content) or ():
        empty = False
        yield from parse_document(member, member.content or b"", depth + 1)
    if empty:
        raise Rejected("empty_container")
