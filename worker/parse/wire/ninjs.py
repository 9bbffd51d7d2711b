"""ninjs 1 to 3 (News in JSON), and what agencies' content APIs make of it (AP Media API, Superdesk).

One object, a list of them, or objects inside an answer: {"data": {"items": [{"item": {...}}]}}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from worker.clean.html import html_to_text
from worker.model import Article, Media, Subject
from worker.parse.draft import Draft
from worker.parse.wire import facts
from worker.parse.wire.body import Body, string_body
from worker.parse.wire.members import Member

_ORIGIN = "ninjs"
# Properties that plain article JSON does not have; two of them, or one and a body, tell ninjs.
_MARKS = frozenset(
    [
        *("versioncreated", "pubstatus", "firstcreated", "usageterms", "copyrightnotice", "copyrightholder", "ednote"),
        *("contentcreated", "altids", "renditions", "associations", "infosources", "descriptions", "rightsinfo"),
    ]
)
_BODIES = ("body_html", "body_xhtml", "body_html5", "body_text", "bodies", "body_richtext", "body_nitf")
_TYPES = frozenset(["text", "audio", "video", "picture", "graphic", "composite", "animated"])
_CONTAINERS = ("item", "items", "_items", "data", "results", "entries", "newsitems", "articles", "news")
_OTHER_ROLE = re.compile(r"photo|camera|video|picture|graphic|illustrat|editor|translat|producer", re.IGNORECASE)
_DEEPEST = 5


def find_items(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The ninjs objects of a JSON value, in order; not those an item is associated with."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for entry in value:
            yield from find_items(entry, depth + 1)
    elif isinstance(value, dict):
        if _is_item(value):
            yield value
            return
        for name in _CONTAINERS:
            if isinstance(value.get(name), dict | list):
                yield from find_items(value[name], depth + 1)


def _in_lower_case(value: Any) -> Any:
    """An object with its names as ninjs 1 and 2 write them: 3 has `versionCreated` for `versioncreated`."""
    if isinstance(value, list):
        return [_in_lower_case(entry) if isinstance(entry, dict | list) else entry for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        name.lower(): _in_lower_case(inner) if isinstance(inner, dict | list) else inner
        for name, inner in value.items()
    }


def _is_item(node: dict[str, Any]) -> bool:
    node = {name.lower(): value for name, value in node.items()}
    if "uri" in node and facts.is_withdrawn(_string(node.get("pubstatus"))):
        return True
    marks = len(_MARKS & node.keys()) + ("uri" in node and node.get("type") in _TYPES)
    titled = any(node.get(name) for name in ("headline", "headlines", "title")) or any(map(node.get, _BODIES))
    return titled and (marks >= 2 or (marks == 1 and any(name in node for name in _BODIES)))


def read_item(node: dict[str, Any], draft: Draft, member: Member) -> Article:
    """A ninjs object -> its article. Raises Rejected `no_article` for pictures and the like."""
    node = _in_lower_case(node)
    body = _body(node)
    kind = _string(node.get("type"))
    if not body.text and facts.is_media_type(kind):
        raise facts.refuse_media(kind)
    _set_identity(node, draft)
    _set_texts(node, draft)
    _set_dates(node, draft)
    _set_people(node, draft)
    _set_terms(node, draft)
    facts.set_media(draft, _media(node), _ORIGIN)
    return facts.finish_wire(draft, body, _ORIGIN, _ORIGIN, member)


def _set_identity(node: dict[str, Any], draft: Draft) -> None:
    altids = node.get("altids")
    item_id = altids.get("itemid") if isinstance(altids, dict) else None
    for value in (node.get("guid"), item_id, node.get("uri"), node.get("_id"), node.get("id")):
        draft.set_text("guid", str(value) if isinstance(value, str | int) else None, _ORIGIN)
    for name in ("url", "weburl", "canonical", "href"):
        if _string(node.get(name)).startswith(("http://", "https://")):
            draft.set_link("url", _string(node.get(name)), _ORIGIN)
    draft.declared_language = _string(node.get("language")) or None
    facts.set_status(draft, _string(node.get("pubstatus")), _ORIGIN)
    types = node.get("editorialtypes")
    # AP's own word for what a transmission does to the story.
    for kind in types if isinstance(types, list) else ():
        facts.set_status(draft, _string(kind), _ORIGIN)
        if _string(kind).casefold().startswith("correct"):
            draft.warn("correction")
    draft.set_embargo(_string(node.get("embargoed")))
    facts.set_urgency(draft, node.get("urgency") or node.get("editorialpriority"), _ORIGIN)
    _set_corrections(node, draft)


def _set_corrections(node: dict[str, Any], draft: Draft) -> None:
    """What a signal of a correction or a note to editors (one text, or several with roles) says was corrected."""
    signals = node.get("signals") or node.get("signal") or ()
    if any("correct" in _name(signal).lower() for signal in (signals if isinstance(signals, list) else [signals])):
        draft.warn("correction")
    notes = node.get("ednotes") or node.get("ednote")
    for note in _objects(notes) or [{"value": notes}]:
        text = _plain(note.get("value") or note.get("ednote"))
        if facts.is_kill_order(text):
            draft.withdraw(_ORIGIN)
        if facts.is_correction(text, _string(note.get("role"))):
            draft.add_correction(text, _ORIGIN)


def _set_texts(node: dict[str, Any], draft: Draft) -> None:
    for name in ("headline", "headline_main", "headline_extended", "title"):
        draft.set_text("headline", _plain(node.get(name)), _ORIGIN)
    for entry in sorted(_objects(node.get("headlines")), key=_is_side):
        field = "subheadline" if "sub" in _string(entry.get("role")).lower() else "headline"
        draft.set_text(field, _plain(entry.get("value")), _ORIGIN)
    extra = node.get("extra")
    for place in (node, extra if isinstance(extra, dict) else {}):
        for name in ("subheadline", "subhead", "subtitle", "kicker"):
            draft.set_text("subheadline", _plain(place.get(name)), _ORIGIN)
    for name in ("description_text", "description_summary", "description_html", "abstract", "summary", "teaser"):
        draft.set_text("abstract", html_to_text(_string(node.get(name))), _ORIGIN)
    for entry in _objects(node.get("descriptions")):
        if "caption" not in _string(entry.get("role")).lower():
            draft.set_text("abstract", html_to_text(_string(entry.get("value"))), _ORIGIN)
    draft.set_text("dateline", _plain(node.get("dateline")).rstrip(" -–—"), _ORIGIN)


def _set_dates(node: dict[str, Any], draft: Draft) -> None:
    version = _string(node.get("versioncreated")) or _string(node.get("version_created"))
    for value in (node.get("firstcreated"), node.get("firstpublished"), node.get("contentcreated"), version):
        draft.set_published(_string(value), _ORIGIN)
    draft.set_updated(version, _ORIGIN)


def _set_people(node: dict[str, Any], draft: Draft) -> None:
    listed = _objects(node.get("authors"))
    writing = [entry for entry in listed if not _OTHER_ROLE.search(_string(entry.get("role")))]
    names = [_string(entry.get("name")) for entry in writing or listed]
    creators = [entry for entry in _objects(node.get("people")) if "creator" in str(entry.get("rel") or "")]
    draft.set_authors([*names, *(_string(entry.get("name")) for entry in creators)], _ORIGIN)
    for name in ("byline", "by"):
        if isinstance(node.get(name), str):
            facts.set_byline(draft, _plain(node[name]), _ORIGIN)
    for entry in _objects(node.get("bylines")):
        facts.set_byline(draft, _plain(entry.get("by") or entry.get("name")), _ORIGIN)
    sources = [*_objects(node.get("infosources")), *_objects(node.get("infosource"))]
    for named in (node.get("provider"), node.get("source"), *sources):
        draft.set_text("provider", _name(named), _ORIGIN)
    rights = node.get("rightsinfo")
    said = rights if isinstance(rights, dict) else node
    draft.set_text("provider", _string(node.get("copyrightholder")), _ORIGIN)
    terms = said.get("usageterms")
    facts.set_rights(
        draft,
        _name(said.get("copyrightholder")),
        _string(said.get("copyrightnotice")),
        " ".join(map(str, terms)) if isinstance(terms, list) else _string(terms),
        _ORIGIN,
    )


def _set_terms(node: dict[str, Any], draft: Draft) -> None:
    subjects = [*_objects(node.get("subject")), *_objects(node.get("subjects"))]
    facts.set_subjects(draft, map(_subject, subjects), _ORIGIN)
    keywords = node.get("keywords")
    draft.set_terms("keywords", keywords_of(keywords) or [_string(node.get("slugline"))], _ORIGIN)
    places = [*_objects(node.get("place")), *_objects(node.get("places"))]
    draft.set_terms("places", [*map(_name, places), *([] if places else [_string(node.get("located"))])], _ORIGIN)
    sections = [*_objects(node.get("service")), *_objects(node.get("services"))]
    draft.set_terms("sections", (_name(section) for section in sections), _ORIGIN)


def keywords_of(value: Any) -> list[str]:
    """Keywords as a list, a comma-separated text, or a list of objects with names."""
    if isinstance(value, str):
        return value.split(",")
    return [name for entry in value if (name := _name(entry))] if isinstance(value, list) else []


def _subject(entry: dict[str, Any]) -> Subject | None:
    code = str(entry.get("code") or entry.get("qcode") or entry.get("uri") or "")
    scheme = _string(entry.get("scheme")) or _string(entry.get("authority"))
    if code.startswith(("http://", "https://")):
        scheme, _, code = code.rpartition("/")
    elif ":" in code and not scheme:
        scheme, _, code = code.partition(":")
    return facts.subject(_name(entry), code, scheme)


def _body(node: dict[str, Any]) -> Body:
    for name in _BODIES:
        value = node.get(name)
        if isinstance(value, str) and value.strip():
            return string_body(value)
        html_first = sorted(_objects(value), key=lambda entry: "html" not in _string(entry.get("contenttype")).lower())
        entries = sorted(html_first, key=_is_side)
        for entry in entries:
            if _string(entry.get("value")):
                return string_body(_string(entry["value"]))
    return Body()


def _is_side(entry: dict[str, Any]) -> bool:
    """Whether one of several headlines or bodies is not the main one: by its role, where it has one."""
    role = facts.unqualified(_string(entry.get("role"))).lower()
    return bool(role) and not any(word in role for word in ("main", "full", "body", "headline", "title"))


def _media(node: dict[str, Any]) -> Iterator[Media]:
    associations = node.get("associations")
    entries = list(associations.values()) if isinstance(associations, dict) else associations
    for entry in _objects(entries):
        kind = _string(entry.get("type"))
        renditions = entry.get("renditions")
        files = list(renditions.values()) if isinstance(renditions, dict) else renditions
        url = next((href for file in _objects(files) if (href := _string(file.get("href")))), "")
        if url and facts.is_media_type(kind):
            caption = _plain(entry.get("description_text") or entry.get("caption") or entry.get("headline"))
            yield Media(url=url, type=kind, caption=caption or None, credit=_plain(entry.get("byline")) or None)


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, or a single one."""
    values = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [entry for entry in values if isinstance(entry, dict)]


def _name(value: Any) -> str:
    if isinstance(value, dict):
        return _string(value.get("name")) or _string(value.get("literal")) or _string(value.get("code"))
    return _string(value)


def _plain(value: Any) -> str:
    return html_to_text(_string(value)).replace("\n", " ")


def _string(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
