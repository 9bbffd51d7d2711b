"""XML of wires -> a tree without document type, entities or network; and short ways to ask it.

Names are compared without namespace: agencies declare the standards' namespaces, older ones, their
own or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html.entities import html5
from typing import TypeAlias

from lxml import etree

from worker.clean.encoding import Decoded, decode
from worker.errors import Rejected
from worker.model import Document

_PROLOGUE = re.compile(r"\A\ufeff?\s*<\?xml[^>]*\?>")
_DOCTYPE = re.compile(r"<!DOCTYPE\s[^\[>]*(?:\[[^\]]*\]\s*)?>", re.IGNORECASE)
_DOCTYPE_WITHIN = 4096
"""Characters; the document type stands before the first element, after comments at most."""

_CDATA_OR_REFERENCE = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&([A-Za-z][A-Za-z0-9]{1,31});", re.DOTALL
)
_NUMBER = re.compile(r"&#(?:(?P<decimal>\d+)|[xX](?P<hex>[0-9a-fA-F]+));")
_OF_XML = frozenset(("amp", "lt", "gt", "quot", "apos"))
# Characters that XML 1.0 does not allow (section 2.2).
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_LONGEST_NUMBER = 7
"""Digits of the largest code point, 1114111 or 10FFFF."""

Element: TypeAlias = etree._Element  # noqa: SLF001 - lxml has no other name for the class of its elements

XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def read_tree(content: bytes, document: Document) -> tuple[Element, Decoded, bool]:
    """XML bytes -> (root, how it was decoded, whether it had to be repaired).

    The document type is cut out, so nothing it declares or names is ever read; HTML's named characters,
    which agencies use without declaring them, become characters. Raises Rejected `malformed_xml`,
    `empty_document`, `binary_content`.
    """
    decoded = decode(content, document.encoding_declared)
    text = _PROLOGUE.sub("", decoded.text, count=1)
    text = _DOCTYPE.sub("", text[:_DOCTYPE_WITHIN], count=1) + text[_DOCTYPE_WITHIN:]
    # Everywhere, also in what may only look like a CDATA section: libxml2 would make broken UTF-8 of them.
    text = _NUMBER.sub(_allowed_number, _FORBIDDEN.sub(" ", text))
    data = _CDATA_OR_REFERENCE.sub(_named_character, text).strip().encode("utf-8")
    try:
        return _parse(data, recover=False), decoded, False
    except etree.XMLSyntaxError:
        pass
    try:
        root = _parse(data, recover=True)
    except etree.XMLSyntaxError as error:
        raise Rejected("malformed_xml", str(error)[:300]) from error
    if root is None:
        raise Rejected("malformed_xml")
    _drop_prefixes(root)
    return root, decoded, True


def _drop_prefixes(root: Element) -> None:
    """Names whose prefix is declared nowhere lose it; where prefixes are declared there are none in names."""
    for element in root.iter(etree.Element):
        if ":" in element.tag and not element.tag.startswith("{"):
            name = _local_name(element.tag)
            element.tag = name if _NAME.fullmatch(name) else "unnamed"


def _parse(data: bytes, *, recover: bool) -> Element:
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=recover,
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(data, parser)


def _named_character(found: re.Match[str]) -> str:
    name = found[1]
    if name is None or name in _OF_XML:
        return found[0]
    character = html5.get(f"{name};")
    # An unknown name stays as text: better an odd word than an unreadable document.
    return character if character is not None and character not in "<&" else f"&amp;{name};"


def _allowed_number(found: re.Match[str]) -> str:
    """A reference to a character by number, or a space for one that XML forbids."""
    digits = (found["decimal"] or found["hex"]).lstrip("0")
    number = int(digits or "0", 10 if found["decimal"] else 16) if len(digits) <= _LONGEST_NUMBER else -1
    return found[0] if 0 < number < 0x110000 and not _FORBIDDEN.match(chr(number)) else " "


def name_of(element: Element) -> str:
    """An element's name without namespace or prefix; empty for what is no element."""
    tag = element.tag
    return _local_name(tag) if isinstance(tag, str) else ""


@lru_cache(maxsize=4096)
def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2]


@lru_cache(maxsize=1024)
def _in_any_namespace(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{{*}}{name}" for name in names)


def children(element: Element | None, *names: str) -> list[Element]:
    """Direct children of these names, in order."""
    return [] if element is None else list(element.iterchildren(*_in_any_namespace(names)))


def child(element: Element | None, *names: str) -> Element | None:
    """The first direct child of one of these names."""
    return next(iter(children(element, *names)), None)


def descendants(element: Element | None, *names: str) -> Iterator[Element]:
    """All elements below of these names, in document order."""
    if element is not None:
        yield from element.iterdescendants(*_in_any_namespace(names))


def descendant(element: Element | None, *names: str) -> Element | None:
    """The first element below of one of these names."""
    return next(descendants(element, *names), None)


def text_of(element: Element | None) -> str:
    """All text inside an element, in one line."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def text_at(element: Element | None, *path: str) -> str:
    """The text of the first element at a path of child names; empty where there is none."""
    for name in path:
        element = child(element, name)
    return text_of(element)


def attribute(element: Element | None, *names: str) -> str:
    """The first attribute of these names that is there and not blank, stripped."""
    if element is None:
        return ""
    return next((value for name in names if (value := (element.get(name) or "").strip())), "")


def language_of(element: Element | None) -> str | None:
    """xml:lang of an element or the nearest one around it."""
    while element is not None:
        if tag := (element.get(XML_LANG) or "").strip():
            return tag
        element = element.getparent()
    return None
