"""AP's publishing language (APPL 4): <publication> with management, news lines and a component for each rendition.

<publication><Identification/><PublicationManagement/><NewsLines/><AdministrativeMetadata/>
  <PublicationComponent Role="Main"><TextContentItem><DataContent><nitf/></DataContent></TextContentItem>
"""

from __future__ import annotations

from worker.model import Article
from worker.parse.draft import Draft
from worker.parse.wire import facts, newsml1, nitf
from worker.parse.wire.body import Body
from worker.parse.wire.members import Member
from worker.parse.wire.xml_tree import Element, attribute, child, children, descendant, text_at, text_of

_ORIGIN = "appl"


def is_publication(root: Element) -> bool:
    """Whether an element is a publication of AP's, by the elements it must have."""
    return child(root, "PublicationManagement") is not None and child(root, "NewsLines") is not None


def read_publication(root: Element, draft: Draft, member: Member) -> Article:
    """A <publication> -> its article. Raises Rejected `no_article` for pictures and the like."""
    texts = {
        attribute(part, "Role").casefold(): found
        for part in reversed(children(root, "PublicationComponent"))
        if (found := descendant(part, "TextContentItem")) is not None
    }
    main = texts.get("main")
    kind = text_at(root, "PublicationManagement", "FilingType")
    if main is None and (facts.is_media_type(kind) or "caption" in texts):
        raise facts.refuse_media(kind or "picture")
    identification = child(root, "Identification")
    draft.set_text("guid", text_at(identification, "ItemId") or text_at(identification, "RecordId"), _ORIGIN)
    draft.declared_language = text_at(identification, "DefaultLanguage") or None
    _set_management(child(root, "PublicationManagement"), draft)
    newsml1.set_lines(children(root, "NewsLines"), draft)
    for name in ("Provider", "Source"):
        draft.set_text("provider", text_at(root, "AdministrativeMetadata", name), _ORIGIN)
    return facts.finish_wire(draft, nitf.nitf_body(main) if main is not None else Body(), _ORIGIN, _ORIGIN, member)


def _set_management(management: Element | None, draft: Draft) -> None:
    created = child(management, "FirstCreated")
    year, month, day, time = (attribute(created, name) for name in ("Year", "Month", "Day", "Time"))
    if year.isdecimal() and month.isdecimal() and day.isdecimal():
        # AP writes its moments in UTC, without saying so.
        draft.set_published(f"{year}-{int(month):02}-{int(day):02}" + (f"T{time}Z" if time else ""), _ORIGIN)
    arrived = text_at(management, "ArrivalDateTime")
    arrived += "Z" if arrived and arrived[-1:].isdecimal() else ""
    draft.set_published(arrived, _ORIGIN)
    draft.set_updated(arrived, _ORIGIN)
    facts.set_status(draft, text_at(management, "Status"), _ORIGIN)
    for instruction in children(management, "SpecialInstructions", "Editorial"):
        kind = text_at(instruction, "Type") or text_of(instruction)
        facts.set_status(draft, kind, _ORIGIN)
        if facts.is_correction(kind):
            draft.warn("correction")
