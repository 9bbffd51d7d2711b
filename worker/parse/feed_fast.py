"""Large RSS and Atom feeds read fast: entries of plain, well-known elements by lxml, all others by feedparser.

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

from worker.parse.feed_fast_atom import ATOM, XML, read_entry
from worker.parse.feed_fast_rss import Unusual, is_plain_link, read_item

FEWEST_ENTRIES = 100
"""Below this feedparser alone is quick enough, and nothing is to be compared."""

_SAMPLE = 24
"""How many plain entries are read both ways, the first and the last among them."""
_MOST_UNUSUAL = 0.2
"""Share of unusual entries above which feedparser reads the whole feed."""

_ITEM = re.compile(r"<(?:item|entry)[\s>]")
_ROOT = re.compile(r"<(rss|feed)\b[^<>]*>")
# What gives texts or links a base or a language of their own, and declarations that could change what a text is.
_CONTEXT = re.compile(r"xml:base|xml:lang|\s(?:base|lang)=|<!DOCTYPE", re.IGNORECASE)

_Reader = Callable[[Any], dict[str, Any]]


class LargeFeed(msgspec.Struct, frozen=True):
    """The entries of a large feed as read here (None: unusual), which of them feedparser is to read, and their feed.

    `skeleton` is the feed with the entries of `indexes` only.
    """

    entries: list[dict[str, Any] | None]
    indexes: list[int]
    skeleton: str


def read_large(text: str, base: str | None) -> LargeFeed | None:
    """The text of a feed, and the address it was fetched from -> its entries; None: feedparser is to read all of it."""
    root = _tree(text)
    dialect = _dialect(root) if root is not None else None
    if root is None or dialect is None:
        return None
    parent, items, read = dialect
    base = root.get(f"{XML}base") or base
    entries = [_read(item, read, base) for item in items]
    unusual = {index for index, entry in enumerate(entries) if entry is None}
    if len(unusual) > len(items) * _MOST_UNUSUAL:
        return None
    step = max(1, len(items) // _SAMPLE)
    chosen = sorted(unusual | set(range(0, len(items), step)) | {len(items) - 1})
    kept = {items[index] for index in chosen}
    for item in items:
        if item not in kept:
            parent.remove(item)
    return LargeFeed(entries, chosen, etree.tostring(root, encoding="unicode"))


def _tree(text: str) -> etree._Element | None:
    """The root of a feed that is large, well-formed and without declarations of its own; else None."""
    root_tag = _ROOT.search(text) if sum(1 for _ in _ITEM.finditer(text)) >= FEWEST_ENTRIES else None
    if root_tag is None or "<!DOCTYPE" in text[: root_tag.start()].upper():
        return None
    if root_tag[1] == "rss" and _CONTEXT.search(text):
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, strip_cdata=False)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        return None


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


def _dialect(root: etree._Element) -> tuple[etree._Element, list[etree._Element], _Reader] | None:
    """Where the entries of a feed are, they themselves, and what reads one; None for another dialect."""
    if root.tag == f"{ATOM}feed":
        return None if _has_context(root) else (root, root.findall(f"{ATOM}entry"), read_entry)
    channels = root.findall("channel")
    if root.tag == "rss" and len(channels) == 1 and str(root.get("version", "")).startswith("2."):
        return channels[0], channels[0].findall("item"), read_item
    return None


def _has_context(root: etree._Element) -> bool:
    """Whether an Atom feed says more of its texts than their language and an address that their links begin with.

    (Its entries are looked at one by one.)
    """
    base = root.get(f"{XML}base")
    return (
        root.get("base") is not None or root.get("lang") is not None or (base is not None and not is_plain_link(base))
    )


def _read(item: etree._Element, read: _Reader, base: str | None) -> dict[str, Any] | None:
    try:
        entry = read(item)
    except Unusual:
        return None
    for text in (*entry.get("content", ()), entry.get("summary_detail", {})):
        text.setdefault("base", base)
    return entry
