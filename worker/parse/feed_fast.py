"""Large RSS feeds read fast: entries of plain, well-known elements by lxml, all others by feedparser.

feedparser stays the reference. It reads the feed's own facts, every entry that holds anything unusual, and a
sample of the others; only if its reading and ours give equal articles on all of the sample is ours taken for the rest
(`parse_feed` compares, and reads everything by feedparser where they differ). Feeds of other dialects, feeds that are
not well-formed and small ones never come here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from lxml import etree

from worker.clean.dates import read_date

FEWEST_ENTRIES = 100
"""Below this feedparser alone is quick enough, and nothing is to be compared."""

_SAMPLE = 24
"""How many plain entries are read both ways, the first and the last among them."""
_MOST_UNUSUAL = 0.2
"""Share of unusual entries above which feedparser reads the whole feed."""

_ITEM = re.compile(r"<item[\s>]")
# What gives texts or links a base or a language of their own, and declarations that could change what a text is.
_CONTEXT = re.compile(r"xml:base|xml:lang|\s(?:base|lang)=|<!DOCTYPE", re.IGNORECASE)
_DC, _CONTENT = "{http://purl.org/dc/elements/1.1/}", "{http://purl.org/rss/1.0/modules/content/}"
_MEDIA = "{http://search.yahoo.com/mrss/}"
_TEXTS = {
    "title": "title",
    "link": "link",
    "guid": "id",
    "pubDate": "published",
    "description": "summary",
    "author": "author",
    f"{_DC}creator": "author",
    f"{_CONTENT}encoded": "content",
}
_IGNORED = frozenset(
    (
        "comments",
        "{http://purl.org/rss/1.0/modules/slash/}comments",
        "{http://wellformedweb.org/CommentAPI/}commentRss",
        "{http://wellformedweb.org/CommentAPI/}comment",
    )
)
_LISTS = {f"{_MEDIA}content": "media_content", f"{_MEDIA}thumbnail": "media_thumbnail"}
_ESCAPED = re.compile(r"</\w+>|&#?\w+;")
_PLAIN_LINK = re.compile(r"https?://[^\s/?#&;\\]+(?:/(?!/|\.)[^\s?#;\\/]*)*(?:\?[^\s#;\\]+)?(?:#[^\s;\\]+)?")
_REPAIRED = re.compile("[\x80-\x9f\ufeff]|[\u00c2-\u00f4][\u0080-\u00bf]")
"""What feedparser may take for damage and mend."""


class LargeFeed(msgspec.Struct, frozen=True):
    """The entries of a large feed as read here (None: unusual), which of them feedparser is to read, and their feed.

    `skeleton` is the feed with the entries of `indexes` only.
    """

    entries: list[dict[str, Any] | None]
    indexes: list[int]
    skeleton: str


class _Unusual(Exception):
    """An entry holds something that is left to feedparser."""


def read_large(text: str, base: str | None) -> LargeFeed | None:
    """The text of a feed, and the address it was fetched from -> its entries; None: feedparser is to read all of it."""
    if _CONTEXT.search(text) or sum(1 for _ in _ITEM.finditer(text)) < FEWEST_ENTRIES:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, strip_cdata=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        return None
    channels = root.findall("channel")
    if root.tag != "rss" or len(channels) != 1 or not str(root.get("version", "")).startswith("2."):
        return None
    items = channels[0].findall("item")
    entries = [_read(item, base) for item in items]
    unusual = {index for index, entry in enumerate(entries) if entry is None}
    if len(unusual) > len(items) * _MOST_UNUSUAL:
        return None
    step = max(1, len(items) // _SAMPLE)
    chosen = sorted(unusual | set(range(0, len(items), step)) | {len(items) - 1})
    kept = {items[index] for index in chosen}
    for item in items:
        if item not in kept:
            channels[0].remove(item)
    return LargeFeed(entries, chosen, etree.tostring(root, encoding="unicode"))


def merge(large: LargeFeed, read: list[Any], same: Callable[[Any, Any], bool]) -> list[Any] | None:
    """The entries of a large feed, with feedparser's reading of the chosen ones; None where the two readings differ.

    `same` says whether two readings of an entry give the same article.
    """
    if len(read) != len(large.indexes):
        return None
    entries: list[Any] = list(large.entries)
    for index, reference in zip(large.indexes, read, strict=True):
        if entries[index] is not None and not same(entries[index], reference):
            return None
        entries[index] = reference
    return entries


def _read(item: etree._Element, base: str | None) -> dict[str, Any] | None:
    try:
        entry = _entry(item)
    except _Unusual:
        return None
    for text in (*entry.get("content", ()), entry.get("summary_detail", {})):
        text["base"] = base
    return entry


def _entry(item: etree._Element) -> dict[str, Any]:
    """An item as feedparser would give it, as far as articles need it."""
    if item.attrib:
        raise _Unusual
    entry: dict[str, Any] = {"links": [], "tags": []}
    for node in item.iterchildren(tag=etree.Element):
        name = str(node.tag)
        if len(node):
            raise _Unusual
        if name in _TEXTS:
            _set_text(entry, _TEXTS[name], node)
        elif name in _LISTS:
            entry.setdefault(_LISTS[name], []).append(dict(node.attrib))
        elif name == "category":
            entry["tags"].append({"term": _text(node), "scheme": node.get("domain"), "label": None})
        elif name == "enclosure":
            entry["links"].append({"rel": "enclosure", "href": node.get("url"), "type": node.get("type")})
        elif name not in _IGNORED:
            raise _Unusual
    _complete(entry)
    return entry


def _complete(entry: dict[str, Any]) -> None:
    """What an item leaves unsaid: a guid that is an address stands for the link, the content for the summary."""
    if "link" not in entry and entry.pop("guid_is_link", False):
        entry["link"] = entry["id"]
    if entry.get("content"):
        entry.setdefault("summary", entry["content"][0]["value"])


def _set_text(entry: dict[str, Any], field: str, node: etree._Element) -> None:
    text = _text(node)
    if field in entry or not text or (node.attrib and field != "id"):
        raise _Unusual
    if field == "content":
        entry["content"] = [{"type": "text/html", "value": text, "language": None}]
        return
    _CHECKS.get(field, _any)(text)
    if field == "link":
        entry["links"].append({"rel": "alternate", "type": "text/html", "href": text})
    elif field == "id":
        entry["guid_is_link"] = node.get("isPermaLink", "true") == "true"
        if entry["guid_is_link"]:
            _link(text)
    elif field == "published" and "date_unreadable" in read_date(text).warnings:
        raise _Unusual
    elif field == "summary":
        entry["summary_detail"] = {"type": "text/html", "language": None}
    elif field == "title":
        entry["title_detail"] = {"type": "text/plain", "language": None}
    elif field == "author":
        entry["authors"] = [{"name": text}]
    entry[field] = text


def _text(node: etree._Element) -> str:
    text = (node.text or "").strip()
    if not text.isascii() and _REPAIRED.search(text):
        raise _Unusual
    return text


def _any(text: str) -> None:
    """Any text is plain here."""


def _link(text: str) -> None:
    if not _PLAIN_LINK.fullmatch(text):
        raise _Unusual


def _title(text: str) -> None:
    if _ESCAPED.search(text):
        raise _Unusual


def _author(text: str) -> None:
    if re.search(r"[@(<&]", text):
        raise _Unusual


_CHECKS = {"link": _link, "title": _title, "author": _author}
