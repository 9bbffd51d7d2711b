"""Datelines: the place, day and agency that agencies set before the first sentence of a text.

LEEDS, Jan 5 (Reuters) - Two ...        Leeds, 5 ene (EFE).- Dos ...         Oslo (NTB): To ...
MOSCOW, January 5. /TASS/. Two ...      (ANSA) - ROMA, 5 GEN - Due ...       新华社利兹1月5日电（记者张三）两 ...

Forms as agencies print them; a name in brackets counts only where it is an agency's.
"""

from __future__ import annotations

import re

import msgspec

from worker.clean.people import is_agency
from worker.parse.draft import Draft

_LOOKED_AT = 220
_MOST_WORDS = 10
# What agencies are called in brackets that is another word, too, or is short: only in capitals.
_IN_CAPITALS = frozenset(
    [
        *(
            "SPA",
            "QNA",
            "KUNA",
            "IRNA",
            "ISNA",
            "MENA",
            "SANA",
            "INA",
            "BNA",
            "ONA",
            "WAFA",
            "UNI",
            "APP",
            "BSS",
            "UNB",
        ),
        *("VNA", "TNA", "NAN", "GNA", "STA", "BTA", "LETA", "ELTA", "BNS", "TASR", "SITA", "APS", "TAP", "MAP", "ADN"),
        *("ANA", "MNA", "FENA", "SRNA", "CNA", "CP", "AGI", "IHA", "İHA", "BELTA", "RIA", "UNN", "KCNA", "AMNA", "PRN"),
    ]
)
_DASH = r"(?:--|[-–—])"
_SEPARATOR = rf"(?P<separator>\s*[.:]?\s*{_DASH}|\s?[.:=_]|)"
_REST = r"\s*(?P<rest>[^\s–—-].*)"
# A place and a day, then the agency in brackets or between strokes.
_BRACKETED = re.compile(rf"(?P<place>[^()\n]{{2,90}}?) ?\((?P<agency>[^()\n]{{2,40}})\){_SEPARATOR}{_REST}", re.DOTALL)
_STROKES = re.compile(
    rf"(?P<place>[^/\n]{{2,90}}?)\s?/\s?(?P<agency>[^/\n]{{2,40}}?)\s?/{_SEPARATOR}{_REST}", re.DOTALL
)
_AGENCY_FIRST = re.compile(
    rf"\((?P<agency>[^()\n]{{2,40}})\)\s*(?:{_DASH}\s+(?P<place>[^-–—\n]{{2,60}}?)\s+{_DASH}\s+(?P<rest>\S.*)|\S)",
    re.DOTALL,
)
_WORD = r"[^\W\d_]+[.'’]?"
_DAY = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th|\.|er)?(?: ?de)? {_WORD}|{_WORD} \d{{1,2}}(?:st|nd|rd|th)?|\d{{1,2}}/\d{{1,2}})"
    r"(?:,?(?: de)? ?\d{4})?"
)
# Without brackets: a place that must stand in capitals, or a day.
_PLAIN = re.compile(
    rf"(?P<place>[^\W\d_]+(?:[ .,'’/-]+{_WORD}){{0,6}}?)(?:[,.]? (?P<day>{_DAY}))?"
    rf"(?:,? (?P<agency>[^\W\d_][\w. -]{{1,30}}?))?\s*(?P<separator>{_DASH}| _)\s+(?P<rest>\S.*)",
    re.DOTALL,
)
_LOOSE_DASH = re.compile(r"\.-|-\s")
_THEN_AGENCY = re.compile(rf"(?P<agency>[^\W\d_][\w -]{{1,30}}?)(?:\.|\s{_DASH})\s+(?P<rest>\S.*)", re.DOTALL)
_JAPANESE = re.compile(
    r"【(?P<place>[^】=＝]{1,14}?)[=＝]?(?P<agency>共同|時事|AFP時事|ロイター)】(?P<rest>.+)", re.DOTALL
)
_CHINESE = re.compile(
    r"[（(]?(?P<agency>新华社|新華社|中新社|中新网|中央社)(?P<place>[^\d\s，。（()]{2,14}?)(?P<day>(?:\d{1,2}月)?\d{1,2}日)"
    r"(?:综合)?[电電]\s*[)）]?(?:[（(](?:记者|記者)(?P<names>[^）)]{2,40})[）)])?\s*(?P<rest>.+)",
    re.DOTALL,
)
_KOREAN = re.compile(
    r"[(（\[](?P<place>[^()=\]]{1,20})=(?P<agency>연합뉴스|뉴시스|뉴스1|[A-Z]{3,5})[)）\]]\s*"
    r"(?:(?P<names>[가-힣]{2,4}(?:[\s·,]+[가-힣]{2,4}){0,5}?)\s*(?:기자|특파원)\s*=?)?\s*=?\s*(?P<rest>\S.*)",
    re.DOTALL,
)
_NAME_SEPARATOR = re.compile(r"[\s·,、]+")
_CONNECTIVES = frozenset(
    [
        *("am", "an", "and", "at", "d", "da", "de", "del", "den", "der", "di", "do", "du", "e", "el", "en", "et", "i"),
        *("im", "in", "la", "las", "le", "les", "lez", "los", "of", "on", "sur", "the", "um", "und", "upon", "y"),
    ]
)


class Dateline(msgspec.Struct, frozen=True):
    """A dateline as printed (empty: only an agency), the agency and people it names, the paragraph without it."""

    dateline: str
    provider: str | None
    rest: str
    names: tuple[str, ...] = ()


def split_dateline(paragraph: str) -> Dateline | None:
    """`LEEDS, Jan 5 (Reuters) - Two ...` -> its parts; None without a dateline.

    A place alone must stand in capitals; with an agency in brackets any capitalised place will do.
    """
    head = paragraph[:_LOOKED_AT]
    return (
        _east_asian(head, paragraph)
        or _with_agency(head, paragraph)
        or _agency_first(head, paragraph)
        or _plain(head, paragraph)
    )


def set_dateline(draft: Draft, paragraph: str, origin: str) -> str:
    """Set what the dateline of a paragraph says -> the paragraph without it."""
    found = split_dateline(paragraph)
    if found is None:
        return paragraph
    draft.set_text("dateline", found.dateline, origin)
    draft.set_text("provider", found.provider, origin)
    draft.set_authors(found.names, origin)
    return found.rest


def _east_asian(head: str, paragraph: str) -> Dateline | None:
    for pattern in (_JAPANESE, _CHINESE, _KOREAN):
        if found := pattern.match(head):
            named = found.groupdict().get("names") or ""
            end = found.start("names") - 3 if named and pattern is _CHINESE else found.start("rest")
            printed = head[: min(end, found.start("names")) if named else end]
            names = tuple(name for name in _NAME_SEPARATOR.split(named) if name)
            return Dateline(printed.rstrip(" =（("), found["agency"], paragraph[found.start("rest") :], names)
    return None


def _with_agency(head: str, paragraph: str) -> Dateline | None:
    for pattern in (_BRACKETED, _STROKES):
        found = pattern.match(head)
        if found is None or not _is_agency(found["agency"]):
            continue
        dashed = bool(re.search(_DASH, found["separator"]))
        words = found["place"].split()
        if len(words) > _MOST_WORDS or not ((dashed and words[0][:1].upper() == words[0][:1]) or _is_place(words)):
            continue
        return Dateline(head[: found.start("separator")], found["agency"].strip(), paragraph[found.start("rest") :])
    return None


def _agency_first(head: str, paragraph: str) -> Dateline | None:
    found = _AGENCY_FIRST.match(head)
    if found is None or not _is_agency(found["agency"]):
        return None
    agency, place = found["agency"].strip(), found["place"]
    if place and _is_place(place.split()) and (place.split(",")[0].isupper() or re.search(r"\d", place)):
        return Dateline(head[: found.end("place")], agency, paragraph[found.start("rest") :])
    return Dateline("", agency, paragraph)


def _plain(head: str, paragraph: str) -> Dateline | None:
    found = _PLAIN.match(head)
    if found is None or _LOOSE_DASH.search(found["place"]):
        return None
    place, agency, rest = found["place"], found["agency"], paragraph[found.start("rest") :]
    printed = head[: found.start("separator")].rstrip()
    if agency is not None and not _is_agency(agency):
        return None
    if agency is None and _is_agency(place):
        return Dateline("", place, rest)
    city = re.split(r"[,./]", place)[0]
    if not (city.isupper() and len(city) > 2) and not (agency and found["day"]):
        return None
    then = _THEN_AGENCY.match(rest[:_LOOKED_AT]) if agency is None else None
    if then is not None and _is_agency(then["agency"]):
        return Dateline(printed, then["agency"], rest[then.start("rest") :])
    return Dateline(printed, agency, rest)


def _is_agency(text: str) -> bool:
    """`AFP`, `dpa/lnw`: an agency's name, or several that sign together."""
    first = text.strip(" ©").split("/")[0].strip()
    return is_agency(first) or first in _IN_CAPITALS


def _is_place(words: list[str]) -> bool:
    """Whether words can be places and a day: none in small letters but connectives and what stands beside a number."""
    numbered = [any(sign.isdigit() for sign in word) for word in words]
    for index, word in enumerate(words):
        beside = any(numbered[max(0, index - 1) : index + 2])
        if word[:1].islower() and not beside and word.strip(".,") not in _CONNECTIVES:
            return False
    return bool(words) and words[0].strip(".,'’")[:1].isalpha()
