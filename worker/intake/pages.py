"""One page of an article: may it be fetched, what came, and what to hand over with the entry that led to it."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from worker.clean.urls import absolute_url
from worker.config import Settings
from worker.errors import FetchError
from worker.intake.discovery import canonical_of
from worker.intake.fetch import document_of_answer, request_for
from worker.intake.files import document_of
from worker.intake.fulltext import PageTask, tried_again
from worker.intake.glance import glance
from worker.intake.http import Admit, FetchAnswer, FetchRequest, HttpClient, parse_target
from worker.intake.manners import BUSY, OK
from worker.intake.robots import UNREACHABLE, Robots, robots_of, robots_url
from worker.intake.schedule import retry_after_seconds
from worker.model import Document, Http, Source, UntrustedId
from worker.parse.full_text import WARNING, is_amp

MOST_HOPS = 2
SERVER_ERROR = 500
_ACCEPT = (b"Accept", b"text/html, application/xhtml+xml, */*;q=0.5")

log = structlog.get_logger()


class RulesMemory(Protocol):
    """What hosts said in their robots.txt, kept for a day for all who ask them."""

    def rules_of(self, origin: str) -> bytes | None:
        """What was kept, or None."""

    def keep_rules(self, origin: str, rules: bytes, seconds: int) -> None:
        """Keep it for so many seconds."""


class NoRulesMemory:
    """Remembers nothing: each page asks anew."""

    def rules_of(self, origin: str) -> bytes | None:  # noqa: ARG002  # the Protocol names it
        """Nothing was kept."""
        return None

    def keep_rules(self, origin: str, rules: bytes, seconds: int) -> None:
        """Nothing is kept."""


class PageResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a step gave: a document, or a task for later. `rest_seconds` is what the host wants, None for the usual."""

    document: Document | None = None
    task: PageTask | None = None
    rest_seconds: float | None = None


async def fetch_page(
    source: Source,
    task: PageTask,
    untrusted: tuple[UntrustedId, ...],
    client: HttpClient,
    settings: Settings,
    now: datetime,
    admit: Admit | None,
    rules: RulesMemory,
) -> PageResult:
    """Fetch a page where robots.txt allows it; `source` is at the page's address, its secrets left out elsewhere."""
    agent, moment = settings.feeds.user_agent, now.timestamp()
    try:
        robots = await _robots(source, client, settings, admit, rules)
        if not robots.allows(task.url, agent):
            return _alone(source, task, untrusted, now, "robots.txt does not allow it")
        answer = await client.fetch(_request(source, settings), admit)
    except FetchError as error:
        if error.code in ("timeout", "network"):
            return _later(source, task, untrusted, now, str(error))
        return _alone(source, task, untrusted, now, str(error))
    rest = robots.rest_seconds(agent) or None
    if answer.status in BUSY or answer.status >= SERVER_ERROR:
        pause = retry_after_seconds(answer.headers, moment) if answer.status in BUSY else None
        return _later(source, task, untrusted, now, f"HTTP {answer.status}", pause)
    if answer.status != OK or glance(answer.content, answer.header("content-type"), answer.url).kind != "none":
        return _alone(source, task, untrusted, now, f"HTTP {answer.status}, no page")
    return _page(source, task, untrusted, answer, now, rest)


def failed_page(
    source: Source, task: PageTask, untrusted: tuple[UntrustedId, ...], now: datetime, why: str
) -> PageResult:
    """After a fault of ours: tried again later, and the entry alone where it has failed often enough."""
    return _later(source, task, untrusted, now, why)


def _page(
    source: Source,
    task: PageTask,
    untrusted: tuple[UntrustedId, ...],
    answer: FetchAnswer,
    now: datetime,
    rest: float | None,
) -> PageResult:
    canonical = absolute_url(canonical_of(answer.content), answer.url) if is_amp(answer.content) else None
    if canonical and canonical not in (answer.url, task.url) and task.hops < MOST_HOPS:
        return PageResult(task=msgspec.structs.replace(task, url=canonical, hops=task.hops + 1), rest_seconds=rest)
    document = document_of_answer(source, answer, now)
    document = msgspec.structs.replace(document, entry=task.entry, untrusted_ids=untrusted)
    return PageResult(document=document, rest_seconds=rest)


def _later(
    source: Source,
    task: PageTask,
    untrusted: tuple[UntrustedId, ...],
    now: datetime,
    why: str,
    pause: float | None = None,
) -> PageResult:
    again = tried_again(task, now.timestamp(), pause)
    if again is None:
        return msgspec.structs.replace(_alone(source, task, untrusted, now, why), rest_seconds=pause)
    return PageResult(task=again, rest_seconds=pause)


def _alone(source: Source, task: PageTask, untrusted: tuple[UntrustedId, ...], now: datetime, why: str) -> PageResult:
    """The entry without its page."""
    log.warning(WARNING, source=source.id, url=task.url, why=why)
    document = msgspec.structs.replace(
        document_of(source, task.url, now),
        content=task.entry.content,
        size_bytes=len(task.entry.content),
        encoding_declared="utf-8",
        http=Http(url=task.entry.url, status=OK, answered_at=now),
        untrusted_ids=untrusted,
        warnings=(WARNING,),
    )
    return PageResult(document=document)


async def _robots(
    source: Source, client: HttpClient, settings: Settings, admit: Admit | None, rules: RulesMemory
) -> Robots:
    """The rules of the page's host, remembered or asked for. Raises FetchError("refused") for no address at all."""
    place = robots_url(parse_target(source.url or "").url)
    kept = await asyncio.to_thread(rules.rules_of, place)
    if kept is not None:
        return msgspec.json.decode(kept, type=Robots)
    try:
        answer = await client.fetch(_request(msgspec.structs.replace(source, url=place), settings), admit)
        robots = robots_of(answer.status, answer.content)
    except FetchError as error:
        if error.code == "refused":
            raise
        robots = UNREACHABLE
    await asyncio.to_thread(rules.keep_rules, place, msgspec.json.encode(robots), robots.kept_seconds)
    return robots


def _request(source: Source, settings: Settings) -> FetchRequest:
    return dataclasses.replace(request_for(source, {}, settings), headers=(_ACCEPT,))
