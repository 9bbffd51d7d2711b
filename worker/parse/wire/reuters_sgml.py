"""Reuters-21578 SGML: many <REUTERS> elements in a file.

<REUTERS NEWID="3001"><DATE/><TOPICS><D/></TOPICS><PLACES/><TEXT><TITLE/><AUTHOR/><DATELINE/><BODY/></TEXT></REUTERS>
Source: the collection's README (David D. Lewis, 1997).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from html import unescape

from worker.clean.encoding import decode
from worker.errors import Rejected
from worker.model import Article, Document, Refusal
from worker.parse.draft import Draft
from worker.parse.wire import facts
from worker.parse.wire.body import Body, wrapped_text
from worker.parse.wire.members import Member, read_member

_ORIGIN = "reuters_sgml"
_ITEM = re.compile(r"<REUTERS\b", re.IGNORECASE)
_NEW_ID = re.compile(r'\bNEWID="(\d+)"', re.IGNORECASE)
_CONTROL_REFERENCE = re.compile(r"&#(?:[0-8]|1[0-9]|2\d|3[01]|127);")
_DATE = re.compile(r"(\d{1,2})-([A-Z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)", re.IGNORECASE)
_MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_HEADLINE_CHARACTERS = 100
_SIGNATURE = re.compile(r"\s*\bREUTER[S]?\s*\Z", re.IGNORECASE)


def parse_reuters_sgml(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """SGML bytes -> an article or refusal for each <REUTERS> element (member: index from 0).

    Raises Rejected `unsupported_format` for any other SGML.
    """
    decoded = decode(content, document.encoding_declared)
    items = _ITEM.split(decoded.text)[1:]
    if not items:
        raise Rejected("unsupported_format", "SGML of an unknown kind")
    for index, item in enumerate(items):
        draft = Draft(document, "text/sgml", decoded.encoding)
        yield read_member(partial(_read, item, draft), document, index if len(items) > 1 else None)


def _read(item: str, draft: Draft, member: Member) -> Article:
    attributes, _, content = item.partition(">")
    inside = _CONTROL_REFERENCE.sub("", content.partition("</REUTERS>")[0])
    number = _NEW_ID.search(attributes)
    draft.set_text("guid", f"reuters-21578:{number[1]}" if number else None, _ORIGIN)
    text = _element("TEXT", inside)
    draft.set_text("headline", unescape(_element("TITLE", text)).strip("* \n") or _first_line(text), _ORIGIN)
    facts.set_byline(draft, unescape(_element("AUTHOR", text)), _ORIGIN)
    draft.set_text("dateline", unescape(_element("DATELINE", text)).strip().rstrip(" -"), _ORIGIN)
    _set_date(_element("DATE", inside), draft)
    facts.set_subjects(
        draft, (facts.subject(code, code, "reuters-21578") for code in _terms("TOPICS", inside)), _ORIGIN
    )
    draft.set_terms("places", _terms("PLACES", inside), _ORIGIN)
    draft.set_text("provider", "Reuters", _ORIGIN)
    draft.declared_language = "en"
    body = _element("BODY", text) or _without(text, "TITLE", "AUTHOR", "DATELINE")
    if 'TYPE="BRIEF"' in inside.partition("</TEXT>")[0]:
        # Nothing but a headline was sent; what stands in place of the text is a filler of the collection.
        body = ""
    plain = _SIGNATURE.sub("", unescape(body)).strip("*")
    return facts.finish_wire(draft, Body(wrapped_text(plain)), _ORIGIN, _ORIGIN, member)


def _first_line(text: str) -> str:
    """The headline of a text whose parts nobody marked (TYPE="UNPROC"); empty where they are marked."""
    lines = () if "<BODY" in text else (line.strip() for line in unescape(text).split("\n"))
    line = next(filter(None, lines), "")
    return line if len(line) <= _HEADLINE_CHARACTERS else ""


def _element(name: str, text: str) -> str:
    """What stands in the first element of a name; elements have no attributes but TEXT, and are not nested."""
    after = text.partition(f"<{name}")[2]
    inside, end, _ = after.partition(">")[2].partition(f"</{name}>")
    return inside if end else ""


def _without(text: str, *names: str) -> str:
    for name in names:
        text = text.replace(f"<{name}>{_element(name, text)}</{name}>", "")
    return text


def _terms(name: str, inside: str) -> list[str]:
    return [unescape(term.partition("</D>")[0]) for term in _element(name, inside).split("<D>")[1:]]


def _set_date(text: str, draft: Draft) -> None:
    """The collection is of 1987: its dates are older than any other source's and known to be right."""
    found = _DATE.search(text)
    month = _MONTHS.find(found[2].upper()) // 3 + 1 if found else 0
    if found is None or not month:
        return
    try:
        day, hour, minute, second = (int(found[group]) for group in (1, 4, 5, 6))
        at = datetime(int(found[3]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return
    draft.set("published_at", at, _ORIGIN)
    draft.set("published_precision", "second", _ORIGIN)
    draft.set("published_source", _ORIGIN, _ORIGIN)
    draft.warn("date_without_zone")
