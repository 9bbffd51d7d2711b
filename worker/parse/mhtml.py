"""Saved web pages (.mhtml, RFC 2557): the page among the parts, at the address it was saved from."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message

import msgspec

from worker.clean.dates import read_date
from worker.errors import Rejected
from worker.model import Article, Document, Http
from worker.parse.html import parse_html
from worker.parse.mail import part_bytes, read_message
from worker.parse.mail_headers import header, parameter, said

_MOST_PARTS = 2_000


def parse_mhtml(content: bytes, document: Document) -> Iterator[Article]:
    """A saved page -> its article. Raises Rejected `no_article` where no part is a page."""
    message = read_message(content)
    page = _page(message)
    if page is None:
        raise Rejected("no_article", "a saved page without a page")
    url = header(page, "content-location") or header(message, "snapshot-content-location")
    if not url.startswith(("http://", "https://")):
        url = header(message, "snapshot-content-location")
    known = url.startswith(("http://", "https://"))
    inner = msgspec.structs.replace(
        document,
        media_type="text/html",
        encoding_declared=said(page.get_content_charset),
        http=Http(url=url, status=200, answered_at=read_date(header(message, "date")).at) if known else document.http,
    )
    yield from parse_html(part_bytes(page), inner)


def _page(message: Message) -> Message | None:
    """The part that `start` names, else the first page."""
    start = parameter(message, "start").strip("<> ")
    pages: list[Message] = []
    for number, part in enumerate(message.walk()):
        if number > _MOST_PARTS:
            break
        if part.get_content_type() in ("text/html", "application/xhtml+xml"):
            if start and header(part, "content-id").strip("<> ") == start:
                return part
            pages.append(part)
    return pages[0] if pages else None
