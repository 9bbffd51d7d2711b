"""RSS, Atom and RDF through feedparser, which is given bytes only: a string could be a path or a URL."""

from __future__ import annotations

import io
import re
from calendar import timegm
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import feedparser
import msgspec

from worker.clean.dates import Dated, parse_date
from worker.clean.encoding import Decoded, decode
from worker.clean.html import html_to_text, looks_like_markup, sanitize
from worker.clean.people import is_agency
from worker.errors import Rejected
from worker.model import Article, Document, Media, Refusal
from worker.parse.detect import refuse_entities
from worker.parse.draft import Draft
from worker.parse.entries import EntrySet, FeedFacts

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_XML_TAG = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<(/?)[A-Za-z_][^<>]*?(/?)>", re.DOTALL)
_BARE_AMPERSAND = re.compile(
    r"<!\[CDATA\[.*?\]\]>|<!--.*?-->|(&)(?!#[0-9]{1,7};|#[xX][0-9a-fA-F]{1,6};|[a-zA-Z][a-zA-Z0-9]{1,30};)",
    re.DOTALL,
)
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ITEM = re.compile(r"<(?:[\w-]+:)?(?:item|entry)[\s>]", re.IGNORECASE)
_MAX_DEPTH = 500
"""Open elements inside each other; feedparser keeps them on a list and grows slow far above this."""

_HTML_TYPES = ("text/html", "application/xhtml+xml")


def parse_feed(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """Feed bytes -> an article for each entry.

    Raises Rejected `entity_declaration`, `too_large` (nested too deep), `malformed_feed`,
    `empty_document`, `binary_content`.
    """
    decoded = decode(content, document.encoding_declared)
    text = _UNREADABLE.sub("", decoded.text)
    _refuse_hostile(text)
    parsed = _feedparser(text, document)
    entries = list(parsed.entries)
    if not entries and _ITEM.search(text) is None and not parsed.get("version") and not parsed.feed:
        raise Rejected(
            "malformed_feed",
            str(parsed.get("bozo_exception") or "no feed can be read from it")[:300],
        )
    facts = FeedFacts(
        title=_plain(parsed.feed.get("title"), parsed.feed.get("title_detail")),
        link=parsed.feed.get("link"),
        language=parsed.feed.get("language"),
    )
    names = [(entry.get("id") or None, entry.get("link") or None) for entry in entries]
    doubts = ("feed_not_well_formed",) if parsed.get("bozo") else ()
    entry_set = EntrySet(document, "application/feed+xml", "feed", facts, names)
    for item in entry_set.read(lambda index, draft: _read_entry(entries[index], parsed.feed, draft, decoded)):
        yield msgspec.structs.replace(item, warnings=item.warnings + doubts) if isinstance(item, Article) else item


def _refuse_hostile(text: str) -> None:
    refuse_entities(text.encode(errors="replace"))
    if text.count("<") < _MAX_DEPTH:
        return
    depth = 0
    for found in _XML_TAG.finditer(text):
        if found[1] is None or found[2]:
            continue
        depth = max(0, depth - 1) if found[1] else depth + 1
        if depth > _MAX_DEPTH:
            raise Rejected("too_large", f"elements nest deeper than {_MAX_DEPTH}")


def _feedparser(text: str, document: Document) -> Any:
    """Feedparser's result. Markup is sanitised by us where it is kept, which is four times faster."""
    headers = {"content-type": "application/xml; charset=utf-8"}
    if document.http is not None:
        headers["content-location"] = document.http.url
    # An address with a bare "&" makes a feed malformed, and feedparser's lenient reading adds a ";" to it.
    text = _BARE_AMPERSAND.sub(lambda found: "&amp;" if found[1] else found[0], text)
    body = _DECLARATION.sub("", text, count=1).lstrip("\ufeff \t\r\n").encode()
    return feedparser.parse(
        io.BytesIO(body),
        sanitize_html=False,
        resolve_relative_uris=True,
        response_headers=headers,
    )


def _read_entry(entry: Any, feed: Any, draft: Draft, decoded: Decoded) -> Article:
    draft.encoding = decoded.encoding
    draft.warn(*decoded.warnings)
    draft.set_text("guid", entry.get("id"), "feed")
    draft.set_link("url", entry.get("link"), "feed", feed.get("link"))
    draft.set_text("headline", _plain(entry.get("title"), entry.get("title_detail")), "feed")
    _set_texts(entry, feed, draft)
    _set_people(entry, draft)
    _set_published(entry, draft)
    draft.set_updated(_own(entry, "updated"), "feed")
    draft.set_terms(
        "keywords",
        (tag.get("label") or tag.get("term") or "" for tag in entry.get("tags", ())),
        "feed",
    )
    draft.set("media", tuple(_media(entry))[:20], "feed")
    source = entry.get("source") or {}
    draft.set_text(
        "syndicated_from",
        _plain(source.get("title"), source.get("title_detail")),
        "feed",
    )
    draft.declared_language = entry.get("language") or _language_of_texts(entry) or feed.get("language")
    return draft.finish("feed", "feedparser")


def _language_of_texts(entry: Any) -> str | None:
    """The language declared on the entry's own text elements (xml:lang)."""
    details = (
        *entry.get("content", ()),
        entry.get("summary_detail"),
        entry.get("title_detail"),
    )
    return next(
        (detail["language"] for detail in details if detail and detail.get("language")),
        None,
    )


def _set_texts(entry: Any, feed: Any, draft: Draft) -> None:
    """Body and abstract: the content if there is any besides the summary, else the summary is the body."""
    base = draft.fields.get("url") or feed.get("link")
    contents = [content for content in entry.get("content", ()) if content.get("value")]
    best = max(contents, key=lambda content: len(content["value"]), default=None)
    summary_detail = entry.get("summary_detail") or {}
    summary = _plain(entry.get("summary"), summary_detail) or ""
    body = _plain(best["value"], best) if best else summary
    full = bool(best) and len(body or "") > len(summary)
    if not (body or "").strip():
        body, full = summary, False
    draft.set_text("body_text", body, "feed")
    source = best if best and best["value"] else {"value": entry.get("summary") or "", **summary_detail}
    if _is_markup(source["value"], source):
        draft.set("body_html", sanitize(source["value"], base), "feed")
    if summary != body:
        draft.set_text("abstract", summary, "feed")
    if body:
        draft.set("is_full_text", full or (bool(best) and not summary), "feed")


def _set_people(entry: Any, draft: Draft) -> None:
    details = [person.get("name") for person in entry.get("authors", ()) if person.get("name")]
    names = details or ([entry["author"]] if entry.get("author") else [])
    draft.set_text("byline", entry.get("author") or ", ".join(names), "feed")
    draft.set_authors(names, "feed")
    credit = entry.get("publisher")
    if credit and is_agency(credit):
        draft.set_text("provider", credit, "feed")


def _set_published(entry: Any, draft: Draft) -> None:
    """By our reading of the text; feedparser's where we cannot read it (it knows more languages)."""
    for name in ("published", "created", "updated"):
        value = _own(entry, name)
        if not value:
            continue
        read = parse_date(value, draft.document.received_at)
        if read.at is None and "date_unreadable" in read.warnings and (moment := _moment(entry.get(f"{name}_parsed"))):
            read = Dated(moment, "second")
        if draft.set_published_read(read, "feed"):
            if name != "published":
                draft.warn(f"published_from_{name}")
            return


def _own(entry: Any, name: str) -> Any:
    """A key of an entry. feedparser's own get() answers for a missing "updated" with "published"."""
    return dict.get(entry, name)


def _moment(parsed: Any) -> datetime | None:
    """A time tuple in UTC -> datetime; None where it is none or not a real moment."""
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, TypeError, OSError):
        return None


def _plain(value: Any, detail: Any) -> str | None:
    """A feed's text construct -> plain text."""
    if not isinstance(value, str):
        return None
    return html_to_text(value) if _is_markup(value, detail or {}) else value


def _is_markup(value: str, detail: Any) -> bool:
    return detail.get("type", "text/html") in _HTML_TYPES and looks_like_markup(value)


def _media(entry: Any) -> Iterator[Media]:
    found: dict[str, Media] = {}
    for item in (
        *entry.get("media_content", ()),
        *entry.get("enclosures", ()),
        *entry.get("media_thumbnail", ()),
    ):
        url = item.get("url") or item.get("href") or ""
        kind = (item.get("medium") or item.get("type") or "image").partition("/")[0]
        if url.startswith(("http://", "https://")) and url not in found:
            found[url] = Media(url=url, type=kind)
    yield from found.values()
