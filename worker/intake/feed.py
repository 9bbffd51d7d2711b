"""One poll of a feed, or one step of what an earlier poll left: ask, judge, say what to remember and when to come.

A poll asks the feed itself. Where it finds that entries may have been missed, or names sitemaps, it leaves steps: pages
of the archive, sitemaps of an index. Each step is one fetch, remembered in the same atomic step as what it brought; the
feed itself is not asked again before its time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

import msgspec
import structlog

from worker.config import Settings
from worker.errors import FetchError
from worker.intake import archives, sitemaps
from worker.intake.archives import Walk, same_origin
from worker.intake.fetch import Fetched, document_of_answer, known_validators, local_path, read_local, request_for
from worker.intake.glance import Glance, glance
from worker.intake.http import Admit, FetchAnswer, HttpClient, without_credentials
from worker.intake.manners import BUSY, OK, Decision, after_answer, after_failure, policy_of
from worker.intake.poll_state import FIELD, PollState, fields_of, recalled
from worker.intake.schedule import retry_after_seconds
from worker.model import Document, Source
from worker.state.spool import Spool

LARGE_BYTES = 200_000
"""What is larger is looked at in a thread, so that the other polls go on."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll gave: a document where there is one, and what to remember in the same step.

    `learned` are fields of the poll state (an empty value removes its field). `host_rest_seconds` is how long the host
    wants to be left alone, where it said so. `more` is True where steps are left, which are due at once.
    """

    source: Source
    next_due_seconds: float
    learned: Mapping[str, str] = field(default_factory=dict)
    document: Document | None = None
    problem: str | None = None
    host_rest_seconds: float | None = None
    more: bool = False


def memory_of(source: Source, state: Mapping[str, str]) -> PollState:
    """What is remembered of a feed's polls."""
    return recalled(state, without_credentials(source.url or ""))


def asked_url(source: Source, state: Mapping[str, str], now: float) -> str:
    """The address that is asked next: a step's, the one the feed has moved to, or the configured one."""
    memory = memory_of(source, state)
    return _step_url(state, memory, now) or memory.adopted_url or source.url or ""


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
    memory = memory_of(source, state)
    step = _step_url(state, memory, now.timestamp())
    try:
        path = local_path(source)
        if path is not None:
            validators = known_validators(source, state)
            fetched = await asyncio.to_thread(read_local, path, source, validators, settings, spool, now)
            return _judge_local(source, fetched, settings, now)
        if step is not None:
            answer = await client.fetch(request_for(_at(source, step), {}, settings), admit)
            return judge_step(source, state, answer, await _look(answer), now)
        asked = _at(source, memory.adopted_url)
        validators = {"etag": memory.etag, "last_modified": memory.last_modified}
        answer = await client.fetch(request_for(asked, validators, settings), admit)
        return judge_answer(source, state, answer, await _look(answer), settings, now)
    except FetchError as error:
        return judge_failure(source, state, error, settings, now)


def judge_answer(
    source: Source, state: Mapping[str, str], answer: FetchAnswer, seen: Glance, settings: Settings, now: datetime
) -> Polled:
    """What the feed's own answer means."""
    memory, policy = memory_of(source, state), policy_of(source, settings)
    decision = after_answer(memory, policy, answer, seen, now.timestamp(), _jitter())
    for notice in decision.notices:
        log.warning(notice, source=source.id, url=answer.url)
    learned = _learned(decision, now) | {"status": str(answer.status)}
    more = False
    if seen.kind == "sitemap_index":
        named = sitemaps.begin(seen, (*decision.new, *decision.changed), settings.feeds.archive_pages)
        learned[sitemaps.FIELD] = sitemaps.remembered(named)
        more = bool(named)
    elif "gap_suspected" in decision.notices:
        walk = archives.begin(
            source.archives, answer.url, seen, memory.ids, decision.state.ids, settings.feeds.archive_pages
        )
        learned[archives.FIELD] = "" if walk is None else msgspec.json.encode(walk).decode()
        more = walk is not None
    return Polled(
        source,
        0.0 if more else decision.next_due_seconds,
        learned,
        _document(source, answer, decision.state, now) if decision.deliver else None,
        decision.problem,
        decision.host_pause_seconds or None,
        more,
    )


def judge_step(source: Source, state: Mapping[str, str], answer: FetchAnswer, seen: Glance, now: datetime) -> Polled:
    """What the answer to a step means: a page of the archive, or a sitemap of an index."""
    memory = memory_of(source, state)
    walk, named = archives.recalled_walk(state.get(archives.FIELD, "")), sitemaps.recalled(state)
    deliver = answer.status == OK and seen.kind in ("feed", "sitemap")
    if walk is not None:
        walk, deliver = archives.step(walk, answer.url, seen) if deliver else (None, False)
    else:
        named = named[1:]
    return Polled(
        source,
        0.0 if walk or named else max(0.0, memory.due_at - now.timestamp()),
        _steps(walk, named),
        _document(source, answer, memory, now) if deliver else None,
        host_rest_seconds=retry_after_seconds(answer.headers, now.timestamp()) if answer.status in BUSY else None,
        more=bool(walk or named),
    )


def judge_failure(
    source: Source, state: Mapping[str, str], error: FetchError, settings: Settings, now: datetime
) -> Polled:
    """A failed fetch is remembered, and the feed asked again later; a failed step is left out."""
    memory, moment = memory_of(source, state), now.timestamp()
    if _step_url(state, memory, moment) is not None:
        log.warning("feed_step_failed", source=source.id, code=error.code, error=str(error))
        walk = archives.recalled_walk(state.get(archives.FIELD, ""))
        named = sitemaps.recalled(state) if walk else sitemaps.recalled(state)[1:]
        due = 0.0 if named else max(0.0, memory.due_at - moment)
        return Polled(source, due, _steps(None, named), more=bool(named))
    decision = after_failure(memory, policy_of(source, settings), error.code, str(error), moment, _jitter())
    return Polled(source, decision.next_due_seconds, _learned(decision, now) | {"status": ""}, problem=decision.problem)


def _judge_local(source: Source, fetched: Fetched, settings: Settings, now: datetime) -> Polled:
    """A file on this machine: nobody has to be spared, so the interval is all there is to say."""
    learned = {**fetched.validators, FIELD: "", "failures": "", "problem": "", "polled_at": now.isoformat()}
    if fetched.document is not None:
        learned["changed_at"] = f"{now.timestamp():.0f}"
    return Polled(source, policy_of(source, settings).interval_seconds, learned, fetched.document)


def _step_url(state: Mapping[str, str], memory: PollState, now: float) -> str | None:
    """The address of the next step; None where the feed itself is due, or there is nothing left to do."""
    if now >= memory.due_at:
        return None
    walk = archives.recalled_walk(state.get(archives.FIELD, ""))
    if walk is not None:
        return walk.url
    return next(iter(sitemaps.recalled(state)), None)


def _steps(walk: Walk | None, named: tuple[str, ...]) -> dict[str, str]:
    return {
        archives.FIELD: "" if walk is None else msgspec.json.encode(walk).decode(),
        sitemaps.FIELD: sitemaps.remembered(named),
    }


def _document(source: Source, answer: FetchAnswer, memory: PollState, now: datetime) -> Document:
    return msgspec.structs.replace(document_of_answer(source, answer, now), untrusted_ids=memory.ids.untrusted)


def _learned(decision: Decision, now: datetime) -> dict[str, str]:
    return fields_of(decision.state) | {"polled_at": now.isoformat()}


def _at(source: Source, url: str) -> Source:
    """The source at another address; its secrets go nowhere but to its own origin."""
    if not url:
        return source
    own = source.url or ""
    if not same_origin(own, url):
        return msgspec.structs.replace(source, url=url, headers={}, auth=None)
    parts, secret = urlsplit(url), urlsplit(own).netloc.rpartition("@")[0]
    netloc = f"{secret}@{parts.netloc}" if secret else parts.netloc
    return msgspec.structs.replace(source, url=urlunsplit(parts._replace(netloc=netloc)))


async def _look(answer: FetchAnswer) -> Glance:
    if answer.status != OK:
        return Glance()
    media_type = answer.header("content-type")
    if len(answer.content) > LARGE_BYTES:
        return await asyncio.to_thread(glance, answer.content, media_type, answer.url)
    return glance(answer.content, media_type, answer.url)


def _jitter() -> float:
    return random.random()  # noqa: S311  # spreads polls
