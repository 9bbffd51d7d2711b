"""NewsML-G2: news items, alone or in a news message; packages and concepts hold references, no text.

<newsMessage><header/><itemSet><newsItem guid version>
  <rightsInfo/><itemMeta/><contentMeta/><contentSet><inlineXML|inlineData|remoteContent/></contentSet>
"""

from __future__ import annotations

from collections.abc import Iterator

from worker.model import Article, Media, Subject
from worker.parse.draft import Draft
from worker.parse.wire import facts, nitf
from worker.parse.wire.body import Body, base64_text, element_body, string_body
from worker.parse.wire.members import Member
from worker.parse.wire.xml_tree import (
    XML_LANG,
    Element,
    attribute,
    child,
    children,
    descendant,
    descendants,
    language_of,
    name_of,
    text_at,
    text_of,
)

_ORIGIN = "newsml_g2"
_TEXTUAL = ("name", "title")


def read_news_item(item: Element, draft: Draft, member: Member) -> Article:
    """A <newsItem> -> its article. Raises Rejected `no_article` for pictures, packages and the like."""
    item_meta, content_meta = child(item, "itemMeta"), child(item, "contentMeta")
    kind = attribute(child(item_meta, "itemClass"), "qcode", "uri")
    content, body = _content(item)
    if not body.text and facts.is_media_type(kind.rpartition("/")[2]):
        raise facts.refuse_media(kind)
    draft.set_text("guid", attribute(item, "guid"), _ORIGIN)
    _set_item_meta(item_meta, draft)
    _set_content_meta(content_meta, draft)
    _set_rights(item, draft)
    _set_language(item, content_meta, draft)
    inner = content if content is not None and name_of(content) == "nitf" else descendant(content, "nitf")
    if inner is not None:
        nitf.set_facts(inner, draft)
    draft.set_text("headline", text_of(descendant(content, "h1")) or text_at(item_meta, "title"), _ORIGIN)
    draft.set_text("headline", text_of(descendant(content, "title")), _ORIGIN)
    facts.set_media(draft, _media(item), _ORIGIN)
    return facts.finish_wire(draft, body, _ORIGIN, _ORIGIN, member)


def _content(item: Element) -> tuple[Element | None, Body]:
    """The content with the longest text, and that text: alternatives render the same story."""
    found: list[tuple[Element | None, Body]] = []
    for content in children(child(item, "contentSet"), "inlineXML", "inlineData"):
        if facts.is_media_type(attribute(content, "contenttype")):
            continue
        found.append((content, _body(content)))
    return max(found, key=lambda pair: len(pair[1].text), default=(None, Body()))


def _body(content: Element) -> Body:
    if not len(content):
        text = content.text or ""
        return string_body(base64_text(text) if attribute(content, "encoding", "encoder") else text)
    if descendant(content, "body.content") is not None:
        return nitf.nitf_body(content)
    body = descendant(content, "body")
    return element_body(body if body is not None else content)


def _set_item_meta(meta: Element | None, draft: Draft) -> None:
    created = text_at(meta, "firstCreated")
    version = text_at(meta, "versionCreated")
    draft.set_published(created, _ORIGIN)
    draft.set_published(version, _ORIGIN)
    draft.set_updated(version, _ORIGIN)
    draft.set_text("provider", _name(child(meta, "provider")), _ORIGIN)
    status = child(meta, "pubStatus")
    facts.set_status(draft, attribute(status, "qcode", "uri", "literal") or text_of(status), _ORIGIN)
    embargo = child(meta, "embargoed")
    if embargo is not None and not text_of(embargo):
        # Held back until another version says otherwise.
        draft.warn("embargoed")
    draft.set_embargo(text_of(embargo))
    _set_corrections(meta, draft)


def _set_corrections(meta: Element | None, draft: Draft) -> None:
    """What a signal of a correction or a note to editors says was corrected."""
    for signal in children(meta, "signal"):
        code = attribute(signal, "qcode", "uri", "literal").replace("/", ":")
        facts.set_status(draft, code, _ORIGIN)
        if facts.unqualified(code).casefold().startswith("correct"):
            draft.warn("correction")
    for note in children(meta, "edNote"):
        if facts.is_kill_order(text_of(note)):
            draft.withdraw(_ORIGIN)
        if facts.is_correction(text_of(note), attribute(note, "role")):
            draft.add_correction(text_of(note), _ORIGIN)


def _set_content_meta(meta: Element | None, draft: Draft) -> None:
    language = attribute(child(meta, "language"), "tag") or language_of(meta) or ""
    _set_headlines(children(meta, "headline"), language, draft)
    for line in children(meta, "by"):
        facts.set_byline(draft, text_of(line), _ORIGIN)
    draft.set_text("dateline", text_at(meta, "dateline").rstrip(" -–—"), _ORIGIN)
    draft.set_text("provider", text_at(meta, "creditline"), _ORIGIN)
    for description in children(meta, "description"):
        if "caption" not in attribute(description, "role").lower():
            draft.set_text("abstract", text_of(description), _ORIGIN)
    facts.set_urgency(draft, text_at(meta, "urgency"), _ORIGIN)
    for name in ("keyword", "slugline"):
        draft.set_terms("keywords", (text_of(word) for word in children(meta, name)), _ORIGIN)
    subjects = children(meta, "subject")
    facts.set_subjects(draft, (_subject(term) for term in subjects), _ORIGIN)
    located = [*children(meta, "located"), *(term for term in subjects if "geo" in attribute(term, "type").lower())]
    draft.set_terms("places", (_name(place) for place in located), _ORIGIN)
    # Creators are logins and companies as often as people: only a declared person or a name of two words is believed.
    people = (
        one for one in children(meta, "creator") if children(one, "name") and child(one, "organisationDetails") is None
    )
    named = ((_name(person), attribute(person, "type").lower()) for person in people)
    draft.set_authors(
        [name for name, kind in named if "person" in kind or (" " in name and "org" not in kind)], _ORIGIN
    )
    draft.set_published(text_at(meta, "contentCreated"), _ORIGIN)


def _set_headlines(lines: list[Element], language: str, draft: Draft) -> None:
    """The main headline is in the text's language, without a role or with that role; then the lowest rank counts."""

    def is_translated(line: Element) -> bool:
        own = (line.get(XML_LANG) or language).casefold().partition("-")[0]
        return bool(language) and own != language.casefold().partition("-")[0]

    ordered = sorted(lines, key=lambda line: (is_translated(line), not _is_main(line), _rank(line)))
    if ordered and not is_translated(ordered[0]):
        ordered = [line for line in ordered if not is_translated(line)]
    for line in ordered[:1]:
        facts.set_line(draft, "headline", text_of(line), _ORIGIN)
    for line in ordered[1:]:
        role = attribute(line, "role").lower()
        if ("sub" in role or not role) and text_of(line) != text_of(ordered[0]):
            facts.set_line(draft, "subheadline", text_of(line), _ORIGIN)


def _is_main(line: Element) -> bool:
    role = facts.unqualified(attribute(line, "role")).lower()
    return not role or "main" in role or role in ("hl1", "headline", "title")


def _rank(line: Element) -> int:
    rank = attribute(line, "rank")
    return int(rank) if rank.isdecimal() and len(rank) < 10 else 0


def _name(element: Element | None) -> str:
    """The readable name of a concept: its <name>, else its literal, else its code without the prefix."""
    if element is None:
        return ""
    names = children(element, "name")
    plain = [name for name in names if not attribute(name, "role")] or names
    if plain:
        return text_of(plain[0])
    code = attribute(element, "qcode")
    return attribute(element, "literal") or facts.unqualified(code) or attribute(element, "uri").rpartition("/")[2]


def _subject(term: Element) -> Subject | None:
    scheme, _, code = attribute(term, "qcode").partition(":")
    if not code:
        scheme, _, code = attribute(term, "uri").rpartition("/")
    return facts.subject(_name(term), code, scheme if code else "")


def _set_rights(item: Element, draft: Draft) -> None:
    info = child(item, "rightsInfo")
    if info is not None:
        facts.set_rights(
            draft,
            _name(child(info, "copyrightHolder")),
            text_at(info, "copyrightNotice"),
            text_at(info, "usageTerms"),
            _ORIGIN,
        )


def _set_language(item: Element, meta: Element | None, draft: Draft) -> None:
    draft.declared_language = attribute(child(meta, "language"), "tag") or language_of(item)


def _media(item: Element) -> Iterator[Media]:
    for remote in descendants(item, "remoteContent"):
        kind = attribute(remote, "contenttype").partition("/")[0]
        if facts.is_media_type(kind):
            yield Media(url=attribute(remote, "href"), type=kind)
