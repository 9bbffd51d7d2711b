"""Facts that all wire formats share: status, embargo, urgency, subjects, rights, names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from worker.clean.people import BYLINE_PREFIX, parse_byline
from worker.clean.text import clean_line
from worker.errors import Rejected
from worker.model import Article, Author, Media, Rights, Subject
from worker.parse.datelines import set_dateline
from worker.parse.draft import Draft
from worker.parse.wire.body import Body, plain_line, without_headline
from worker.parse.wire.members import Member

# IPTC's publishing status (NewsCodes pubstatusg2), NewsML 1's Status, and what agencies write for them.
_WITHDRAWN = frozenset(
    ["canceled", "cancelled", "withdrawn", "killed", "kill", "withdraw", "retracted", "recalled", "delete", "deleted"]
)
_WITHHELD = frozenset(["withheld", "withhold", "held"])
# A notice that takes back or corrects says so in capitals at the start of its headline, and apart from the rest: a
# headline all in capitals may begin with such a word.
_KILL_WORDS = (
    r"(?:KILL|WITHDRAWAL|WITHDRAWN|RETRACTION|ANNULATION|ZURÜCKGEZOGEN|ZURÜCKZIEHUNG|ANULACIÓN|ANULAD[AO]|ANULAÇÃO|"
    r"ANNULLARE|ANNULLAMENTO|RITIRAT[AO]|INTREKKING|INGETROKKEN|ÅTERKALLAS|MAKULERAS|TREKKES|TILBAGEKALDES|ANNULLERES|"
    r"PERUTAAN|ANULOWANIE|WYCOFANIE|VISSZAVONÁS|АННУЛИРУЕТСЯ|АННУЛИРОВАНИЕ)\b"
)
_KILL_HEADLINE = re.compile(
    rf"(?:[A-Z0-9-]{{1,12}}[- ])?(?:(?:MANDATORY |ATTENTION[:,] ?)?{_KILL_WORDS}(?: (?:NOTICE|ADVISORY|ORDER)\b)?\s?"
    rf"(?:[:–—)-](?:\s|$)|$)|MANDATORY {_KILL_WORDS})|(?:ADVISORY|ATTENTION|MANDATORY)[-:, ]{{1,2}}{_KILL_WORDS}"
)
_CORRECTION_HEADLINE = re.compile(
    r"\W?(?:CORRECTION|CORRECTED|CORRECTS|CORRECTIVE|CORRECTIF|CORRECCIÓN|CORREÇÃO|CORREZIONE|RECTIFICATIF|"
    r"RECTIFICACIÓN|RETIFICAÇÃO|BERICHTIGUNG|KORREKTUR|RETTELSE|RÄTTELSE|KORREKSJON|OIKAISU|KORJAUS|CORRECTIE|"
    r"RECTIFICATIE|SPROSTOWANIE|KOREKTA|OPRAVA|HELYESBÍTÉS|DÜZELTME|ПОПРАВКА|УТОЧНЕНИЕ|ИСПРАВЛЕНИЕ)\b"
)
_KILL_NOTE = re.compile(
    r"\b(?:KILL|WITHDRAWAL|WITHDRAWN|RETRACTION|ELIMINATE|ZURÜCKGEZOGEN|ZURÜCKZIEHUNG|ANNULATION|ANNULÉE?|ANULACIÓN|"
    r"ANULADO|RITIRATO|INTREKKING)\b"
)
_KILL_ORDER = re.compile(r"\bMANDATORY (?:KILL|WITHDRAWAL)\b|\bkill is mandatory\b")
_CORRECTION_NOTE = re.compile(
    r"\b(?:correct(?:s|ed|ion)|corrige|rectifie|rectificatif|korrigiert|berichtigt|berichtigung|korrektur|corrección|"
    r"rectificación|corregge|correzione|correção|corretto|retificação|rättelse|rättar|rettelse|korjaus|oikaisu|"
    r"correctie|rectificatie|sprostowanie|korekta|oprava|helyesbítés|düzeltme|уточнение|поправка|исправлен\w*|訂正|更正|정정|"
    r"تصحيح)\b",
    re.IGNORECASE,
)
_COMPANY = re.compile(
    r"\b(?:Inc|Ltd|Limited|LLC|GmbH|Corp|Corporation|plc|PLC|ASA|A/S|Oyj?|S\.?A\.?|SpA|Network)\b\.?$"
)
_MEDIA_TYPES = frozenset(
    ["picture", "photo", "image", "video", "audio", "graphic", "animated", "animation", "icon", "still"]
)
_BYLINE_CHARACTERS = 100
_SHORTEST_CODE = 8


def is_withdrawn(status: str) -> bool:
    """Whether a publishing status takes the text back."""
    return unqualified(status).rpartition("/")[2].casefold() in _WITHDRAWN


def set_status(draft: Draft, status: str, origin: str) -> None:
    """What a publishing status asks for: `withdrawn` (also a warning), `withheld`, `embargoed`."""
    word = unqualified(status).rpartition("/")[2].casefold()
    if is_withdrawn(status):
        draft.withdraw(origin)
    elif word in _WITHHELD:
        draft.warn("withheld")
    elif word == "embargoed":
        draft.warn("embargoed")


def is_kill(note: str) -> bool:
    """Whether a marker or a note to editors takes the text back."""
    return _KILL_NOTE.search(note) is not None


def is_kill_order(note: str) -> bool:
    """Whether a note to editors, which may speak of anything, orders them to take the text back."""
    return _KILL_ORDER.search(note) is not None or _KILL_HEADLINE.match(note) is not None


def is_correction(note: str, role: str = "") -> bool:
    """Whether a note to editors says what was corrected: by its role, else by its words."""
    kind = unqualified(role).casefold()
    return kind.startswith("corr") or (not kind and _CORRECTION_NOTE.search(note) is not None)


def set_urgency(draft: Draft, value: object, origin: str) -> None:
    """IPTC urgency or priority 1 (most urgent) to 9; anything else is passed over."""
    digits = re.fullmatch(r"[1-9]", str(value or "").strip())
    if digits:
        draft.set("urgency", int(digits[0]), origin)


def unqualified(code: str) -> str:
    """`stat:usable` -> `usable`; what has no prefix stays."""
    return code.rpartition(":")[2].strip()


def subject(name: str, code: str, scheme: str) -> Subject | None:
    """A subject from what was given; None for nothing.

    Codes of eight digits without a scheme are IPTC's: Media Topics (`medtop`) begin with 2 or count in
    millions, Subject Codes (`subj`) are the older ones. Names as in the IPTC NewsCodes catalogue.
    """
    code, name = clean_line(code), clean_line(name)
    if not scheme and len(code) == _SHORTEST_CODE and code.isdigit():
        scheme = "medtop" if code.startswith("2") else "subj"
    label = name or code
    return (
        Subject(name=label[:200], scheme=clean_line(scheme)[:200] or None, code=code[:200] or None) if label else None
    )


def set_subjects(draft: Draft, subjects: Iterable[Subject | None], origin: str) -> None:
    """Subjects, each once."""
    draft.set("subjects", tuple(dict.fromkeys(found for found in subjects if found is not None)), origin)


def set_rights(draft: Draft, holder: str, notice: str, usage_terms: str, origin: str) -> None:
    """Rights, where anything is said about them."""
    texts = [clean_line(text) or None for text in (holder, notice, usage_terms)]
    if any(texts):
        draft.set("rights", Rights(holder=texts[0], notice=texts[1], usage_terms=texts[2]), origin)


def set_line(draft: Draft, name: str, text: str, origin: str) -> None:
    """Set a headline or the like, which may hold HTML."""
    draft.set_text(name, plain_line(text), origin)


def set_byline(draft: Draft, byline: str, origin: str) -> None:
    """A byline as printed, the people it names and the agency."""
    draft.set_text("byline", byline, origin)
    draft.set_authors([byline], origin)


def set_media(draft: Draft, media: Iterable[Media], origin: str) -> None:
    """Pictures and other media with a usable address, each once."""
    found = {item.url: item for item in media if item.url.lower().startswith(("http://", "https://"))}
    draft.set("media", tuple(found.values()), origin)


def is_media_type(kind: str) -> bool:
    """Whether a news item's type (a word, a code or a media type) is anything but text."""
    word = unqualified(kind).casefold()
    return word in _MEDIA_TYPES or word.partition("/")[0] in _MEDIA_TYPES


def finish_wire(draft: Draft, body: Body, origin: str, parser: str, member: Member = None) -> Article:
    """Set the body and what the headline announces, and freeze.

    Raises Rejected `no_article` where there is neither headline nor body; a kill notice needs only a guid.
    """
    body = without_headline(body, draft.fields.get("headline"))
    _set_byline_of_body(draft, body, origin)
    _set_dateline_of_body(draft, body, origin)
    _keep_people(draft)
    draft.set_text("body_text", body.text, origin)
    if body.html and body.text:
        draft.set("body_html", body.html, origin)
    if not body.text:
        draft.set("is_full_text", value=False, origin=origin)
        draft.warn("no_body")
    _note_headline(draft)
    if draft.fields.get("withdrawn") and draft.fields.get("guid"):
        return draft.freeze(parser, origin, member)
    return draft.finish(parser, origin, member)


def refuse_media(kind: str) -> Rejected:
    """The refusal of a picture, video or other item that carries no article."""
    return Rejected("no_article", f"an item of type {kind[:60]}, no text")


def _set_byline_of_body(draft: Draft, body: Body, origin: str) -> None:
    """A first paragraph that is nothing but a byline names the authors, where no field does; it stays in the text."""
    first = body.text.partition("\n\n")[0]
    prefix = BYLINE_PREFIX.match(first)
    if "byline" in draft.fields or prefix is None or len(first) > _BYLINE_CHARACTERS or first.endswith((".", "!", "?")):
        return
    if first[prefix.end() :][:1].isupper() and parse_byline(first).people:
        set_byline(draft, first, origin)


def _set_dateline_of_body(draft: Draft, body: Body, origin: str) -> None:
    """The dateline and agency that the first sentence stands behind, where no field has them; they stay in the text."""
    first, _, more = body.text.partition("\n\n")
    if "dateline" not in draft.fields:
        set_dateline(draft, more.partition("\n\n")[0] if BYLINE_PREFIX.match(first) else first, origin)


def _keep_people(draft: Draft) -> None:
    """Bylines and creators of wires are as often companies: the provider itself, or by their legal form."""
    provider = str(draft.fields.get("provider") or "").casefold()
    authors: tuple[Author, ...] = draft.fields.get("authors", ())
    people = tuple(
        person for person in authors if person.name.casefold() != provider and not _COMPANY.search(person.name)
    )
    if people != authors:
        draft.fields.pop("authors")
        origin = draft.provenance.pop("authors")
        draft.set("authors", people, origin)


def _note_headline(draft: Draft) -> None:
    headline = draft.fields.get("headline") or ""
    if _KILL_HEADLINE.match(headline):
        draft.withdraw("headline")
    if _CORRECTION_HEADLINE.match(headline):
        draft.warn("correction")
