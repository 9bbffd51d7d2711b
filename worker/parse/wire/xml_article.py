"""XML of no known standard whose elements are named like an article's: headline, byline, body, date.

An element is an article when one of its children is a body (or it has a headline and a body a level
below). What field a child holds is told by its name, without case and separators.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.model import Article
from worker.parse.draft import Draft
from worker.parse.wire import facts
from worker.parse.wire.body import Body, element_body, string_body
from worker.parse.wire.members import Member
from worker.parse.wire.xml_names import NAMES
from worker.parse.wire.xml_tree import Element, attribute, descendants, language_of, name_of, text_of

_ORIGIN = "xml"
# Elements that are named by an attribute: <field name="headline">.
_GENERIC = frozenset(["field", "property", "attribute", "meta", "metadata", "column", "element", "tag"])
_SEPARATORS = re.compile(r"[_.\- ]")
_NO_MOMENT = re.compile(r"0*1?-?0*1?-?0*1?(?:T00:00:00)?$")
_SHORTEST_BODY_CHARACTERS = 12
"""Shorter texts are flags and codes: an element named `content` may hold a number."""


def find_articles(root: Element) -> list[Element]:
    """Elements that are articles, in document order; none inside another."""
    found: list[Element] = []
    inside: set[Element] = set()
    for element in root.iter():
        parent = element.getparent()
        if parent is not None and parent in inside:
            inside.add(element)
            continue
        if _is_article(element):
            found.append(element)
            inside.add(element)
    return found


def read_article(element: Element, draft: Draft, member: Member) -> Article:
    """An element that is an article -> the article. Raises Rejected `no_article`."""
    fields = _fields(element)
    headline = _first(fields, "headline")
    draft.set_text("headline", headline, _ORIGIN)
    for name in ("subheadline", "abstract", "dateline", "provider", "guid"):
        text = _first(fields, name)
        draft.set_text(name, text.strip("/ ") if text != headline else None, _ORIGIN)
    facts.set_byline(draft, _first(fields, "byline"), _ORIGIN)
    draft.set_link("url", _first(fields, "url") or None, _ORIGIN)
    _set_dates(fields, draft)
    draft.declared_language = _language(fields, element)
    facts.set_urgency(draft, _first(fields, "urgency"), _ORIGIN)
    facts.set_status(draft, _first(fields, "status"), _ORIGIN)
    for name in ("sections", "keywords"):
        draft.set_terms(name, _terms(fields.get(name, [])), _ORIGIN)
    facts.set_rights(draft, "", _first(fields, "copyright"), "", _ORIGIN)
    draft.set_text("guid", attribute(element, "guid", "uuid", "id", "ID"), _ORIGIN)
    draft.set_published(attribute(element, "published", "pubdate", "date", "created"), _ORIGIN)
    return facts.finish_wire(draft, _best_body(fields), _ORIGIN, "xml_article", member)


def _is_article(element: Element) -> bool:
    names = {_label(below) for below in element}
    if names.isdisjoint(NAMES["body"]):
        return False
    names |= {_label(grand) for below in element if not _in_any(below, "body") for grand in below}
    if names.isdisjoint((*NAMES["headline"], *NAMES["published"])):
        return False
    return any(_label(below) in NAMES["body"] and _is_text(below) for below in element)


def _is_text(element: Element) -> bool:
    """Whether an element holds prose: enough characters, in itself or in markup (not in fields)."""
    if len(text_of(element)) < _SHORTEST_BODY_CHARACTERS:
        return False
    return all(_label(below) not in NAMES["headline"] for below in element)


def _fields(element: Element) -> dict[str, list[Element]]:
    """Field -> the elements that hold it, the most telling name first; children before grandchildren."""
    named: dict[str, list[Element]] = {}
    for below in (*element, *(grand for part in element if not _in_any(part, "body") for grand in part)):
        named.setdefault(_label(below), []).append(below)
    around = element.getparent()
    for beside in around if around is not None and around.getparent() is None and len(around) < 60 else ():
        if beside is not element and not len(beside):
            named.setdefault(_label(beside), []).append(beside)
    return {
        field: [found for name in names for found in named.get(name, ()) if text_of(found)]
        for field, names in NAMES.items()
    }


def _in_any(element: Element, field: str) -> bool:
    return _label(element) in NAMES[field]


def _first(fields: dict[str, list[Element]], name: str) -> str:
    found = fields.get(name)
    if not found:
        return ""
    inner = next(descendants(found[0], "name", "label"), None)
    return text_of(inner) if inner is not None else string_body(text_of(found[0])).text.replace("\n", " ")


def _set_dates(fields: dict[str, list[Element]], draft: Draft) -> None:
    for element in fields["published"]:
        if not _NO_MOMENT.match(text_of(element)) and draft.set_published(text_of(element), _ORIGIN):
            break
    for element in fields["updated"]:
        draft.set_updated(text_of(element), _ORIGIN)
    embargo = _first(fields, "embargo")
    if embargo and not _NO_MOMENT.match(embargo) and any(character.isdigit() for character in embargo):
        draft.set_embargo(embargo)


def _language(fields: dict[str, list[Element]], element: Element) -> str | None:
    said = _first(fields, "language")
    return said if re.fullmatch(r"[A-Za-z]{2,3}(?:[-_]\w+)?", said) else language_of(element) or element.get("lang")


def _terms(elements: list[Element]) -> Iterator[str]:
    for element in elements[:50]:
        labels = [text_of(below) for below in descendants(element, "label", "name", "keyword", "tag", "category")]
        yield from labels or re.split(r"[,;]", text_of(element))


def _best_body(fields: dict[str, list[Element]]) -> Body:
    for element in fields["body"]:
        body = element_body(element) if len(element) else string_body("".join(element.itertext()))
        if body.text:
            return body
    return Body()


def _label(element: Element) -> str:
    """An element's name in comparable form: its attribute's where it is one of the generic elements."""
    name = name_of(element).lower()
    if name in _GENERIC:
        name = (attribute(element, "name", "key", "id") or name).lower()
    return _SEPARATORS.sub("", name)


def set_wrapper_facts(element: Element, draft: Draft) -> None:
    """What the elements around a text in another format say (an agency's own envelope); what is known stays."""
    around = [below for below in element.getroottree().getroot().iter() if not len(below) and below is not element]
    inside = set(element.iter())
    named: dict[str, list[Element]] = {}
    for below in around:
        if below not in inside:
            named.setdefault(_label(below), []).append(below)
    fields = {
        field: [found for name in names for found in named.get(name, ()) if text_of(found)]
        for field, names in NAMES.items()
    }
    for name in ("headline", "guid", "provider"):
        draft.set_text(name, _first(fields, name).strip("/ "), _ORIGIN)
    facts.set_byline(draft, _first(fields, "byline"), _ORIGIN)
    _set_dates(fields, draft)
    draft.declared_language = draft.declared_language or _language(fields, element)
