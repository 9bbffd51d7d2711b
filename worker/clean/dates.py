"""Dates as publishers write them -> UTC, with the precision that was given.

Cheap readings first (epoch, ISO 8601, RFC 822), dateutil last and remembered. A date that is not sure
is no date: see the warning codes in `parse_date`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
from dateutil import parser as dateutil_parser
from dateutil import tz

from worker.clean.dates_relative import Ago, read_ago
from worker.clean.dates_words import in_english
from worker.model import Precision

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Before the first news site; an earlier date is a default of some program (1970, 1900, year 1)."""

WITHOUT_ZONE = "date_without_zone"
"""The warning of a time that names no zone and was read as UTC."""

_UNREADABLE = ("date_unreadable",)
MOST_AHEAD = timedelta(days=1)
"""How far after receipt a date may lie: clocks and time zones differ by less than this."""

_HOUR = 3600
_WIDEST_OFFSET_SECONDS = 15 * _HOUR
"""No place on earth was ever farther from UTC (+14:00 in Kiribati; +15:13 and -15:57 before there were zones)."""
# Zone names that feeds use and RFC 822 does not know; where a name has several meanings, the one
# common in news (CST and IST as in the United States and India).
_ZONES = {
    "UT": 0,
    "UTC": 0,
    "GMT": 0,
    "WET": 0,
    "Z": 0,
    "BST": _HOUR,
    "WEST": _HOUR,
    "CET": _HOUR,
    "MEZ": _HOUR,
    "CEST": 2 * _HOUR,
    "MESZ": 2 * _HOUR,
    "EET": 2 * _HOUR,
    "SAST": 2 * _HOUR,
    "EEST": 3 * _HOUR,
    "MSK": 3 * _HOUR,
    "IST": 19_800,
    "PKT": 5 * _HOUR,
    "SGT": 8 * _HOUR,
    "HKT": 8 * _HOUR,
    "AWST": 8 * _HOUR,
    "JST": 9 * _HOUR,
    "KST": 9 * _HOUR,
    "ACST": 34_200,
    "AEST": 10 * _HOUR,
    "AEDT": 11 * _HOUR,
    "NZST": 12 * _HOUR,
    "NZDT": 13 * _HOUR,
    "AST": -4 * _HOUR,
    "ADT": -3 * _HOUR,
    "EST": -5 * _HOUR,
    "EDT": -4 * _HOUR,
    "ET": -5 * _HOUR,
    "CT": -6 * _HOUR,
    "MT": -7 * _HOUR,
    "PT": -8 * _HOUR,
    "CST": -6 * _HOUR,
    "CDT": -5 * _HOUR,
    "MST": -7 * _HOUR,
    "MDT": -6 * _HOUR,
    "PST": -8 * _HOUR,
    "PDT": -7 * _HOUR,
    "BRT": -3 * _HOUR,
    "ART": -3 * _HOUR,
    "CLT": -4 * _HOUR,
    "COT": -5 * _HOUR,
    "PET": -5 * _HOUR,
}
# American zones named without standard or daylight: the time of the season is meant.
_AMERICAN = frozenset(("ET", "CT", "MT", "PT"))
_ISO = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})"
    r"(?:(?:T|\s+)(\d{2}):?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)
_EAST_ASIAN = re.compile(
    r"(\d{4})\s*[年년][\s.]*(\d{1,2})\s*[月월][\s.]*(\d{1,2})\s*[日일]?(?:\s*\(?[^\d\s]{1,3}\)?)??"
    r"(?:\s*(午後|下午|오후|午前|上午|오전)?\s*(\d{1,2})\s*[:時时시]\s*(\d{2})(?:\s*[:分분]\s*(\d{2})?)?.{0,2})?"
)
_COMPACT = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?()")
_EPOCH = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}|\d{16}")
# "GMT+2" and "UTC+02:00" are an offset; what stands in brackets after one explains it.
_NAMED_OFFSET = re.compile(r"\b(?:GMT|UTC)\s?([+-])(\d{1,2})(?::?(\d{2}))?\b")
_EXPLAINED = re.compile(r"([+-]\d{2}:?\d{2}|Z|\b[A-Z]{3,4})\s*(?:\([^()]*\)|\[[^\[\]]*\])$")
# What .NET writes into JSON, and an IANA name in place of an offset.
_DOTNET = re.compile(r"^/Date\((\d{9,16})(?:[+-]\d{4})?\)/$")
_PLACE = re.compile(r"(.*\d)\s?\[?([A-Z][A-Za-z_]+/[A-Za-z_/]+)\]?")
_NUMERIC_DAY_MONTH = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b")
_RFC_822 = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?\d{1,2}[\s-][A-Za-z]{3,9}[\s-]\d{2,4}\s+\d{1,2}:\d{2}")
_TIME = re.compile(r"\d\s*:\s*\d{2}|\d\s*[ap]\.?m\b", re.IGNORECASE)
_MOST_SECONDS = 1e11
"""Seconds since 1970 beyond any date: a larger number counts smaller parts."""

# dateutil takes what is missing from a default, and wants it without zone to tell a zone that was read.
_DEFAULTS = (datetime(2000, 1, 1), datetime(2004, 2, 2))  # noqa: DTZ001 - see above
_LONGEST = 80
"""Characters; no written date is longer, and dateutil is slow on nonsense."""


class Dated(msgspec.Struct, frozen=True):
    """A moment in UTC (None: no usable date), how precise it was written, and doubts as warning codes.

    `ago` is a date that counts from the moment of reading; see `count_back`.
    """

    at: datetime | None
    precision: Precision | None = None
    warnings: tuple[str, ...] = ()
    ago: Ago | None = None


def parse_date(value: object, received_at: datetime, timezone: str | None = None) -> Dated:
    """A date as found (text, seconds or milliseconds since 1970, datetime) -> UTC.

    `timezone` (an IANA name) is that of a time which names none. Warnings: `date_without_zone` (no zone is known
    at all: read as UTC), `date_unreadable`, `date_relative` (counts from now), `date_ambiguous` (day or month
    first?), `date_incomplete`, `date_implausible` (before 1990), `date_in_future` (more than a day after
    `received_at`); all but the first give no date.
    """
    return plausible(in_timezone(read_date(value), timezone), received_at)


def read_date(value: object) -> Dated:
    """A date as found -> as it is written, plausible or not; without a zone as if it were UTC, with the warning."""
    text = value.isoformat() if isinstance(value, datetime) else str(value or "").strip()
    return _read(text) if text else Dated(None)


def in_timezone(dated: Dated, timezone: str | None) -> Dated:
    """A date that named no zone and was read as UTC -> the moment meant in an IANA time zone; any other as it is.

    Where clocks are put back and a time comes twice, the first is meant.
    """
    zone = find_timezone(timezone) if timezone and WITHOUT_ZONE in dated.warnings else None
    if zone is None or dated.at is None:
        return dated
    doubts = tuple(code for code in dated.warnings if code != WITHOUT_ZONE)
    return Dated(dated.at.replace(tzinfo=zone).astimezone(UTC), dated.precision, doubts)


def count_back(dated: Dated, answered_at: datetime, timezone: str | None = None) -> Dated:
    """A date that counts from the moment of reading, and that moment -> the date; any other as it is.

    A time of day is that of `timezone` (an IANA name), else UTC with the warning `date_without_zone`.
    """
    if dated.ago is None:
        return dated
    zone = find_timezone(timezone) if timezone else None
    then = (answered_at - timedelta(seconds=dated.ago.seconds)).astimezone(zone or UTC)
    if dated.ago.to_the_minute:
        return Dated(then.astimezone(UTC).replace(second=0, microsecond=0), "minute")
    if dated.ago.clock is None:
        return Dated(datetime(then.year, then.month, then.day, tzinfo=UTC), "day")
    hour, minute = dated.ago.clock
    moment = then.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return Dated(moment.astimezone(UTC), "minute", () if zone else (WITHOUT_ZONE,))


def find_timezone(name: str) -> ZoneInfo | None:
    """An IANA name -> its rules; None where there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return None


def plausible(dated: Dated, received_at: datetime) -> Dated:
    """Drops a date before 1990 or more than a day after receipt, with a warning."""
    if dated.at is None:
        return dated
    if dated.at < EARLIEST:
        return Dated(None, None, ("date_implausible",))
    if dated.at > received_at + MOST_AHEAD:
        return Dated(None, None, ("date_in_future",))
    return dated


@lru_cache(maxsize=4096)
def _read(text: str) -> Dated:
    dated = _read_written(text)
    ago = read_ago(text) if dated.warnings == _UNREADABLE else None
    return Dated(None, None, ("date_relative",), ago) if ago else dated


def _read_written(text: str) -> Dated:
    if len(text) > _LONGEST:
        return Dated(None, None, _UNREADABLE)
    text = _EXPLAINED.sub(r"\1", _NAMED_OFFSET.sub(_offset_alone, _DOTNET.sub(r"\1", text)))
    if place := _PLACE.fullmatch(text):
        dated = in_timezone(_read_written(place[1]), place[2])
        return dated if WITHOUT_ZONE not in dated.warnings else Dated(None, None, _UNREADABLE)
    try:
        for pattern, read in _PATTERNS:
            if found := pattern.fullmatch(text):
                return read(found)
        return _from_rfc_822(text) if _RFC_822.match(text) else _from_words(in_english(text))
    except (ValueError, OverflowError, TypeError):
        return Dated(None, None, _UNREADABLE)


def _offset_alone(found: re.Match[str]) -> str:
    return f"{found[1]}{int(found[2]):02}{found[3] or '00'}"


def _from_epoch(found: re.Match[str]) -> Dated:
    """Ten digits are seconds, thirteen milliseconds, sixteen microseconds."""
    number = float(found.group())
    while number > _MOST_SECONDS:
        number /= 1000
    return Dated(datetime.fromtimestamp(number, UTC), "second")


def _from_iso(found: re.Match[str]) -> Dated:
    year, month, day, hour, minute, second, zone = found.groups()
    start = datetime(int(year), int(month), int(day), tzinfo=UTC)
    if hour is None:
        return Dated(start, "day")
    if int(hour) > 24 or int(minute) > 59 or int(second or 0) > 60:
        raise ValueError(found.group())
    # Adding hours and seconds accepts 24:00 and the leap second :60, as ISO 8601 does.
    moment = start + timedelta(hours=int(hour), minutes=int(minute), seconds=int(second or 0))
    precision: Precision = "minute" if second is None else "second"
    if not zone:
        return Dated(moment, precision, (WITHOUT_ZONE,))
    return Dated(moment - timedelta(seconds=_offset(zone)), precision)


def _offset(zone: str) -> int:
    """Seconds east of UTC of Z, +hh, +hhmm or +hh:mm."""
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * _HOUR + int(digits[2:]) * 60
    if seconds > _WIDEST_OFFSET_SECONDS:
        raise ValueError(zone)
    return -seconds if zone[0] == "-" else seconds


def _from_east_asian(found: re.Match[str]) -> Dated:
    year, month, day, half, hour, minute, second = found.groups()
    start = datetime(int(year), int(month), int(day), tzinfo=UTC)
    if hour is None:
        return Dated(start, "day")
    hours = int(hour) + (12 if half in ("午後", "下午", "오후") and int(hour) < 12 else 0)
    if hours > 24 or int(minute) > 59:
        raise ValueError(found.group())
    moment = start + timedelta(hours=hours, minutes=int(minute), seconds=int(second or 0))
    return Dated(moment, "second" if second else "minute", (WITHOUT_ZONE,))


def _from_rfc_822(text: str) -> Dated:
    if text.rpartition(" ")[2].upper() in _ZONES:
        return _from_words(in_english(text))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return _from_words(in_english(text))
    precision: Precision = "second" if re.search(r"\d:\d{2}:\d{2}", text) else "minute"
    return _in_utc(moment, precision)


def _from_words(text: str) -> Dated:
    numeric = _NUMERIC_DAY_MONTH.search(text)
    if (
        numeric
        and numeric[1] != numeric[2]
        and int(numeric[1]) <= 12
        and int(numeric[2]) <= 12
        and "." not in numeric[0]
    ):
        return Dated(None, None, ("date_ambiguous",))
    day_first = bool(numeric and "." in numeric[0])
    # What is missing comes from the default: two defaults that differ show whether a part was missing.
    first = dateutil_parser.parse(text, default=_DEFAULTS[0], tzinfos=_zone, dayfirst=day_first)
    second = dateutil_parser.parse(text, default=_DEFAULTS[1], tzinfos=_zone, dayfirst=day_first)
    if first.date() != second.date():
        return Dated(None, None, ("date_incomplete",))
    if not _TIME.search(text):
        return Dated(datetime(first.year, first.month, first.day, tzinfo=UTC), "day")
    return _in_utc(first, "second" if re.search(r"\d:\d{2}:\d{2}", text) else "minute")


def _zone(name: str | None, offset_seconds: int | None) -> tz.tzoffset | None:
    """What dateutil asks for each zone it reads; an unknown name is no zone."""
    seconds = offset_seconds if offset_seconds is not None else _ZONES.get((name or "").upper())
    return tz.tzoffset(name, seconds) if seconds is not None else None


def _in_utc(moment: datetime, precision: Precision) -> Dated:
    if moment.tzinfo is None:
        return Dated(moment.replace(tzinfo=UTC), precision, (WITHOUT_ZONE,))
    utc = moment.astimezone(UTC)
    if moment.tzname() in _AMERICAN and _is_american_summer(moment.replace(tzinfo=None)):
        utc -= timedelta(hours=1)
    return Dated(utc, precision)


def _is_american_summer(local: datetime) -> bool:
    """Second Sunday of March, 2:00, to first Sunday of November, 2:00 (Energy Policy Act of 2005)."""
    march, november = datetime(local.year, 3, 8, 2), datetime(local.year, 11, 1, 2)  # noqa: DTZ001 - local time
    start = march + timedelta(days=(6 - march.weekday()) % 7)
    end = november + timedelta(days=(6 - november.weekday()) % 7)
    return start <= local < end


_PATTERNS = (
    (_COMPACT, _from_iso),
    (_EPOCH, _from_epoch),
    (_ISO, _from_iso),
    (_EAST_ASIAN, _from_east_asian),
)
