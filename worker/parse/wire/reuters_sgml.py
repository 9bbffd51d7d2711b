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
_ITEM = re.compile(r"<REUTERS\b(?P<attributes>[^>]*)>(?P<inside>.*?)</REUTERS>", re.DOTALL | re.IGNORECASE)
_NEW_ID = re.compile(r'\bNEWID="(\d+)"', re.IGNORECASE)
_TERM = re.compile(r"<D>(.*?)</D>", re.DOTALL | re.IGNORECASE)
_CONTROL_REFERENCE = re.compile(r"&#(?:[0-8]|1[0-9]|2\d|3[01]|127);")
_DATE = re.compile(r"(\d{1,2})-([A-Z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)", re.IGNORECASE)
_MONTHS = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"
_SIGNATURE = re.compile(r"\s*\bREUTER[S]?\s*\Z", re.IGNORECASE)


def parse_reuters_sgml(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """SGML bytes -> an article or refusal for each <REUTERS> element (member: index from 0).

    Raises Rejected `unsupported_format` for any other SGML.
    """
    decoded = decode(content, document.encoding_declared)
    items = list(_ITEM.finditer(decoded.text))
    if not items:
        raise Rejected("unsupported_format", "SGML of an unknown kind")
    for index, item in enumerate(items):
        draft = Draft(document, "text/sgml", decoded.encoding)
        yield read_member(partial(_read, item, draft), document, index if len(items) > 1 else None)


def _read(item: re.Match[str], draft: Draft, member: Member) -> Article:
    inside = _CONTROL_REFERENCE.sub("", item["inside"])
    number = _NEW_ID.search(item["attributes"])
    draft.set_text("guid", f"reuters-21578:{number[1]}" if number else None, _ORIGIN)
    text = _element("TEXT", inside)
    draft.set_text("headline", unescape(_element("TITLE", text)).strip("* \n"), _ORIGIN)
    facts.set_byline(draft, unescape(_element("AUTHOR", text)), _ORIGIN)
    draft.set_text("dateline", unescape(_element("DATELINE", text)).strip().rstrip(" -"), _ORIGIN)
    _set_date(_element("DATE", inside), draft)
    facts.set_subjects(
        draft, (facts.subject(code, code, "reuters-21578") for code in _terms("TOPICS", inside)), _ORIGIN
    )
    draft.set_terms("places", _terms("PLACES", inside), _ORIGIN)
    draft.set_text("provider", "Reuters", _ORIGIN)
    draft.declared_language = "en"
    body = _element("BODY", text) or re.sub(r"<(TITLE|AUTHOR|DATELINE)>.*?</\1>", "", text, flags=re.DOTALL)
    plain = _SIGNATURE.sub("", unescape(body)).strip("*")
    return facts.finish_wire(draft, Body(wrapped_text(plain)), _ORIGIN, _ORIGIN, member)


def _element(name: str, text: str) -> str:
    found = re.search(rf"<{name}\b[^>]*>(.*?)</{name}>", text, re.DOTALL | re.IGNORECASE)
    return found[1] if found else ""


def _terms(name: str, inside: str) -> list[str]:
    return [unescape(term) for term in _TERM.findall(_element(name, inside))]


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
