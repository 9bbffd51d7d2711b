"""Dates with words of other languages -> the same date as English readers write it.

Month names come from the Unicode CLDR, as dateparser packs them. dateparser itself is not asked: it tries
one language after the other, which takes longer than parsing the rest of a page.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

_MONTHS = {
    "january": "Jan",
    "february": "Feb",
    "march": "Mar",
    "april": "Apr",
    "may": "May",
    "june": "Jun",
    "july": "Jul",
    "august": "Aug",
    "september": "Sep",
    "october": "Oct",
    "november": "Nov",
    "december": "Dec",
}
_SHORT = tuple(_MONTHS.values())
# Languages of the news, by the names of dateparser's data.
_LANGUAGES = (
    "af ar az be bg bn bs ca cs cy da de el en es et eu fa fi fil fo fr ga gl he hi hr hu hy id is it ka kk "
    "lb lt lv mk mn ms mt nb nl nn pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur uz vi"
)
_EAST_ASIAN = ("ja", "ko", "zh")
_MORE = {"mrz": 3, "mz": 3, "sept": 9}
_BUDDHIST_YEARS = 543
"""Thailand counts from 543 BC."""

_WORD = r"[^\s\d.,/:;()|-]{2,20}"
_BETWEEN = r"(?:\.|er|\u00ba|\u00b0)?[\s./-]{0,3}(?:de\s|del\s|den\s|d['\u2019]\s?|of\s)?"
_DAY_FIRST = re.compile(
    rf"\D{{0,30}}(\d{{1,2}}){_BETWEEN}({_WORD})[\s./,-]{{0,3}}(?:de\s|del\s)?(\d{{4}})(?!\d)(.*)", re.DOTALL
)
_YEAR_FIRST = re.compile(rf"\D{{0,30}}(\d{{4}})\.?\s?(?:m\.\s?)?({_WORD})\s(\d{{1,2}})(?!\d)(.*)", re.DOTALL)
_MONTH_FIRST = re.compile(rf"(?:\D{{0,30}}[\s,])?({_WORD})\.?\s(\d{{1,2}}),?\s(?:de\s)?(\d{{4}})(?!\d)(.*)", re.DOTALL)
_NUMBERED_MONTH = re.compile(r"\D{0,30}(\d{1,2})\s+(1[0-2]|0?[1-9])[\u6708\uc6d4]\s+(\d{4})(.*)", re.DOTALL)
_VIETNAMESE = re.compile(r"\D{0,30}(\d{1,2})\s+th\u00e1ng\s+(1[0-2]|0?[1-9]),?\s+(?:n\u0103m\s+)?(\d{4})(.*)")
_TIME = re.compile(
    r"\D{0,14}?(?<!\d)(\d{1,2})\s?[:.hH\u6642\u65f6]\s?(\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?"
    r"\s*([aApP]\.?[mM]\.?)?[^\d+A-Z-]{0,6}(Z|[+-]\d{2}:?\d{2}|[A-Z]{2,5})?(?![a-z])[^\d+-]{0,5}"
)
_NUMERIC = re.compile(
    r"(?:[^\d+-]{2,30}?)?(\d{1,2}\.\s?\d{1,2}\.\s?\d{4}|\d{1,2}/\d{1,2}/\d{4}|\d{4}-\d{2}-\d{2})(?!\d)(.*)", re.DOTALL
)


def in_english(text: str) -> str:
    """`lundi 5 janv. 2026 à 10h30` -> `5 Jan 2026 10:30`; what is not understood is left as it is.

    Month names that mean two months in two languages (listopad) are not understood.
    """
    text = "".join(str(unicodedata.digit(sign)) if sign.isdigit() and sign > "9" else sign for sign in text)
    for pattern in (_VIETNAMESE, _NUMBERED_MONTH):
        if found := pattern.match(text):
            return _written(found[1], int(found[2]), found[3], found[4])
    for pattern, order in ((_DAY_FIRST, (1, 2, 3)), (_YEAR_FIRST, (3, 2, 1)), (_MONTH_FIRST, (2, 1, 3))):
        found = pattern.fullmatch(text)
        month = _months().get(_key(found[order[1]])) if found else None
        if found and month:
            return _written(found[order[0]], month, found[order[2]], found[4])
    numeric = _NUMERIC.fullmatch(text)
    return _with_time(re.sub(r"\.\s", ".", numeric[1]), numeric[2].lstrip(".")) if numeric else text


def _written(day: str, month: int, year: str, rest: str) -> str:
    years = int(year)
    return _with_time(f"{int(day)} {_SHORT[month - 1]} {years - _BUDDHIST_YEARS if years > 2400 else years}", rest)


def _with_time(date: str, rest: str) -> str:
    time = _TIME.fullmatch(rest)
    if time is None:
        # Words may be passed over, but not something with digits that is no time.
        return f"{date} {rest}" if re.search(r"\d", rest) else date
    hour, minute, second, half, zone = time.groups()
    clock = f"{hour}:{minute}" + (f":{second}" if second else "")
    return " ".join(part for part in (date, clock, half, zone) if part)


def _key(word: str) -> str:
    """A word without case and accents, for publishers write both with and without."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign)).strip(".")


def language_data(*, east_asian: bool = False) -> Iterator[dict[str, Any]]:
    """What dateparser knows of dates in each language of the news; `east_asian` ones count their months."""
    for language in (*_LANGUAGES.split(), *(_EAST_ASIAN if east_asian else ())):
        yield importlib.import_module(f"dateparser.data.date_translation_data.{language}").info


@cache
def _months() -> dict[str, int]:
    """Names and short names of months in all languages; ambiguous ones are left out."""
    meanings: dict[str, set[int]] = {}
    for info in language_data():
        for number, name in enumerate(_MONTHS, 1):
            for word in info.get(name, ()):
                meanings.setdefault(_key(word), set()).add(number)
    return _MORE | {word: numbers.pop() for word, numbers in meanings.items() if len(numbers) == 1}
