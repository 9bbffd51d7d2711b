"""Plain items of RSS 2.0 as feedparser would give them, and what plain means for every dialect."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from worker.clean.dates import read_date

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
IGNORED = frozenset(
    (
        "comments",
        "{http://purl.org/rss/1.0/modules/slash/}comments",
        "{http://wellformedweb.org/CommentAPI/}commentRss",
        "{http://wellformedweb.org/CommentAPI/}comment",
        "{http://purl.org/syndication/thread/1.0}total",
    )
)
"""Elements that tell nothing of the article."""
LISTS = {f"{_MEDIA}content": "media_content", f"{_MEDIA}thumbnail": "media_thumbnail"}
"""Elements of which only the attributes count, and the list they go into."""
_ESCAPED = re.compile(r"</\w+>|&#?\w+;")
_PLAIN_LINK = re.compile(r"https?://[^\s/?#&;\\]+(?:/(?!/|\.)[^\s?#;\\/]*)*(?:\?[^\s#;\\]+)?(?:#[^\s;\\]+)?")
_REPAIRED = re.compile("[\x80-\x9f\ufeff]|[\u00c2-\u00f4][\u0080-\u00bf]")
"""What feedparser may take for damage and mend."""


class Unusual(Exception):
    """An entry holds something that is left to feedparser."""


def read_item(item: etree._Element) -> dict[str, Any]:
    """An item as feedparser would give it, as far as articles need it. Raises `Unusual`."""
    if item.attrib:
        raise Unusual
    entry: dict[str, Any] = {"links": [], "tags": []}
    for node in item.iterchildren(tag=etree.Element):
        name = str(node.tag)
        if len(node):
            raise Unusual
        if name in _TEXTS:
            _set_text(entry, _TEXTS[name], node)
        elif name in LISTS:
            entry.setdefault(LISTS[name], []).append(dict(node.attrib))
        elif name == "category":
            entry["tags"].append({"term": text_of(node), "scheme": node.get("domain"), "label": None})
        elif name == "enclosure":
            entry["links"].append({"rel": "enclosure", "href": node.get("url"), "type": node.get("type")})
        elif name not in IGNORED:
            raise Unusual
    _complete(entry)
    return entry


def _complete(entry: dict[str, Any]) -> None:
    """What an item leaves unsaid: a guid that is an address stands for the link, the content for the summary."""
    if "link" not in entry and entry.pop("guid_is_link", False):
        entry["link"] = entry["id"]
    if entry.get("content"):
        entry.setdefault("summary", entry["content"][0]["value"])


def _set_text(entry: dict[str, Any], field: str, node: etree._Element) -> None:
    text = text_of(node)
    if field in entry or not text or (node.attrib and field != "id"):
        raise Unusual
    if field == "content":
        entry["content"] = [{"type": "text/html", "value": text, "language": None}]
        return
    _CHECKS.get(field, _any)(text)
    if field == "link":
        entry["links"].append({"rel": "alternate", "type": "text/html", "href": text})
    elif field == "id":
        entry["guid_is_link"] = node.get("isPermaLink", "true") == "true"
        if entry["guid_is_link"]:
            check_link(text)
    elif field == "published":
        check_date(text)
    elif field == "summary":
        entry["summary_detail"] = {"type": "text/html", "language": None}
    elif field == "title":
        entry["title_detail"] = {"type": "text/plain", "language": None}
    elif field == "author":
        entry["authors"] = [{"name": text}]
    entry[field] = text


def text_of(node: etree._Element) -> str:
    """The text of an element. Raises `Unusual` where feedparser might mend it."""
    text = (node.text or "").strip()
    if not text.isascii() and _REPAIRED.search(text):
        raise Unusual
    return text


def _any(text: str) -> None:
    """Any text is plain here."""


def check_link(text: str) -> None:
    """Raises `Unusual` for all but plain links."""
    if not is_plain_link(text):
        raise Unusual


def is_plain_link(text: str) -> bool:
    """Whether a text is an http(s) address that nothing has to complete or clean."""
    return _PLAIN_LINK.fullmatch(text) is not None


def check_date(text: str) -> None:
    """Raises `Unusual` for a date that feedparser may read where we cannot."""
    if "date_unreadable" in read_date(text).warnings:
        raise Unusual


def check_title(text: str) -> None:
    """Raises `Unusual` for a title with markup in it."""
    if _ESCAPED.search(text):
        raise Unusual


def check_author(text: str) -> None:
    """Raises `Unusual` for a name with an address in it."""
    if re.search(r"[@(<&]", text):
        raise Unusual


_CHECKS = {"link": check_link, "title": check_title, "author": check_author}
