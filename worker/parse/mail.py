"""Mail as articles: newsletters with an article, wire mail, forwarded mail, and articles that are attached.

    Subject ──► headline      From ──► author or source      Date ──► published      best part ──► body

Of alternatives the plain text is read where it says as much as the page, which is true to the letter; else the page.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.message import Message
from email.policy import Compat32
from typing import Any

import msgspec

from worker.clean.html import html_to_text
from worker.clean.text import clean_text
from worker.errors import Rejected
from worker.model import Article, Document
from worker.parse.draft import Draft
from worker.parse.html import read_page
from worker.parse.mail_body import Forwarded, find_forwarded, introduces_forward, sort_parts, unflow, without_frame
from worker.parse.mail_headers import (
    HEADER_CHARACTERS,
    HEADER_FAULTS,
    decode_bytes,
    header,
    parameter,
    read_sender,
    said,
    split_subject,
)
from worker.parse.plain_text import read_body, read_text
from worker.parse.unpacking import member_of

_AS_MUCH = 0.6
"""Share of the page's words from which the text beside it says the same."""
_LINKS_PER_WORD = 1 / 40
"""A text with more links than this was made from the page by a program."""
_INTRODUCTION_CHARACTERS = 1_000
_LENGTH_LINE = re.compile(rb"\A\s*\d{1,10}\s*\n")
_WORD = re.compile(r"\w+")
_LINK = re.compile(r"https?://\S+")
_ONLINE = re.compile(
    r"<a\b[^<>]{0,1000}?href\s{0,9}=\s{0,9}[\"']?(https?://[^\"'\s<>]{1,2000})[^<>]{0,1000}>\s{0,99}(?:<[^<>]{1,300}>\s{0,99}){0,5}"
    r"(?:read|view|open|online|im browser|lire|ver|leggi|lees)\b[^<]{0,40}(?:online|browser|web|lesen|ansehen|navigat)",
    re.IGNORECASE,
)
_ARTICLE_TYPES = re.compile(
    r"text/(?!calendar|x-vcard|vcard|css|javascript)|message/rfc822|application/(?:\S+\+)?(?:xml|json)$|"
    r"application/(?:x-)?(?:gzip|zip|bzip2|zstd|xz)$|application/octet-stream"
)
_ARTICLE_CHARACTERS = 300
"""An attached text shorter than this is a note or a signature."""


def parse_mail(content: bytes, document: Document) -> Iterator[Article | Document]:
    """A mail -> its article, and the documents attached to it (parsed in turn; see `worker/parse/table.py`).

    Raises Rejected `no_article` where there is neither a text nor an attachment that could be one.
    """
    message = read_message(content)
    if message.get_content_type() == "multipart/report":
        raise Rejected("no_article", "a report about another mail")
    parts = sort_parts(message)
    draft = Draft(document, "message/rfc822")
    draft.set_text("guid", header(message, "message-id").strip("<> "), "header")
    try:
        yield _with_organisation(_read(message, parts.texts, parts.pages, draft), draft)
    except Rejected:
        if not parts.attached:
            raise
    for number, part in enumerate(parts.attached):
        attached = _attached(part, number, document)
        if attached is not None:
            yield attached


def _with_organisation(article: Article, draft: Draft) -> Article:
    """The article with the publication or agency in From as its author, where nobody else is named.

    From names "the author(s) of the message" (RFC 5322, 3.6.2), a person or not.
    """
    said = (draft.fields[name] for name in ("provider", "source_name") if draft.provenance.get(name) == "header")
    name = next(said, None)
    if article.authors or name is None or not draft.add_organisations([name], "header"):
        return article
    return msgspec.structs.replace(article, authors=draft.fields["authors"], provenance=dict(draft.provenance))


class _ShortHeaders(Compat32):
    """Headers cut at a length: Python reads their parameters in quadratic time."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:HEADER_CHARACTERS]


def read_message(content: bytes) -> Message:
    """The bytes of a mail -> the message; raises Rejected `nested_too_deep` where parts nest beyond reason."""
    try:
        return email.message_from_bytes(
            _LENGTH_LINE.sub(b"", content).lstrip(b"\r\n\t \xef\xbb\xbf"), policy=_ShortHeaders()
        )
    except RecursionError as error:
        raise Rejected("nested_too_deep", "parts of a mail in each other") from error
    except HEADER_FAULTS as error:
        raise Rejected("no_article", f"a mail with headers that cannot be read: {error}") from error


def part_bytes(part: Message) -> bytes:
    """A part's content with its transfer encoding undone, as far as that can be done."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        return b""
    return payload if isinstance(payload, bytes) else b""


def part_text(part: Message) -> str:
    """A text part as text; empty where its bytes are none."""
    try:
        return decode_bytes(part_bytes(part), said(part.get_content_charset))
    except Rejected:
        return ""


def _read(message: Message, texts: list[Message], pages: list[Message], draft: Draft) -> Article:
    text = _joined(texts)
    markup = max(map(part_text, pages), key=len, default="")
    shown = html_to_text(markup) if markup else ""
    subject, forwarded = split_subject(header(message, "subject"))
    if text and (not markup or _says_as_much(text, shown)):
        inner = _inner(text, forwarded=forwarded)
        _set_facts(draft, message, subject, inner)
        _set_online(draft, markup)
        return _read_text(inner.text if inner else text, draft)
    if not markup:
        raise Rejected("no_article", "a mail without text")
    inner = _inner(shown, forwarded=forwarded)
    _set_facts(draft, message, subject, inner)
    _set_online(draft, markup)
    return _read_text(inner.text, draft) if inner else _read_markup(markup, without_frame(shown), draft)


def _joined(texts: list[Message]) -> str:
    """All inline texts that are more than a footer, in order."""
    found = [_plain(part) for part in texts]
    longest = max(map(len, found), default=0)
    return "\n\n".join(text for text in found if len(text) * 4 >= longest and text.strip())


def _plain(part: Message) -> str:
    text = part_text(part)
    if part.get_content_type() == "text/enriched":
        return html_to_text(text)
    if parameter(part, "format").lower() == "flowed":
        text = unflow(text, delsp=parameter(part, "delsp").lower() == "yes")
    return text


def _says_as_much(text: str, shown: str) -> bool:
    """Whether the text of a mail can stand for its page, which shows so much text."""
    without_links, links = _LINK.subn(" ", text)
    words = len(_WORD.findall(without_links))
    return links <= max(3, words * _LINKS_PER_WORD) and words >= _AS_MUCH * len(_WORD.findall(shown))


def _inner(text: str, *, forwarded: bool) -> Forwarded | None:
    """The mail that this one only passes on."""
    if not forwarded and not introduces_forward(text[:_INTRODUCTION_CHARACTERS]):
        return None
    return find_forwarded(text)


def _set_facts(draft: Draft, message: Message, subject: str, inner: Forwarded | None) -> None:
    facts = inner.facts if inner else {}
    draft.warn(*(("forwarded",) if inner else ()))
    draft.set_text("headline", split_subject(facts.get("subject", subject))[0], "header")
    sender = read_sender(facts.get("from") or header(message, "from"))
    if sender.person:
        draft.set_text("byline", sender.person, "header")
        draft.set_authors([sender.person], "header")
    draft.set_text("source_name", sender.publication, "header")
    draft.set_text("provider", sender.provider, "header")
    dates = (facts.get("date"), header(message, "date"), header(message, "resent-date"), _received(message))
    for value in dates:
        if value and draft.set_published(value, "header"):
            break
    draft.declared_language = header(message, "content-language").split(",")[0] or None


def _received(message: Message) -> str:
    """When the last server took the mail: what follows the last semicolon of its trace."""
    return header(message, "received").rpartition(";")[2]


def _set_online(draft: Draft, markup: str) -> None:
    found = _ONLINE.search(markup[:2_000_000])
    if found is not None:
        draft.set_link("url", found[1], "html")


def _read_text(text: str, draft: Draft) -> Article:
    body = without_frame(clean_text(text))
    if not body.strip():
        raise Rejected("no_article", "a mail without text")
    return read_body(body, draft, "mail") if "headline" in draft.fields else read_text(body, draft)


def _read_markup(markup: str, whole: str, draft: Draft) -> Article:
    """The page of a mail; `whole` is all its text, which is taken where an extractor of pages finds little of it."""
    if not whole.strip():
        raise Rejected("no_article", "a mail without text")
    known = dict(draft.fields), dict(draft.provenance)
    try:
        article = read_page(markup, draft)
    except Rejected:
        draft.fields, draft.provenance = known
        return _read_text(whole, draft)
    body = without_frame(article.body_text)
    if len(_WORD.findall(body)) < _AS_MUCH / 2 * len(_WORD.findall(whole)):
        # What looks like a page's frame to an extractor of pages is most of the text here.
        draft.fields, draft.provenance = known
        return _read_text(whole, draft)
    return msgspec.structs.replace(article, body_text=body, media_type="message/rfc822")


def _attached(part: Message, number: int, document: Document) -> Document | None:
    """An attachment that may be an article, as a document of its own; None for pictures and the like."""
    kind = part.get_content_type()
    if not _ARTICLE_TYPES.match(kind):
        return None
    if kind == "message/rfc822" and part.is_multipart():
        payload: Any = part.get_payload()
        content = b"".join(_flattened(inner) for inner in payload[:1] if isinstance(inner, Message))
    else:
        content = part_bytes(part)
    if len(content.strip()) < _ARTICLE_CHARACTERS:
        return None
    name = said(part.get_filename) or f"part{number}"
    return msgspec.structs.replace(
        member_of(document, name),
        content=content,
        size_bytes=len(content),
        media_type=kind if kind != "application/octet-stream" else None,
        encoding_declared=said(part.get_content_charset),
        http=None,
    )


def _flattened(message: Message) -> bytes:
    try:
        return message.as_bytes()
    except (ValueError, LookupError, TypeError, AttributeError):
        return b""
