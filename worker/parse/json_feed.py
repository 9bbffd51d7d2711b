"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/): an article for each item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.clean.html import html_to_text, sanitize
from worker.clean.text import clean_line
from worker.clean.urls import absolute_url
from worker.errors import Rejected
from worker.model import Article, Document, Encoding, Media, Refusal
from worker.parse.draft import Draft
from worker.parse.entries import EntrySet, FeedFacts
from worker.parse.json_article import load_json
from worker.parse.json_ld import names_of

_MOST_MEDIA = 20


def parse_json_feed(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """JSON Feed bytes -> an article for each item. Raises Rejected `malformed_json`, `malformed_feed`."""
    value, encoding = load_json(content, document)
    if not isinstance(value, dict) or not isinstance(value.get("items", []), list):
        raise Rejected("malformed_feed", "a JSON Feed is an object with an array of items")
    items = [item if isinstance(item, dict) else {} for item in value.get("items", [])]
    facts = FeedFacts(
        title=_text(value.get("title")),
        link=_text(value.get("home_page_url")),
        language=_text(value.get("language")),
    )
    names = [(_text(item.get("id")) or None, _link(item)) for item in items]
    entries = EntrySet(document, "application/feed+json", "json_feed", facts, names)
    yield from entries.read(lambda index, draft: _read_item(items[index], value, draft, encoding))


def _read_item(item: dict[str, Any], feed: dict[str, Any], draft: Draft, encoding: Encoding) -> Article:
    draft.encoding = encoding
    base = _text(feed.get("home_page_url")) or _text(feed.get("feed_url"))
    draft.set_text("guid", _text(item.get("id")), "feed")
    draft.set_link("url", _link(item), "feed", base)
    draft.set_text("headline", _text(item.get("title")), "feed")
    markup, text = _text(item.get("content_html")), _text(item.get("content_text"))
    draft.set_text("body_text", text or html_to_text(markup or ""), "feed")
    if markup:
        draft.set("body_html", sanitize(markup, draft.fields.get("url") or base), "feed")
    draft.set_text("abstract", _text(item.get("summary")), "feed")
    if draft.fields.get("body_text"):
        draft.set("is_full_text", True, "feed")
    people = item.get("authors") or item.get("author") or feed.get("authors") or feed.get("author")
    draft.set_text("byline", ", ".join(map(clean_line, names_of(people))), "feed")
    draft.set_authors(names_of(people), "feed")
    draft.set_published(item.get("date_published"), "feed")
    draft.set_updated(item.get("date_modified"), "feed")
    draft.set_terms("keywords", names_of(item.get("tags")), "feed")
    draft.set("media", tuple(_media(item, base))[:_MOST_MEDIA], "feed")
    draft.declared_language = _text(item.get("language")) or _text(feed.get("language"))
    return draft.finish("json_feed", "fields")


def _link(item: dict[str, Any]) -> str | None:
    """The item's page; of a link blog the page it is about; an `id` that is an address (as 1.1 advises)."""
    found = _text(item.get("url")) or _text(item.get("external_url"))
    identity = _text(item.get("id")) or ""
    return found or (identity if identity.startswith(("http://", "https://")) else None)


def _media(item: dict[str, Any], base: str | None) -> Iterator[Media]:
    """Pictures and attachments, each address once."""
    attachments = item.get("attachments")
    found: dict[str, Media] = {}
    for part in ("image", "banner_image"):
        if url := absolute_url(_text(item.get(part)), base):
            found.setdefault(url, Media(url=url, type="image"))
    for node in attachments if isinstance(attachments, list) else ():
        url = absolute_url(_text(node.get("url")), base) if isinstance(node, dict) else None
        if url:
            kind = (_text(node.get("mime_type")) or "").partition("/")[0]
            found.setdefault(url, Media(url=url, type=kind or None, caption=_text(node.get("title"))))
    yield from found.values()


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
