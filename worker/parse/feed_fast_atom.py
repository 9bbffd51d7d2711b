"""Plain entries of Atom 1.0 (RFC 4287) as feedparser would give them."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from worker.parse.feed_fast_rss import (
    IGNORED,
    LISTS,
    Unusual,
    check_author,
    check_date,
    check_link,
    check_title,
    text_of,
)

ATOM = "{http://www.w3.org/2005/Atom}"
XML = "{http://www.w3.org/XML/1998/namespace}"
_AUTHOR_PARTS = frozenset((f"{ATOM}name", f"{ATOM}uri", f"{ATOM}email", "{http://schemas.google.com/g/2005}image"))
_CONTEXT = frozenset(("base", "lang", f"{XML}base", f"{XML}lang"))
"""Attributes by which feedparser changes what an element and all inside mean."""

_CONSTRUCTS = ("title", "summary", "content")
_TYPES = {"text": "text/plain", "text/plain": "text/plain", "html": "text/html", "text/html": "text/html"}
_ABSOLUTE_ID = re.compile(r"(?:urn|tag):[\w.,:/@#%+=-]+")
"""Ids that are no addresses, and that nothing has to complete."""


def read_entry(element: etree._Element) -> dict[str, Any]:
    """An entry as feedparser would give it, as far as articles need it. Raises `Unusual`."""
    if element.attrib:
        raise Unusual
    entry: dict[str, Any] = {"links": [], "tags": []}
    for node in element.iterchildren(tag=etree.Element):
        namespace, _, name = str(node.tag).rpartition("}")
        if not _CONTEXT.isdisjoint(node.keys()) and node.tag != f"{ATOM}content":
            raise Unusual
        if namespace + "}" == ATOM:
            _read(entry, name, node)
        elif node.tag in LISTS and not len(node):
            entry.setdefault(LISTS[str(node.tag)], []).append(dict(node.attrib))
        elif node.tag not in IGNORED or len(node):
            raise Unusual
    if "link" not in entry:
        raise Unusual
    if entry.get("content"):
        entry.setdefault("summary", entry["content"][0]["value"])
    return entry


def _read(entry: dict[str, Any], name: str, node: etree._Element) -> None:
    if name == "author":
        _add_author(entry, node)
    elif len(node):
        raise Unusual
    elif name == "link":
        _add_link(entry, node)
    elif name == "category":
        _add_category(entry, node)
    elif name in entry:
        raise Unusual
    elif name in _CONSTRUCTS:
        _set_construct(entry, name, node)
    else:
        _set_plain(entry, name, node)


def _set_plain(entry: dict[str, Any], name: str, node: etree._Element) -> None:
    text = text_of(node)
    if node.attrib or not text:
        raise Unusual
    if name in ("published", "updated"):
        check_date(text)
    elif name != "id":
        raise Unusual
    elif _ABSOLUTE_ID.fullmatch(text) is None:
        check_link(text)
    entry[name] = text


def _set_construct(entry: dict[str, Any], name: str, node: etree._Element) -> None:
    text, media_type = text_of(node), _TYPES.get(node.get("type", "text"))
    if not text or media_type is None or not set(node.keys()) <= {"type", f"{XML}base"}:
        raise Unusual
    if name == "content":
        entry["content"] = [{"type": media_type, "value": text, "language": None} | _base_of(node)]
        return
    if name == "title" and media_type == "text/html":
        check_title(text)
    entry[name] = text
    entry[f"{name}_detail"] = {"type": media_type, "language": None}


def _base_of(node: etree._Element) -> dict[str, str]:
    """The address that the links of a text are relative to, where it has one of its own."""
    base = node.get(f"{XML}base")
    if base is None:
        return {}
    check_link(base)
    return {"base": base}


def _add_link(entry: dict[str, Any], node: etree._Element) -> None:
    relation, address, kind = node.get("rel", "alternate"), node.get("href", ""), node.get("type", "text/html")
    if relation not in ("alternate", "enclosure"):
        return
    check_link(address)
    entry["links"].append({"rel": relation, "type": kind, "href": address})
    if relation == "alternate":
        if kind != "text/html" or "link" in entry:
            raise Unusual
        entry["link"] = address


def _add_category(entry: dict[str, Any], node: etree._Element) -> None:
    if not node.get("term") or node.text:
        raise Unusual
    entry["tags"].append({name: node.get(name) for name in ("term", "scheme", "label")})


def _add_author(entry: dict[str, Any], node: etree._Element) -> None:
    names = [text_of(child) for child in node if child.tag == f"{ATOM}name"]
    if len(names) != 1 or not {child.tag for child in node} <= _AUTHOR_PARTS:
        raise Unusual
    if any(len(child) or not _CONTEXT.isdisjoint(child.keys()) for child in node):
        raise Unusual
    check_author(names[0])
    entry.setdefault("authors", []).append({"name": names[0]})
