"""NewsML 1.0 to 1.2: news items of nested components; the text is that of the main one.

<NewsML><NewsEnvelope/><NewsItem><Identification/><NewsManagement/>
  <NewsComponent><NewsLines/><AdministrativeMetadata/><DescriptiveMetadata/>
    <NewsComponent><Role FormalName="Main"/><ContentItem><DataContent/></ContentItem></NewsComponent>
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from worker.model import Article, Media, Subject
from worker.parse.draft import Draft
from worker.parse.wire import facts, nitf
from worker.parse.wire.body import Body, base64_text, element_body, string_body
from worker.parse.wire.members import Member
from worker.parse.wire.xml_tree import (
    Element,
    attribute,
    child,
    children,
    descendant,
    language_of,
    name_of,
    text_at,
    text_of,
)

_ORIGIN = "newsml1"
# Some agencies send each part of a story as a component of its own.
_PART_ROLES = {"title": "headline", "headline": "headline", "subtitle": "subheadline", "lead": "abstract"}
_SIDE_ROLES = ("caption", "photo", "picture", "image", "thumbnail", "quicklook", "preview", "icon", "graphic", "video")
_CAPTION = -1
_RANKS = {
    "main": 3,
    "body": 2,
    **dict.fromkeys((*_PART_ROLES, "summary", "sidebar"), 0),
    **dict.fromkeys((*_SIDE_ROLES, "audio"), _CAPTION),
}
"""How much a component's role makes its text the story's; 1 for any other."""

_SUBJECTS = ("Subject", "SubjectMatter", "SubjectDetail", "SubjectQualifier")


def read_news_item(item: Element, draft: Draft, member: Member) -> Article:
    """A <NewsItem> -> its article. Raises Rejected `no_article` for pictures and the like."""
    texts = list(_texts(item))
    found = max(texts, key=lambda text: (text[1], len(text[2].text)), default=None)
    if found is not None and found[1] == _CAPTION:
        raise facts.refuse_media("picture")
    component = child(item, "NewsComponent")
    if found is not None:
        component = next(_around(found[0], "NewsComponent"), component)
    lines = list(_news_lines(component, item))
    _set_identification(item, draft)
    _set_management(item, draft)
    set_lines(lines, draft)
    _set_parts(texts, draft)
    _set_metadata(component, item, draft)
    if found is None and _is_picture(item):
        raise facts.refuse_media("picture")
    inner = descendant(found[0], "nitf") if found is not None else None
    if inner is not None:
        nitf.set_facts(inner, draft)
    if found is not None:
        draft.set_text("headline", text_of(descendant(found[0], "h1", "title")), _ORIGIN)
    facts.set_media(draft, _media(item), _ORIGIN)
    return facts.finish_wire(draft, found[2] if found is not None else Body(), _ORIGIN, _ORIGIN, member)


def _set_parts(texts: list[tuple[Element, int, Body]], draft: Draft) -> None:
    """Fields that are components of their own, told by their roles."""
    for content, _, body in texts:
        role = attribute(child(next(_around(content, "NewsComponent"), None), "Role"), "FormalName").casefold()
        if role in _PART_ROLES:
            draft.set_text(_PART_ROLES[role], body.text, _ORIGIN)


def _texts(item: Element) -> Iterator[tuple[Element, int, Body]]:
    """Each content item that is text: with its rank (main 2, supporting 0, otherwise 1) and its body."""
    for content in _own(item, "ContentItem"):
        data = descendant(content, "DataContent")
        kind = attribute(child(content, "MediaType"), "FormalName") or attribute(
            child(content, "MimeType"), "FormalName"
        )
        if data is None or facts.is_media_type(kind):
            continue
        roles = [
            attribute(child(around, "Role"), "FormalName").casefold() for around in _around(content, "NewsComponent")
        ]
        nearest = next(filter(None, roles), "")
        body = _data_body(data, content)
        if body.text:
            yield content, _RANKS.get(nearest, 1), body


def _data_body(data: Element, content: Element) -> Body:
    if descendant(data, "body.content") is not None:
        return nitf.nitf_body(data)
    if len(data):
        return element_body(descendant(data, "body") if descendant(data, "body") is not None else data)
    text = data.text or ""
    if (
        attribute(child(content, "Encoding"), "Notation").casefold() == "base64"
        or name_of(data.getparent()) == "Encoding"
    ):
        text = base64_text(text)
    return string_body(text)


def _own(item: Element, name: str) -> Iterator[Element]:
    """Elements below a news item that belong to no news item inside it."""
    walk = etree.iterwalk(item, events=("start",))
    for _, found in walk:
        if found is not item and name_of(found) == "NewsItem":
            walk.skip_subtree()
        elif name_of(found) == name:
            yield found


def _around(element: Element, name: str) -> Iterator[Element]:
    return (around for around in element.iterancestors() if name_of(around) == name)


def _news_lines(component: Element | None, item: Element) -> Iterator[Element]:
    """News lines, the nearest to the text first."""
    if component is not None:
        for around in (component, *_around(component, "NewsComponent")):
            yield from children(around, "NewsLines")
    yield from _own(item, "NewsLines")


def _set_identification(item: Element, draft: Draft) -> None:
    identifier = descendant(child(item, "Identification"), "NewsIdentifier")
    parts = [text_at(identifier, name) for name in ("ProviderId", "DateId", "NewsItemId")]
    # The specification builds the public identifier from these three and the revision: without the
    # revision it names the item, whatever its version.
    guid = f"urn:newsml:{':'.join(parts)}" if all(parts) else text_at(identifier, "PublicIdentifier") or parts[2]
    draft.set_text("guid", guid, _ORIGIN)
    draft.declared_language = language_of(item)


def _set_management(item: Element, draft: Draft) -> None:
    management = child(item, "NewsManagement")
    draft.set_published(text_at(management, "FirstCreated"), _ORIGIN)
    draft.set_updated(text_at(management, "ThisRevisionCreated"), _ORIGIN)
    draft.set_published(text_at(management, "ThisRevisionCreated"), _ORIGIN)
    # The transmission's own date is right to minutes, which is better than none.
    draft.set_published(text_of(descendant(child(item.getparent(), "NewsEnvelope"), "DateAndTime")), _ORIGIN)
    for name in ("Urgency", "Priority"):
        element = child(management, name)
        facts.set_urgency(draft, attribute(element, "FormalName") or text_of(element), _ORIGIN)
    status = child(management, "Status")
    facts.set_status(draft, attribute(status, "FormalName") or text_of(status), _ORIGIN)
    for change in children(management, "StatusWillChange"):
        if "embargo" in attribute(status, "FormalName").casefold():
            draft.set_embargo(text_at(change, "DateAndTime"))
    for instruction in children(management, "Instruction"):
        word = attribute(instruction, "FormalName").casefold()
        if word.startswith("correct") or word == "rectify":
            draft.add_correction(text_of(instruction), _ORIGIN)
        facts.set_status(draft, word, _ORIGIN)


def set_lines(lines: list[Element], draft: Draft) -> None:
    """What <NewsLines> elements say, those of the first before the others'."""
    for line in lines:
        facts.set_line(draft, "headline", text_at(line, "HeadLine"), _ORIGIN)
        facts.set_line(draft, "subheadline", text_at(line, "SubHeadLine"), _ORIGIN)
        for byline in children(line, "ByLine"):
            facts.set_byline(draft, text_of(byline), _ORIGIN)
        draft.set_text("dateline", text_at(line, "DateLine").rstrip(" -–—"), _ORIGIN)
        draft.set_text("provider", text_at(line, "CreditLine"), _ORIGIN)
        facts.set_rights(draft, "", text_at(line, "CopyrightLine"), text_at(line, "RightsLine"), _ORIGIN)
        draft.set_terms("keywords", (text_of(word) for word in children(line, "KeywordLine")), _ORIGIN)


def _set_metadata(component: Element | None, item: Element, draft: Draft) -> None:
    components = [] if component is None else [component, *_around(component, "NewsComponent")]
    described = [part for around in components for part in children(around, "DescriptiveMetadata")]
    described += list(_own(item, "DescriptiveMetadata"))
    names = _topic_names(item)
    subjects: list[Subject | None] = []
    for part in dict.fromkeys(described):
        language = child(part, "Language")
        draft.declared_language = draft.declared_language or attribute(language, "FormalName") or None
        subjects += [
            facts.subject(
                names.get(attribute(term, "FormalName"), ""), attribute(term, "FormalName"), attribute(term, "Scheme")
            )
            for code in children(part, "SubjectCode")
            for term in children(code, *_SUBJECTS)
        ]
        draft.set_terms("keywords", _properties(part, "Keyword"), _ORIGIN)
        draft.set_terms("places", (_place(place) for place in children(part, "Location")), _ORIGIN)
    facts.set_subjects(draft, subjects, _ORIGIN)
    draft.set_terms("keywords", (text_of(slug) for slug in _own(item, "SlugLine")), _ORIGIN)
    _set_administration(item, draft)


def _set_administration(item: Element, draft: Draft) -> None:
    for part in _own(item, "AdministrativeMetadata"):
        for name in ("Provider", "Source"):
            party = descendant(child(part, name), "Party")
            draft.set_text("provider", attribute(party, "FormalName") or text_of(party), _ORIGIN)
        parties = (descendant(creator, "Party") for creator in children(part, "Creator"))
        draft.set_authors([attribute(party, "FormalName") for party in parties], _ORIGIN)
    draft.set_text("provider", text_at(item, "Identification", "NewsIdentifier", "ProviderId"), _ORIGIN)


def _properties(element: Element, name: str) -> list[str]:
    return [
        attribute(found, "Value") or text_of(found)
        for found in children(element, "Property")
        if attribute(found, "FormalName") == name
    ]


def _place(location: Element) -> str:
    named = (_properties(location, name) for name in ("City", "CountryArea", "Country"))
    return ", ".join(found[0] for found in named if found)


def _topic_names(item: Element) -> dict[str, str]:
    """Formal name of a topic -> its readable name, as a TopicSet describes it."""
    names: dict[str, str] = {}
    for topic in _own(item, "Topic"):
        described = [found for found in children(topic, "Description") if attribute(found, "Variant") in ("", "Name")]
        english = [found for found in described if (language_of(found) or "").startswith("en")]
        chosen = next(iter(english or described), None)
        if chosen is not None:
            names[text_at(topic, "FormalName")] = text_of(chosen)
    return names


def _is_picture(item: Element) -> bool:
    kinds = [attribute(kind, "FormalName") for kind in _own(item, "MediaType")]
    return bool(kinds) and all(map(facts.is_media_type, kinds))


def _media(item: Element) -> Iterator[Media]:
    for content in _own(item, "ContentItem"):
        kind = attribute(child(content, "MediaType"), "FormalName") or attribute(
            child(content, "MimeType"), "FormalName"
        )
        if facts.is_media_type(kind):
            yield Media(url=attribute(content, "Href"), type=kind.partition("/")[0].lower())
