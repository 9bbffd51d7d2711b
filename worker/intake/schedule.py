"""How long servers and feeds ask us to wait: headers and elements -> waits with their reasons. Pure.

Sources: RFC 9111 (Cache-Control, Expires, Age), RFC 9110 10.2.3 (Retry-After), RSS 2.0 (ttl, skipHours, skipDays,
in GMT), RSS 1.0's module Syndication (sy:updatePeriod, sy:updateFrequency).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec

DAY_SECONDS = 86_400.0
"""No server may keep us away longer than this, whatever it says."""
JITTER = 0.1
"""Waits are lengthened by up to this share, so that feeds that were asked together drift apart."""
SKIP_JITTER_SECONDS = 600.0
"""Feeds that skip hours would else all be due at the first minute of the first hour."""
PERIODS_SECONDS = {
    "hourly": 3_600.0,
    "daily": 86_400.0,
    "weekly": 7 * 86_400.0,
    "monthly": 30 * 86_400.0,
    "yearly": 365 * 86_400.0,
}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?![\w-])(?!\s*=)", re.IGNORECASE)
Headers = Sequence[tuple[bytes, bytes]]


class Wait(msgspec.Struct, frozen=True):
    """So many seconds, and in words who wants it."""

    seconds: float
    why: str


class Hints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a feed says of its own schedule: ttl and sy:* in seconds (0 where it says nothing), hours and days in GMT.

    `skip_hours` are 0 to 23; `skip_days` count from Monday = 0.
    """

    ttl_seconds: float = 0.0
    period_seconds: float = 0.0
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()


def header(headers: Headers, name: str) -> str:
    """The first header of that name (lower case) as Latin-1 text, which keeps every byte; empty where it is missing."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in headers if key.lower() == wanted), "")


def http_date(text: str) -> float | None:
    """An HTTP date -> Unix seconds; None for what is none. Dates without a zone are GMT, as HTTP's always are."""
    try:
        moment = parsedate_to_datetime(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def retry_after_seconds(headers: Headers, now: float) -> float | None:
    """Retry-After, as seconds or as a date, -> seconds from now, at most a day; None where there is none."""
    text = header(headers, "retry-after").strip()
    if text.isdecimal():
        return min(float(text[:10]), DAY_SECONDS)
    moment = http_date(text) if text else None
    return None if moment is None else min(max(0.0, moment - now), DAY_SECONDS)


def cache_waits(headers: Headers, now: float) -> list[Wait]:
    """How long the answer stays fresh by Cache-Control and by Expires, less the Age it came with."""
    control = ",".join(value.decode("latin-1") for key, value in headers if key.lower() == b"cache-control")
    waits = []
    age_text = header(headers, "age").strip()
    age = float(age_text[:10]) if age_text.isdecimal() else 0.0
    if not _UNCACHED.search(control):
        if found := _MAX_AGE.search(control):
            waits.append(Wait(float(found[1]) - age, f"Cache-Control: max-age={found[1]}"))
        expires = http_date(header(headers, "expires"))
        if expires is not None:
            sent = http_date(header(headers, "date"))
            waits.append(Wait(expires - (now if sent is None else sent) - age, "Expires"))
    return [wait for wait in waits if wait.seconds > 0]


def hint_waits(hints: Hints) -> list[Wait]:
    """What the feed says in ttl and sy:updatePeriod."""
    waits = [
        Wait(hints.ttl_seconds, f"the feed's ttl of {hints.ttl_seconds / 60:g} min"),
        Wait(hints.period_seconds, f"the feed's sy:updatePeriod of {hints.period_seconds / 60:g} min"),
    ]
    return [wait for wait in waits if wait.seconds > 0]


def update_period_seconds(period: str, frequency: str) -> float:
    """sy:updatePeriod divided by sy:updateFrequency, in seconds; 0 where the period is none of the module's."""
    seconds = PERIODS_SECONDS.get(period.strip().lower(), 0.0)
    times = int(frequency.strip()[:6]) if frequency.strip()[:6].isdecimal() else 1
    return seconds / max(1, times)


def after_skips(due_at: float, hints: Hints) -> float:
    """The first moment from `due_at` (Unix seconds) on that lies in no hour or day the feed asks to skip.

    A feed that skips everything skips nothing.
    """
    if not hints.skip_hours and not hints.skip_days:
        return due_at
    moment = datetime.fromtimestamp(due_at, UTC)
    if not _skipped(moment, hints):
        return due_at
    moment = moment.replace(minute=0, second=0, microsecond=0)
    for _ in range(7 * 24):
        moment += timedelta(hours=1)
        if not _skipped(moment, hints):
            return moment.timestamp()
    return due_at


def choose(
    waits: Iterable[Wait], hints: Hints, now: float, jitter: float, *, spread: float = JITTER, cap: float = DAY_SECONDS
) -> Wait:
    """The wait until the next poll: the largest, at most `cap` seconds, lengthened by up to `spread` of it.

    `jitter` is a random number from 0 up to 1. The words say which wait it was, and whether it was capped or moved.
    """
    largest = max(waits, key=lambda wait: wait.seconds)
    why = largest.why
    if largest.seconds > cap:
        why += ", capped at a day" if cap == DAY_SECONDS else ", capped"
    seconds = min(min(largest.seconds, cap) * (1.0 + spread * jitter), cap)
    due_at = now + seconds
    allowed_at = after_skips(due_at, hints)
    if allowed_at > due_at:
        why += ", moved behind the hours and days the feed skips"
        seconds = min(allowed_at - now + SKIP_JITTER_SECONDS * jitter, max(seconds, DAY_SECONDS))
    return Wait(seconds, why)


def _skipped(moment: datetime, hints: Hints) -> bool:
    return moment.hour in hints.skip_hours or moment.weekday() in hints.skip_days
