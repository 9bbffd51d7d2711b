"""Tombstones of Atom feeds (RFC 6721): elements that say which entry was taken back, and when.

<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="tag:valley.example,2025:kiln"
                  when="2025-05-03T10:00:00Z"><at:comment>The kiln never stood there.</at:comment></at:deleted-entry>

Only well-formed feeds are asked: an element that is named in an entry's text takes nothing back.
"""

from __future__ import annotations

from typing import Any

import msgspec
from lxml import etree

from worker.clean.html import html_to_text
from worker.model import Article
from worker.parse.draft import Draft

_NAMESPACE = "http://purl.org/atompub/tombstones/1.0"
_DELETED = f"{{{_NAMESPACE}}}deleted-entry"
_COMMENT = f"{{{_NAMESPACE}}}comment"
_MOST = 20_000


class Tombstone(msgspec.Struct, frozen=True):
    """The id of an entry that was taken back, the moment as written, and why."""

    ref: str
    when: str = ""
    comment: str = ""


def take_tombstones(text: str) -> tuple[str, list[Tombstone]]:
    """The text of a feed -> the same without its tombstones, and these (at most 20,000); no entity is expanded."""
    if _NAMESPACE not in text:
        return text, []
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, strip_cdata=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        return text, []
    elements = [element for element in root if element.tag == _DELETED][:_MOST]
    found = [_read(element) for element in elements]
    for element in elements:
        root.remove(element)
    return etree.tostring(root, encoding="unicode"), [tombstone for tombstone in found if tombstone.ref]


def read_tombstone(tombstone: Tombstone, draft: Draft, member: int | str) -> Article:
    """A tombstone -> an article that withdraws the record of its entry."""
    draft.set_text("guid", tombstone.ref, "feed")
    draft.set_updated(tombstone.when, "feed")
    draft.set_text("abstract", html_to_text(tombstone.comment), "feed")
    draft.withdraw("feed")
    return draft.freeze("feed", "tombstone", member)


def _read(element: Any) -> Tombstone:
    comment = element.find(_COMMENT)
    said = "".join(comment.itertext()) if comment is not None else ""
    return Tombstone(ref=element.get("ref", "").strip(), when=element.get("when", ""), comment=said)
