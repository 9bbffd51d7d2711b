"""Dates that count from now (`2 hours ago`, `vor 5 Minuten`, `gestern, 14:30 Uhr`), in all languages of dates.

They mean a moment only beside the one at which they were read (`worker/clean/dates.py`). What is vaguer than a day is
none.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import msgspec

from worker.clean.dates_words import language_data

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_DAY_SECONDS = 86_400
_MINUTE_UNIT = 60
_MOST_AGO = 366 * _DAY_SECONDS
_LONGEST_PHRASE = 60

_COUNT = re.compile(r"\d{1,4}")
# How the data writes "a number" in its patterns.
_DATA_COUNT = re.compile(r"\(\\d[^()]*\)")
_ONE = re.compile(r"(?<!\by )\b(?:an?|one|eine[rmn]?|une?|una|uno|uma|um|een|ett|et)\b['’]?|\bun['’]", re.IGNORECASE)
_PLURAL = re.compile(r"\b(min|hr|sec)s\b", re.IGNORECASE)
_AT_TIME = re.compile(
    r"(?P<day>[^\d,]{2,20}?),?\s*(?:\b(?:at|um|à|a las|alle|às|as|kl|om)\b\.?)?\s*(?P<hour>\d{1,2})"
    r"(?:\s?[:.h]\s?(?P<minute>\d{2}))?\s?(?P<half>[ap]\.?m\.?)?\s?(?:uhr|h)?",
    re.IGNORECASE,
)


class Ago(msgspec.Struct, frozen=True):
    """How long before it was read, to the minute or to the day; `clock` is the time of that day (hour, minute)."""

    seconds: int
    to_the_minute: bool
    clock: tuple[int, int] | None = None


def read_ago(text: str) -> Ago | None:
    """A date relative to the moment of reading; None for any other text."""
    if len(text) > _LONGEST_PHRASE:
        return None
    return _counted(text) or _counted(_ONE.sub("1 ", text, count=1)) or _named(text) or _at_time(text)


def _counted(text: str) -> Ago | None:
    numbers = _COUNT.findall(text)
    unit = _phrases()[0].get(_key(_COUNT.sub("#", text))) if len(numbers) == 1 else None
    if unit is None:
        return None
    seconds = int(numbers[0]) * unit
    return Ago(seconds, to_the_minute=unit <= _MINUTE_UNIT) if seconds <= _MOST_AGO else None


def _named(text: str) -> Ago | None:
    days = _phrases()[1].get(_key(text))
    return None if days is None else Ago(days * _DAY_SECONDS, to_the_minute=False)


def _at_time(text: str) -> Ago | None:
    found = _AT_TIME.fullmatch(text.strip())
    days = _phrases()[1].get(_key(found["day"])) if found else None
    if found is None or days is None or not (found["minute"] or found["half"]):
        return None
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if found["half"]:
        hour = hour % 12 + (12 if found["half"][0] in "pP" else 0)
    return Ago(days * _DAY_SECONDS, to_the_minute=False, clock=(hour, minute)) if hour < 24 and minute < 60 else None


def _key(phrase: str) -> str:
    """A phrase without case, accents, spaces and full stops."""
    phrase = _PLURAL.sub(r"\1", phrase)
    decomposed = unicodedata.normalize("NFKD", phrase.casefold())
    return "".join(sign for sign in decomposed if not (unicodedata.combining(sign) or sign.isspace() or sign == "."))


@cache
def _phrases() -> tuple[dict[str, int], dict[str, int]]:
    """Phrases with a count (as #) -> seconds of its unit; names of days -> how many days ago. None is ambiguous."""
    counted: dict[str, set[int]] = {}
    named: dict[str, set[int]] = {}
    for info in language_data(east_asian=True):
        for meaning, patterns in info.get("relative-type-regex", {}).items():
            unit = _UNITS.get(meaning.removeprefix("\\1 ").removesuffix(" ago"), 0)
            for pattern in patterns:
                phrase = _key(_DATA_COUNT.sub("#", pattern).replace("\\s*", ""))
                counted.setdefault(phrase, set()).add(unit)
        for meaning, phrases in info.get("relative-type", {}).items():
            days = {"0 day ago": 0, "1 day ago": 1, "2 day ago": 2}.get(meaning, -1)
            for phrase in phrases:
                named.setdefault(_key(phrase), set()).add(days)
    return _certain(counted, 1), _certain(named, 0)


def _certain(meanings: dict[str, set[int]], least: int) -> dict[str, int]:
    return {phrase: min(found) for phrase, found in meanings.items() if len(found) == 1 and min(found) >= least}
