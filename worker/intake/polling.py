"""The poll engine: many due feeds at once in one thread, one request at a time at each host.

    take (a group) ──► by host ──► fetch, judge ──► settle (a group)
         ▲                 └─ host busy: due again when its turn comes      │
         └───────────────────── room again ◄────────────────────────────────┘

Waiting is what polling is made of, so it is asyncio; the state server is asked in groups, from threads. Nothing here is
lost when the process dies: feeds and hosts are leased, and what a poll learned is written with its batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.exceptions import RedisError

from worker.config import Settings
from worker.errors import FetchError, StateError
from worker.intake.feed import asked_url, judge_failure, poll_feed
from worker.intake.fetch import local_path
from worker.intake.files import keep_inline_or_spool
from worker.intake.http import Admit, HttpClient, parse_target
from worker.intake.polled import Polled, Settled
from worker.intake.receiver import PAUSE_SECONDS
from worker.model import Source
from worker.state.feeds import DueFeed, Feeds
from worker.state.hosts import HostLease, Hosts
from worker.state.sources import LEASE_SECONDS
from worker.state.spool import Spool

GROUP = 100
"""Most feeds taken or settled in one step."""
IN_HAND = 300
"""Most feeds taken and not yet settled: they wait for a slow host, or to be written."""
HOST_QUEUE_SECONDS = 10.0
"""A feed that would wait longer for its host goes back, due when its turn comes."""
REDIRECT_WAIT_SECONDS = 5.0
"""How long a redirect waits for another host."""
SHORTEST_TURN_SECONDS = 0.02
"""What a request takes at least, where a host needs no rest."""
LONGEST_WAIT_SECONDS = 3600.0
"""When a feed is polled again with which something is wrong that is our fault."""
LOOK_SECONDS = 0.2
"""How soon a change that nobody announces is seen: a stop, another process's lease."""

log = structlog.get_logger()


Settle = Callable[[Sequence[Settled]], None]
"""Writes what polls gave: batches, what was learned, due times and leases, in one pipeline."""


class HostBusyError(Exception):
    """A redirect leads to a host that somebody else asks now."""


class Polling:
    """Polls what is due until nothing is, or `stop` is set. One for each run; `why_not` says why a feed must wait."""

    def __init__(
        self,
        settings: Settings,
        feeds: Feeds,
        hosts: Hosts,
        spool: Spool,
        settle: Settle,
        client: HttpClient,
        stop: threading.Event,
        why_not: Callable[[Source], str | None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._feeds = feeds
        self._hosts = hosts
        self._spool = spool
        self._settle = settle
        self._client = client
        self._stop = stop
        self._why_not = why_not
        self._in_hand: set[str] = set()
        self._leases: set[HostLease] = set()
        self._queues: dict[str, deque[DueFeed]] = {}
        self._booked: dict[str, float] = {}
        self._ended: asyncio.Queue[Settled] = asyncio.Queue()
        self._moved = asyncio.Event()
        self._slots = asyncio.Semaphore(settings.feeds.at_once)
        self._tasks: set[asyncio.Task[None]] = set()
        self._polled = 0

    async def run(self, seconds: float) -> int:
        """Poll for at most so long (and end what was begun); how many feeds were polled.

        Raises what the state server raised; feeds in hand are due again soon then.
        """
        end = time.monotonic() + seconds
        helpers = [asyncio.create_task(self._write()), asyncio.create_task(self._keep())]
        try:
            while not self._stop.is_set():
                taken = time.monotonic() < end and await self._take()
                if not taken and not self._in_hand:
                    break
                if not taken:
                    await self._wait(helpers)
        finally:
            await _cancel([*self._tasks, *helpers])
            await asyncio.to_thread(self._hand_back)
        return self._polled

    async def _take(self) -> bool:
        """Begin with a group of due feeds, if there is room; False where there is none, of either."""
        room = IN_HAND - len(self._in_hand)
        if room < GROUP:
            return False
        due = await asyncio.to_thread(self._feeds.take, GROUP)
        self._in_hand.update(feed.source.id for feed in due)
        by_host: dict[str, list[DueFeed]] = {}
        for feed in due:
            reason = self._why_not(feed.source)
            host = _host_of(feed)
            if reason is not None:
                self._put_off(feed, PAUSE_SECONDS, reason)
            elif host is None:
                self._start(self._work_alone(feed))
            else:
                by_host.setdefault(host, []).append(feed)
        new = [host for host in by_host if host not in self._queues]
        answers = await asyncio.to_thread(self._hosts.take, new) if new else {}
        for host, group in by_host.items():
            self._enqueue(host, group, answers.get(host))
        return bool(due)

    def _enqueue(self, host: str, group: Sequence[DueFeed], answer: HostLease | float | None) -> None:
        """Give the worker of a host as many feeds as it can poll soon; the others are put off, each to its turn."""
        each = self._turn_seconds(host)
        room = max(1, int(HOST_QUEUE_SECONDS / each))
        if isinstance(answer, HostLease):
            self._leases.add(answer)
            self._queues[host] = deque(group[:room])
            self._start(self._work(host, answer))
        elif answer is None:
            # A worker that has ended since the feeds were taken leaves no queue: then all have a turn later.
            queue = self._queues.get(host)
            room = 0 if queue is None else max(0, room - len(queue))
            if queue is not None:
                queue.extend(group[:room])
        else:
            room = 0
            self._begin_at(host, answer)
        for feed in group[room:]:
            self._put_off(feed, self._book(host, each))

    def _turn_seconds(self, host: str) -> float:
        """About how long one poll of this host takes, with the rest behind it."""
        rule = self._hosts.rule(host)
        return rule.spacing_seconds * (1 + self._settings.feeds.host_jitter / 2) / rule.at_once + SHORTEST_TURN_SECONDS

    def _begin_at(self, host: str, seconds: float) -> None:
        """Nobody has a turn at this host before so many seconds."""
        self._booked[host] = max(self._booked.get(host, 0.0), time.monotonic() + seconds)

    def _book(self, host: str, seconds: float) -> float:
        """Seconds until a feed of this host has its turn behind all that were put off before; books `seconds` more."""
        now = time.monotonic()
        if len(self._booked) > 10 * IN_HAND:
            self._booked = {name: until for name, until in self._booked.items() if until > now}
        self._booked[host] = max(self._booked.get(host, 0.0), now) + seconds
        return self._booked[host] - now

    async def _work(self, host: str, lease: HostLease) -> None:
        """Poll the feeds of one host in turn, with a rest between two; the lease goes back with the last."""
        queue = self._queues[host]
        while True:
            settled = await self._poll(queue.popleft(), lease)
            rest = settled.polled.host_rest_seconds if settled.polled else None
            if not queue or rest is not None:
                break
            self._ended.put_nowait(settled)
            await asyncio.sleep(self._hosts.rest_seconds(host))
            await asyncio.to_thread(self._hosts.renew, [lease])
        del self._queues[host]
        self._begin_at(host, rest or 0.0)
        for feed in queue:
            self._put_off(feed, self._book(host, self._turn_seconds(host)))
        self._ended.put_nowait(replace(settled, leases=(*settled.leases, (lease, rest))))

    async def _work_alone(self, feed: DueFeed) -> None:
        """Poll a feed that has no host."""
        self._ended.put_nowait(await self._poll(feed, None))

    async def _poll(self, feed: DueFeed, lease: HostLease | None) -> Settled:
        """Poll one feed; leases on hosts that redirects lead to are in the result."""
        extra: list[HostLease] = []
        known = {lease.host} if lease else set()

        async def admit(host: str) -> None:
            if host not in known:
                extra.append(await self._take_host(host))
                known.add(host)

        source, now = feed.source, datetime.now(UTC)
        polled: Polled | None = None
        due_seconds, problem = REDIRECT_WAIT_SECONDS, None
        try:
            async with self._slots:
                polled = await self._ask(feed, now, admit)
            due_seconds, problem = polled.next_due_seconds, polled.problem
        except HostBusyError as error:
            problem = str(error)
        except StateError as error:
            problem = str(error)
            log.warning("poll_failed", source=source.id, error=problem)
        except Exception as error:
            # A fault of ours, with this feed alone: it is asked again later, and the others go on.
            log.exception("poll_failed", source=source.id)
            polled = judge_failure(source, feed.state, FetchError("fault", type(error).__name__), self._settings, now)
            due_seconds, problem = polled.next_due_seconds, polled.problem
        return Settled(source, due_seconds, polled, problem, tuple((each, None) for each in extra))

    async def _ask(self, feed: DueFeed, now: datetime, admit: Admit) -> Polled:
        """Poll one feed; a large document lies in the spool then, not in our memory."""
        polled = await poll_feed(
            feed.source, feed.state, self._client, self._settings, self._spool, now, admit, self._hosts
        )
        document = polled.document
        if document is None or len(document.content or b"") <= self._settings.limits.inline_bytes:
            return polled
        kept = await asyncio.to_thread(keep_inline_or_spool, document, self._settings, self._spool)
        return replace(polled, document=kept)

    async def _take_host(self, host: str) -> HostLease:
        """A lease on a host that a redirect leads to; raises HostBusyError where it stays busy."""
        end = time.monotonic() + REDIRECT_WAIT_SECONDS
        while True:
            answer = (await asyncio.to_thread(self._hosts.take, [host]))[host]
            if isinstance(answer, HostLease):
                self._leases.add(answer)
                return answer
            if time.monotonic() + answer > end:
                raise HostBusyError(f"waits for {host}, which others ask now")
            await asyncio.sleep(answer)

    def _put_off(self, feed: DueFeed, seconds: float, problem: str | None = None) -> None:
        self._ended.put_nowait(Settled(feed.source, seconds * random.uniform(1.0, 1.1), problem=problem))  # noqa: S311  # jitter

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(self, helpers: Sequence[asyncio.Task[None]]) -> None:
        """Return when something has moved, or soon; raises what ended a helper."""
        self._moved.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._moved.wait()
        for task in helpers:
            if task.done():
                task.result()

    async def _write(self) -> None:
        """Settle what has ended, as much as there is at a time."""
        while True:
            group = [await self._ended.get()]
            while len(group) < GROUP and not self._ended.empty():
                group.append(self._ended.get_nowait())
            await asyncio.to_thread(self._settle_all, group)
            for settled in group:
                self._in_hand.discard(settled.source.id)
                self._leases.difference_update(lease for lease, _ in settled.leases)
                self._polled += settled.polled is not None
                if settled.problem or (settled.polled and settled.polled.document):
                    log.info("polled", source=settled.source.id, problem=settled.problem)
            self._moved.set()

    def _settle_all(self, group: Sequence[Settled]) -> None:
        """Settle a group; what cannot even be written down is put off alone, and the others are not held up by it."""
        try:
            self._settle(group)
        except (ValueError, TypeError):
            # Raised before anything was sent: values are encoded first.
            if len(group) > 1:
                for settled in group:
                    self._settle_all([settled])
                return
            settled = group[0]
            log.exception("poll_not_settled", source=settled.source.id)
            fault = "fault: what the poll gave cannot be written down"
            self._settle([replace(settled, due_seconds=LONGEST_WAIT_SECONDS, polled=None, problem=fault)])

    async def _keep(self) -> None:
        """Keep what is in hand from being taken by others."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            if self._in_hand:
                await asyncio.to_thread(self._feeds.renew, sorted(self._in_hand))

    def _hand_back(self) -> None:
        """Told to stop, or the server is away: what is still in hand is due again, for whoever comes."""
        with contextlib.suppress(RedisError, OSError):
            for source_id in self._in_hand:
                self._feeds.settle(source_id, 0.0, {})
            for lease in self._leases:
                self._hosts.free(lease)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _host_of(feed: DueFeed) -> str | None:
    """The host that is asked next for a feed; None for a local file and for what cannot be asked at all."""
    if local_path(feed.source) is not None:
        return None
    try:
        return parse_target(asked_url(feed.source, feed.state, time.time())).host
    except FetchError:
        return None
