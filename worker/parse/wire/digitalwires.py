"""dpa digitalwires: one JSON object for each entry, its text in `article_html`.

Published schema: dpa-digitalwires documentation (entry object).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from worker.model import Article, Media, Subject
from worker.parse.draft import Draft
from worker.parse.wire import facts
from worker.parse.wire.body import Body, string_body
from worker.parse.wire.members import Member

_ORIGIN = "digitalwires"
_SUBJECT_KINDS = frozenset(["dpasubject", "geosubject", "keyword", "subject", "category"])


def is_entry(node: dict[str, Any]) -> bool:
    """Whether an object is a digitalwires entry."""
    return str(node.get("format", "")).startswith("digitalwires") or {"article_html", "version_created"} <= node.keys()


def read_entry(node: dict[str, Any], draft: Draft, member: Member) -> Article:
    """An entry -> its article. Raises Rejected `no_article` for pictures and audio."""
    markup = _string(node.get("article_html"))
    body = string_body(markup) if markup else Body()
    if not body.text and _string(node.get("pubstatus")) in ("", "usable"):
        raise facts.refuse_media(_string(node.get("type")) or "unknown")
    draft.set_text("guid", _string(node.get("urn")) or _string(node.get("entry_id")), _ORIGIN)
    for field, name in (("headline", "headline"), ("subheadline", "subhead"), ("subheadline", "kicker")):
        draft.set_text(field, _string(node.get(name)), _ORIGIN)
    draft.set_text("abstract", _string(node.get("teaser")), _ORIGIN)
    facts.set_byline(draft, _string(node.get("byline")), _ORIGIN)
    draft.set_text("dateline", _string(node.get("dateline")).rstrip(" -–—"), _ORIGIN)
    draft.set_text("provider", _string(node.get("creditline")), _ORIGIN)
    draft.declared_language = _string(node.get("language")) or None
    draft.set_published(_string(node.get("content_created")), _ORIGIN)
    for name in ("version_created", "updated"):
        draft.set_published(_string(node.get(name)), _ORIGIN)
        draft.set_updated(_string(node.get(name)), _ORIGIN)
    _set_management(node, draft)
    _set_terms(node, draft)
    return facts.finish_wire(draft, body, _ORIGIN, _ORIGIN, member)


def _set_management(node: dict[str, Any], draft: Draft) -> None:
    facts.set_status(draft, _string(node.get("pubstatus")), _ORIGIN)
    draft.set_embargo(_string(node.get("embargoed")))
    facts.set_urgency(draft, node.get("urgency"), _ORIGIN)
    if "correction" in _string(node.get("signal")):
        draft.warn("correction")
    for note in _objects(node.get("ednotes")):
        if "correction" in _string(note.get("role")):
            draft.add_correction(_string(note.get("ednote")), _ORIGIN)
    facts.set_rights(
        draft,
        _string(node.get("copyrightholder")),
        _string(node.get("copyrightnotice")),
        _string(node.get("usageterms")),
        _ORIGIN,
    )


def _set_terms(node: dict[str, Any], draft: Draft) -> None:
    subjects: list[Subject | None] = []
    places, keywords, provider = [], [], []
    for entry in _objects(node.get("categories")):
        kind, name = facts.unqualified(_string(entry.get("type"))), _string(entry.get("name"))
        if kind == "geosubject":
            places.append(name)
        elif kind == "keyword":
            keywords.append(name)
        elif kind == "provider":
            provider.append(name)
        if kind in _SUBJECT_KINDS:
            scheme, _, code = _string(entry.get("qcode")).rpartition(":")
            subjects.append(facts.subject(name, code, scheme))
    facts.set_subjects(draft, subjects, _ORIGIN)
    draft.set_terms("places", places, _ORIGIN)
    draft.set_terms("keywords", keywords, _ORIGIN)
    draft.set_text("provider", next(iter(provider), None), _ORIGIN)
    facts.set_media(draft, _media(node), _ORIGIN)


def _media(node: dict[str, Any]) -> Iterator[Media]:
    for association in _objects(node.get("associations")):
        files = _objects(association.get("renditions"))
        url = next((href for file in files if (href := _string(file.get("url")))), "")
        if url:
            yield Media(
                url=url,
                type=_string(association.get("type")) or None,
                caption=_string(association.get("caption")) or _string(association.get("headline")) or None,
                credit=_string(association.get("creditline")) or None,
            )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _string(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
