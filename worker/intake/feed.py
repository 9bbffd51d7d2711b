"""One poll of a feed: ask, judge the answer, say what to remember and when to ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from worker.config import Settings
from worker.errors import FetchError
from worker.intake.fetch import Fetched, known_validators, local_path, read_answer, read_local, request_for
from worker.intake.http import Admit, FetchAnswer, HttpClient
from worker.model import Document, Source
from worker.state.spool import Spool

LONGEST_INTERVAL_SECONDS = 86_400.0
"""A feed that fails is still asked once a day."""


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll gave: a document where there is one, and what to remember in the same step.

    `learned` are fields of the poll state (an empty value removes its field). `host_rest_seconds` is how long the host
    wants to be left alone, where it said so.
    """

    source: Source
    next_due_seconds: float
    learned: Mapping[str, str] = field(default_factory=dict)
    document: Document | None = None
    problem: str | None = None
    host_rest_seconds: float | None = None


async def poll_feed(
    source: Source,
    state: Mapping[str, str],
    client: HttpClient,
    settings: Settings,
    spool: Spool,
    now: datetime,
    admit: Admit | None = None,
) -> Polled:
    """Poll a feed once. A failed fetch is a result too; StateError (the spool) and what `admit` raises pass through.

    The document of a local file may lie in the spool already, that of an answer has its content.
    """
    validators = known_validators(source, state)
    try:
        path = local_path(source)
        if path is not None:
            fetched = await asyncio.to_thread(read_local, path, source, validators, settings, spool, now)
            return judge(source, fetched, settings, now)
        answer = await client.fetch(request_for(source, validators, settings), admit)
        return judge_answer(source, validators, answer, settings, now)
    except FetchError as error:
        return judge_failure(source, state, error, settings, now)


def judge_answer(
    source: Source, validators: Mapping[str, str], answer: FetchAnswer, settings: Settings, now: datetime
) -> Polled:
    """What an answer means; raises FetchError("http_status") where it is no feed."""
    return judge(source, read_answer(source, validators, answer, now), settings, now)


def judge(source: Source, fetched: Fetched, settings: Settings, now: datetime) -> Polled:
    """A fetch that went well, modified or not."""
    learned = {
        **fetched.validators,
        "failures": "",
        "problem": "",
        "status": str(fetched.status or ""),
        "polled_at": now.isoformat(),
    }
    if fetched.document is not None:
        learned["changed_at"] = now.isoformat()
    return Polled(source, interval_of(source, settings), learned, fetched.document)


def judge_failure(
    source: Source, state: Mapping[str, str], error: FetchError, settings: Settings, now: datetime
) -> Polled:
    """A failed fetch is remembered and doubles the interval."""
    failures = _failures(state) + 1
    problem = f"{error.code}: {error}"
    learned = {"failures": str(failures), "problem": problem, "polled_at": now.isoformat()}
    return Polled(source, next_interval(interval_of(source, settings), failures), learned, problem=problem)


def interval_of(source: Source, settings: Settings) -> float:
    """Seconds between two polls, as the operator wants them."""
    return source.interval_seconds or settings.feeds.interval_seconds


def next_interval(interval_seconds: float, failures: int) -> float:
    """Seconds until the next poll: doubled for each failure in a row, up to a day (or the interval, if longer)."""
    doubled = interval_seconds * 2.0 ** min(failures, 64)
    return max(interval_seconds, min(doubled, LONGEST_INTERVAL_SECONDS))


def _failures(state: Mapping[str, str]) -> int:
    text = state.get("failures", "")
    return int(text) if text.isdecimal() else 0
