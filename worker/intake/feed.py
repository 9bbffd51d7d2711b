"""One poll of a feed, or one step of what an earlier poll left: ask, judge, say what to remember and when to come.

A poll asks the feed itself. Where it finds that entries may have been missed, or names sitemaps, it leaves steps: pages
of the archive, sitemaps of an index. Each step is one fetch, remembered in the same atomic step as what it brought; the
feed itself is not asked again before its time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

import msgspec
import structlog

from worker.config import Settings
from worker.errors import FetchError
from worker.intake import archives, fulltext, sitemaps, websub
from worker.intake.archives import same_origin
from worker.intake.entry_ids import compare
from worker.intake.fetch import Fetched, document_of_answer, known_validators, local_path, read_local, request_for
from worker.intake.glance import Glance, glance
from worker.intake.http import Admit, FetchAnswer, HttpClient, without_credentials
from worker.intake.manners import BUSY, OK, Decision, after_answer, after_failure, policy_of
from worker.intake.pages import NoRulesMemory, PageResult, RulesMemory, failed_page, fetch_page
from worker.intake.poll_state import FIELD, PollState, fields_of, recalled
from worker.intake.polled import Polled
from worker.intake.schedule import retry_after_seconds
from worker.intake.steps import Steps, next_step, recalled_steps
from worker.model import Document, Source
from worker.state.spool import Spool

LARGE_BYTES = 200_000
"""What is larger is looked at in a thread, so that the other polls go on."""

log = structlog.get_logger()


def memory_of(source: Source, state: Mapping[str, str]) -> PollState:
    """What is remembered of a feed's polls."""
    return recalled(state, without_credentials(source.url or ""))


def asked_url(source: Source, state: Mapping[str, str], now: float) -> str:
    """The address that is asked next: a step's, the one the feed has moved to, or the configured one."""
    memory = memory_of(source, state)
    return next_step(recalled_steps(state), memory, now) or memory.adopted_url or source.url or ""


async def poll_feed(
    source: Source,
    state: Mapping[str, str],
    client: HttpClient,
    settings: Settings,
    spool: Spool,
    now: datetime,
    admit: Admit | None = None,
    rules: RulesMemory | None = None,
) -> Polled:
    """Poll a feed once. A failed fetch is a result too; StateError (the spool) and what `admit` raises pass through.

    The document of a local file may lie in the spool already, that of an answer has its content.
    """
    try:
        path = local_path(source)
        if path is not None:
            validators = known_validators(source, state)
            fetched = await asyncio.to_thread(read_local, path, source, validators, settings, spool, now)
            return _judge_local(source, fetched, settings, now)
        memory, steps = memory_of(source, state), recalled_steps(state)
        if now.timestamp() < memory.due_at and steps.left():
            return await _take_step(source, memory, steps, client, settings, now, admit, rules or NoRulesMemory())
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
    memory, steps, moment = memory_of(source, state), recalled_steps(state), now.timestamp()
    subscription = websub.recalled(state)
    pushed = subscription is not None and subscription.is_active(moment)
    policy = msgspec.structs.replace(policy_of(source, settings), pushed=pushed)
    decision = after_answer(memory, policy, answer, seen, moment, _jitter())
    for notice in decision.notices:
        log.warning(notice, source=source.id, url=answer.url)
    most = settings.feeds.archive_pages
    if seen.kind == "sitemap_index":
        steps = replace(steps, maps=sitemaps.begin(seen, (*decision.new, *decision.changed), most))
    elif "gap_suspected" in decision.notices:
        walk = archives.begin(source.archives, answer.url, seen, memory.ids, decision.state.ids, most)
        steps = replace(steps, walk=walk)
    document = None
    if decision.deliver:
        fresh = (*decision.new, *decision.changed)
        document, steps = _hand_over(source, steps, decision.state, answer, seen, fresh, settings, now)
    more = steps.left() and decision.problem is None
    return Polled(
        source,
        steps.due_seconds(decision.state.due_at, moment) if more else decision.next_due_seconds,
        _learned(decision, now) | steps.fields() | {"status": str(answer.status)},
        document,
        decision.problem,
        decision.host_pause_seconds or None,
        more,
    )


def judge_failure(
    source: Source, state: Mapping[str, str], error: FetchError, settings: Settings, now: datetime
) -> Polled:
    """A failed fetch is remembered, and the feed asked again later; a step that failed is left out."""
    memory, steps, moment = memory_of(source, state), recalled_steps(state), now.timestamp()
    if next_step(steps, memory, moment) is not None:
        log.warning("feed_step_failed", source=source.id, code=error.code, error=str(error))
        if steps.walk is not None:
            return _stepped(source, memory, replace(steps, walk=None), now)
        if steps.maps:
            return _stepped(source, memory, replace(steps, maps=steps.maps[1:]), now)
        found = fulltext.next_task(steps.tasks, moment)
        if found is not None:
            result = failed_page(source, found[1], memory.ids.untrusted, now, str(error))
            return _page_done(source, memory, steps, found[0], result, now)
    decision = after_failure(memory, policy_of(source, settings), error.code, str(error), moment, _jitter())
    learned = _learned(decision, now) | {"status": ""}
    return Polled(source, decision.next_due_seconds, learned, problem=decision.problem)


async def _take_step(
    source: Source,
    memory: PollState,
    steps: Steps,
    client: HttpClient,
    settings: Settings,
    now: datetime,
    admit: Admit | None,
    rules: RulesMemory,
) -> Polled:
    """Fetch a page of an archive, a sitemap of an index or an article's page; raises FetchError for the first two."""
    url = next_step(steps, memory, now.timestamp())
    if url is None:
        return _stepped(source, memory, steps, now)
    place = _at(source, url)
    found = None if steps.walk or steps.maps else fulltext.next_task(steps.tasks, now.timestamp())
    if found is not None:
        result = await fetch_page(place, found[1], memory.ids.untrusted, client, settings, now, admit, rules)
        return _page_done(source, memory, steps, found[0], result, now)
    answer = await client.fetch(request_for(place, {}, settings), admit)
    return _judge_step(source, memory, steps, answer, await _look(answer), settings, now)


def _judge_step(
    source: Source,
    memory: PollState,
    steps: Steps,
    answer: FetchAnswer,
    seen: Glance,
    settings: Settings,
    now: datetime,
) -> Polled:
    """What a page of the archive, or a sitemap of an index, brought."""
    rest = retry_after_seconds(answer.headers, now.timestamp()) if answer.status in BUSY else None
    deliver = answer.status == OK and seen.kind in ("feed", "sitemap")
    if steps.walk is None:
        document = _document(source, answer, memory, now) if deliver else None
        return _stepped(source, memory, replace(steps, maps=steps.maps[1:]), now, document, rest)
    walk, deliver = archives.step(steps.walk, answer.url, seen) if deliver else (None, False)
    steps = replace(steps, walk=walk)
    document = None
    if deliver:
        compared = compare(memory.ids, seen.entries)
        fresh = (*compared.new, *compared.changed)
        document, steps = _hand_over(source, steps, memory, answer, seen, fresh, settings, now)
    return _stepped(source, memory, steps, now, document, rest)


def _page_done(source: Source, memory: PollState, steps: Steps, name: str, result: PageResult, now: datetime) -> Polled:
    steps = steps.with_page(name, None)
    if result.task is not None:
        steps = steps.with_page(fulltext.field_of(result.task), result.task)
    return _stepped(source, memory, steps, now, result.document, result.rest_seconds)


def _stepped(
    source: Source,
    memory: PollState,
    steps: Steps,
    now: datetime,
    document: Document | None = None,
    rest: float | None = None,
) -> Polled:
    """After a step: due at once for the next one, or when the feed is."""
    due = steps.due_seconds(memory.due_at, now.timestamp())
    return Polled(source, due, steps.fields(), document, host_rest_seconds=rest, more=steps.left())


def _hand_over(
    source: Source,
    steps: Steps,
    memory: PollState,
    answer: FetchAnswer,
    seen: Glance,
    fresh: Collection[int],
    settings: Settings,
    now: datetime,
) -> tuple[Document | None, Steps]:
    """A feed as it goes to the ledger; where pages of its articles are fetched, only what has none goes now."""
    whole = _document(source, answer, memory, now)
    mode = source.full_text or settings.feeds.full_text
    if not fulltext.applies(mode, seen):
        return whole, steps
    cutter = fulltext.Cutter(answer.content, whole)
    if cutter.entries != len(seen.entries):
        # Read in two ways it has not the same entries (or more than were looked at): nothing may get lost by cutting.
        return whole, steps
    tasks = fulltext.tasks_for(mode, cutter, seen, fresh, answer.url, now.timestamp())
    for task in tasks.values():
        steps = steps.with_page(fulltext.field_of(task), task)
    rest = set(fresh) - set(tasks)
    content = cutter.cut(rest) if rest or cutter.takes_back else b""
    if content is None:
        return whole, steps
    cut = msgspec.structs.replace(whole, content=content, size_bytes=len(content), encoding_declared="utf-8")
    return cut if content else None, steps


def _judge_local(source: Source, fetched: Fetched, settings: Settings, now: datetime) -> Polled:
    """A file on this machine: nobody has to be spared, so the interval is all there is to say."""
    learned = {**fetched.validators, FIELD: "", "failures": "", "problem": "", "polled_at": now.isoformat()}
    if fetched.document is not None:
        learned["changed_at"] = f"{now.timestamp():.0f}"
    return Polled(source, policy_of(source, settings).interval_seconds, learned, fetched.document)


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
