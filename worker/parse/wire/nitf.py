"""NITF 2 and 3 (News Industry Text Format): a document of its own, or the content of a NewsML item.

<nitf><head><docdata/></head><body><body.head/><body.content/></body></nitf>
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.clean.dates import read_date
from worker.model import Article, Media, Subject
from worker.parse.draft import Draft
from worker.parse.end_marks import end_mark
from worker.parse.wire import facts, xml_article
from worker.parse.wire.body import Body, element_body
from worker.parse.wire.members import Member
from worker.parse.wire.xml_tree import (
    Element,
    attribute,
    child,
    children,
    descendant,
    descendants,
    name_of,
    text_of,
)

_ORIGIN = "nitf"
_DAY_CHARACTERS = 10
"""A date of at most this length (2025-05-03) has no time of day."""

_TAGLINE_CHARACTERS = 100
_SENTENCE = re.compile(r"\s[^\W\d_a-z]*[a-z][^\W\d_]*ed\s|\w\w[.!?]$")
"""A tagline may be a sentence about its author."""
_SUBJECT_NAMES = ("detail", "matter", "type", "qualifier", "code")


def read_nitf(root: Element, draft: Draft, member: Member) -> Article:
    """An <nitf> element -> its article. Raises Rejected `no_article`."""
    set_facts(root, draft)
    if member is None and root.getparent() is not None:
        xml_article.set_wrapper_facts(root, draft)
    return facts.finish_wire(draft, nitf_body(root), _ORIGIN, _ORIGIN, member)


def nitf_body(root: Element) -> Body:
    """The text of <body.content>, or of what stands in its place."""
    parts = list(descendants(root, "body.content"))
    # A note in the head has a body.content of its own.
    content = next((part for part in parts if not _inside(part, "body.head", "note")), None)
    if content is not None:
        return element_body(content)
    body = root if name_of(root) == "body" else descendant(root, "body")
    return element_body(body) if body is not None else Body()


def set_facts(root: Element, draft: Draft) -> None:
    """What the head, the body's head and the media of an NITF document say; what is known already stays."""
    head, body_head = child(root, "head"), descendant(root, "body.head")
    hedline = descendant(body_head, "hedline", "headline")
    draft.set_text("headline", text_of(descendant(body_head, "hl1")) or _own_text(hedline), _ORIGIN)
    draft.set_text("subheadline", text_of(descendant(body_head, "hl2")), _ORIGIN)
    draft.set_text("headline", text_of(child(head, "title")), _ORIGIN)
    abstract = descendant(body_head, "abstract")
    draft.set_text("abstract", element_body(abstract).text if abstract is not None else "", _ORIGIN)
    _set_people(root, body_head, draft)
    dateline = descendant(body_head, "dateline")
    draft.set_text("dateline", _without_dash(dateline), _ORIGIN)
    draft.set_text("provider", text_of(descendant(body_head, "distributor")), _ORIGIN)
    _set_docdata(root, draft)
    facts.set_subjects(draft, _subjects(root), _ORIGIN)
    facts.set_media(draft, _media(root), _ORIGIN)
    if draft.declared_language is None:
        draft.declared_language = attribute(root, "baselang") or None


def _own_text(element: Element | None) -> str:
    """The text of an element that has none inside."""
    return text_of(element) if element is not None and not len(element) else ""


def _without_dash(dateline: Element | None) -> str:
    """`LEEDS, Jan 5 -` -> `LEEDS, Jan 5`."""
    return text_of(dateline).rstrip(" -–—")


def _set_people(root: Element, body_head: Element | None, draft: Draft) -> None:
    bylines = list(descendants(body_head, "byline"))
    people = [person for byline in bylines for person in descendants(byline, "person")]
    draft.set_text("byline", " ".join(map(text_of, bylines)), _ORIGIN)
    draft.set_authors(map(_name_of, people), _ORIGIN)
    draft.set_authors(map(_without_titles, bylines), _ORIGIN)
    tagline = text_of(descendant(root, "tagline"))
    if tagline and end_mark(tagline) is None and not _SENTENCE.search(tagline) and len(tagline) < _TAGLINE_CHARACTERS:
        draft.set_authors([tagline], _ORIGIN)


def _without_titles(byline: Element) -> str:
    printed = text_of(byline)
    for title in {text_of(title) for title in descendants(byline, "byttl")}:
        printed = printed.replace(title, " ; ")
    return printed


def _name_of(person: Element) -> str:
    """The name of a <person>: its parts may stand without a space between."""
    parts = [text_of(part) for part in children(person, "name.given", "name.family")]
    return " ".join(parts) if len(parts) > 1 else text_of(person)


def _set_docdata(root: Element, draft: Draft) -> None:
    docdata = descendant(root, "docdata")
    if docdata is None:
        return
    draft.set_text("guid", attribute(descendant(docdata, "doc-id"), "id-string"), _ORIGIN)
    for moment in _moments(root, docdata, draft):
        draft.set_published(moment, _ORIGIN)
    revisions = [attribute(revision, "norm") for revision in descendants(root, "revision-history")]
    if revisions and len(revisions[-1]) > _DAY_CHARACTERS:
        draft.set_updated(revisions[-1], _ORIGIN)
    facts.set_urgency(draft, attribute(descendant(docdata, "urgency"), "ed-urg"), _ORIGIN)
    draft.set_terms("keywords", (attribute(key, "key") for key in descendants(docdata, "keyword")), _ORIGIN)
    draft.set_terms("places", _places(docdata), _ORIGIN)
    for correction in descendants(docdata, "correction"):
        draft.add_correction(attribute(correction, "info"), _ORIGIN)
    message = attribute(descendant(docdata, "ed-msg"), "info")
    if facts.is_kill(message.upper()):
        draft.withdraw(_ORIGIN)
    if facts.is_correction(message):
        draft.add_correction(message, _ORIGIN)
    status = attribute(docdata, "management-status")
    facts.set_status(draft, status, _ORIGIN)
    release = attribute(descendant(docdata, "date.release"), "norm")
    if status.casefold() == "embargoed" or _lies_ahead(release, draft):
        draft.set_embargo(release)
    rights, owner = descendant(docdata, "doc.copyright"), descendant(docdata, "doc.rights")
    facts.set_rights(
        draft,
        attribute(rights, "holder") or attribute(owner, "owner"),
        " ".join(("©", attribute(rights, "year"), attribute(rights, "holder"))) if rights is not None else "",
        attribute(owner, "limitations"),
        _ORIGIN,
    )
    source = descendant(docdata, "from-src")
    draft.set_text("provider", attribute(source, "src-name") or attribute(rights, "holder"), _ORIGIN)


def _lies_ahead(release: str, draft: Draft) -> bool:
    """Whether a release with a time of day is to come."""
    at = read_date(release).at if len(release) > _DAY_CHARACTERS else None
    return at is not None and at > draft.document.received_at


def _moments(root: Element, docdata: Element, draft: Draft) -> list[str]:
    """When it was issued, released or published: what has a time of day before what is a day."""
    found = [descendant(docdata, "date.issue"), descendant(docdata, "date.release"), descendant(root, "story.date")]
    said = [attribute(moment, "norm") or text_of(moment) for moment in found]
    said = [moment for moment in said if not _lies_ahead(moment, draft)]
    said.append(attribute(descendant(root, "pubdata"), "date.publication"))
    return sorted(filter(None, said), key=lambda moment: len(moment) <= _DAY_CHARACTERS)


def _places(docdata: Element) -> Iterator[str]:
    for place in descendants(docdata, "evloc", "location"):
        named = (attribute(place, key) for key in ("city", "county-dist", "state-prov", "iso-cc"))
        yield text_of(place) or ", ".join(part for part in named if part)


def _subjects(root: Element) -> Iterator[Subject | None]:
    for term in descendants(root, "tobject.subject"):
        name = next((text for key in _SUBJECT_NAMES if (text := attribute(term, f"tobject.subject.{key}"))), "")
        yield facts.subject(name, attribute(term, "tobject.subject.refnum"), "")
    for term in descendants(root, "classifier"):
        yield facts.subject(attribute(term, "value"), attribute(term, "idsrc"), attribute(term, "type"))


def _media(root: Element) -> Iterator[Media]:
    for medium in descendants(root, "media"):
        caption = " ".join(filter(None, (text_of(part) for part in children(medium, "media-caption"))))
        credit = text_of(child(medium, "media-producer"))
        for reference in descendants(medium, "media-reference"):
            yield Media(
                url=attribute(reference, "source"),
                type=attribute(medium, "media-type") or None,
                caption=caption or attribute(reference, "alternate-text") or None,
                credit=credit or None,
            )


def _inside(element: Element, *names: str) -> bool:
    return any(name_of(around) in names for around in element.iterancestors())
