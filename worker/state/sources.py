"""Sources: their definitions, when each is due, and what its last poll left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import msgspec
from redis import Redis

from worker.config import check_source
from worker.errors import ConfigurationError
from worker.model import Source
from worker.secrets import mask
from worker.state.keys import Keys
from worker.state.scripts import Scripts

LEASE_SECONDS = 30.0
"""How long a poll of a feed may be silent before the feed is due again; a working poll renews it."""

FORGOTTEN_SECONDS = 30 * 86_400
"""So long it is remembered of a feed that was removed what its polls left, should it come back."""
FORGOTTEN_DUE = "forgotten_due"

POLLS, FEEDS = "polls", "feeds"
SCHEDULES = (POLLS, FEEDS)
"""Where it stands when a source is due: feeds apart, because they are polled in groups and must not wait for files."""

SHOWN = (
    *("pulled_at", "problem", "more", "status", "failures", "polled_at"),
    *("why", "gone_at", "gap_at", "changed_at", "quiet_after"),
)
"""Fields of the poll state that are shown."""


class Defined(msgspec.Struct, frozen=True):
    """A source and who defined it: the file (`config`) or the command line (`added`)."""

    source: Source
    origin: Literal["config", "added"]


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source with its schedule: seconds until it is due (negative: late) and its poll state.

    `called` is True from the bell that asks for a pull to the end of that pull.
    """

    source: Source
    origin: str
    due_in_seconds: float | None
    poll: Mapping[str, str]
    called: bool = False


class Sources:
    """The registry and schedule of one state server.

    A pull that is silent for `lease_seconds`, and a bell that nobody has answered for so long, are taken for lost: the
    source is due again. A working pull renews its lease.
    """

    def __init__(self, redis: Redis, keys: Keys, lease_seconds: float = LEASE_SECONDS) -> None:
        self.lease_seconds = lease_seconds
        self._redis = redis
        self._keys = keys
        self._scripts = Scripts(redis)

    def sync(self, configured: tuple[Source, ...]) -> None:
        """Make the registry agree with the config file; sources added on the command line stay."""
        known = self._definitions()
        names = {source.id for source in configured}
        for source_id, defined in known.items():
            if defined.origin == "config" and source_id not in names:
                self._forget(source_id)
        self._define(*(Defined(source, "config") for source in configured))

    def add(self, source: Source) -> None:
        """Register a source from the command line; raises ConfigurationError where the id is taken."""
        check_source(source)
        if source.id in self._definitions():
            raise ConfigurationError(f"source {source.id!r} exists already; remove it first or choose another id")
        self._define(Defined(source, "added"))

    def add_all(self, sources: Sequence[Source]) -> None:
        """Register many sources from the command line at once; raises ConfigurationError where an id is taken."""
        known = self._definitions()
        for source in sources:
            check_source(source)
            if source.id in known:
                raise ConfigurationError(f"source {source.id!r} exists already")
        self._define(*(Defined(source, "added") for source in sources))

    def ensure(self, source: Source) -> Source:
        """The registered source of that id, registered now if it is new (for documents that are handed over)."""
        defined = self._definitions().get(source.id)
        if defined:
            return defined.source
        check_source(source)
        self._define(Defined(source, "added"))
        return source

    def remove(self, source_id: str) -> None:
        """Forget a source and its schedule (its records stay); raises ConfigurationError where that cannot be."""
        defined = self._definitions().get(source_id)
        if defined is None:
            raise ConfigurationError(f"there is no source {source_id!r}; `copydesk sources list` shows them")
        if defined.origin == "config":
            raise ConfigurationError(f"source {source_id!r} is defined in sources.toml; remove it there")
        self._forget(source_id)

    def get(self, source_id: str) -> Source | None:
        """One source, or None."""
        data: Any = self._redis.hget(self._keys.name("sources"), source_id)
        return msgspec.json.decode(data, type=Defined).source if data else None

    def one(self, source_id: str) -> SourceState | None:
        """One source with its schedule, or None."""
        data: Any = self._redis.hget(self._keys.name("sources"), source_id)
        found = self._with_schedules([(source_id, msgspec.json.decode(data, type=Defined))]) if data else []
        return found[0] if found else None

    def all(self) -> list[SourceState]:
        """Every source with its schedule, by id."""
        return self._with_schedules(sorted(self._definitions().items()))

    def _with_schedules(self, definitions: Sequence[tuple[str, Defined]]) -> list[SourceState]:
        now = self._now()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hkeys(self._calls)
            for name in SCHEDULES:
                pipe.zrange(self._keys.name(name), 0, -1, withscores=True)
            for source_id, _ in definitions:
                # The few fields people ask about: the poll state of a directory holds every file it has read.
                pipe.hmget(self._keys.poll(source_id), list(SHOWN))
            called, *answers = pipe.execute()
        due = {name.decode(): score - now for name, score in chain(*answers[: len(SCHEDULES)])}
        return [
            SourceState(
                defined.source, defined.origin, due.get(source_id), _shown(values), source_id.encode() in called
            )
            for (source_id, defined), values in zip(definitions, answers[len(SCHEDULES) :], strict=True)
        ]

    def pop_due(self, limit: int = 1000) -> list[str]:
        """Ids of sources that are due, feeds apart (`worker.state.feeds`); each is leased for `lease_seconds`."""
        keys = [self._keys.name("polls"), self._calls]
        answer: Any = self._scripts.run("pop_due", keys, [limit, self.lease_seconds])
        return [source_id.decode() for source_id in answer]

    def take(self, source_id: str) -> bool:
        """Begin a pull, leased for `lease_seconds`; False for a stale bell.

        Where bells wait longer than the lease, several ring for one source: only the first pulls it.
        """
        keys = [self._keys.name("polls"), self._calls]
        return bool(self._scripts.run("take_source", keys, [source_id, self.lease_seconds]))

    def being_pulled(self) -> list[str]:
        """Ids of sources that somebody alive pulls or polls at this moment, sorted."""
        calls: Any = self._redis.hgetall(self._calls)
        held = sorted(source_id.decode() for source_id, call in calls.items() if call == b"held")
        if not held:
            return []
        with self._redis.pipeline(transaction=False) as pipe:
            for name in SCHEDULES:
                pipe.zmscore(self._keys.name(name), held)
            answers: Any = pipe.execute()
        now = self._now()
        # Due again is whose puller has not renewed the lease: it has died.
        return [
            source_id
            for source_id, *leases in zip(held, *answers, strict=True)
            if any(lease is not None and lease > now for lease in leases)
        ]

    def finish(self, source_id: str, seconds: float) -> None:
        """A pull has ended: due again in so many seconds."""
        self.reschedule(source_id, seconds)
        self._redis.hdel(self._calls, source_id)

    def reschedule(self, source_id: str, seconds: float) -> None:
        """Due again in so many seconds by the server's clock (unless the source was removed meanwhile)."""
        due = self._now() + seconds
        for name in SCHEDULES:
            self._redis.zadd(self._keys.name(name), {source_id: due}, xx=True)

    def recall(self, source_id: str) -> dict[str, str]:
        """What the source's polls left behind."""
        answer: Any = self._redis.hgetall(self._keys.poll(source_id))
        return {field.decode(): value.decode() for field, value in answer.items()}

    def note(self, source_id: str, fields: Mapping[str, str]) -> None:
        """Keep facts about the last poll; an empty value removes its field."""
        gone = [name for name, value in fields.items() if not value]
        kept = {name: mask(value) if name == "problem" else value for name, value in fields.items() if value}
        with self._redis.pipeline() as pipe:
            if gone:
                pipe.hdel(self._keys.poll(source_id), *gone)
            if kept:
                pipe.hset(self._keys.poll(source_id), items=[part for pair in kept.items() for part in pair])
            pipe.execute()

    def _now(self) -> float:
        """Unix seconds by the server's clock."""
        seconds, micros = self._redis.time()
        return int(seconds) + int(micros) / 1e6

    @property
    def _calls(self) -> str:
        return self._keys.name("calls")

    def _definitions(self) -> dict[str, Defined]:
        answer: Any = self._redis.hgetall(self._keys.name("sources"))
        return {field.decode(): msgspec.json.decode(value, type=Defined) for field, value in answer.items()}

    def _define(self, *definitions: Defined) -> None:
        known = self._definitions()
        returning = self._returning([defined.source for defined in definitions if defined.source.id not in known])
        now = self._now()
        with self._redis.pipeline() as pipe:
            for defined in definitions:
                source = defined.source
                pipe.hset(self._keys.name("sources"), source.id, msgspec.json.encode(defined))
                schedule = _schedule(source)
                for name in SCHEDULES:
                    if name == schedule:
                        pipe.zadd(self._keys.name(name), {source.id: returning.get(source.id, now)}, nx=True)
                    else:
                        pipe.zrem(self._keys.name(name), source.id)
                if source.id in returning:
                    pipe.rename(self._keys.forgotten(source.id), self._keys.poll(source.id))
                    pipe.persist(self._keys.poll(source.id))
                    pipe.hdel(self._keys.poll(source.id), FORGOTTEN_DUE)
                elif source.id in known and source.url != known[source.id].source.url:
                    # At another address it is another feed, which may be asked at once.
                    pipe.zadd(self._keys.name(FEEDS), {source.id: now}, xx=True)
                if schedule is None:
                    pipe.hdel(self._calls, source.id)
            pipe.execute()

    def _forget(self, source_id: str) -> None:
        source = self.get(source_id)
        poll = self._keys.poll(source_id)
        due: Any = self._redis.zscore(self._keys.name(FEEDS), source_id)
        asked = source is not None and (source.url or "").startswith(("http://", "https://"))
        kept = asked and due is not None and math.isfinite(due) and bool(self._redis.hexists(poll, "url"))
        with self._redis.pipeline() as pipe:
            pipe.hdel(self._keys.name("sources"), source_id)
            for name in SCHEDULES:
                pipe.zrem(self._keys.name(name), source_id)
            pipe.hdel(self._calls, source_id)
            if kept:
                # Its publisher must not be asked again in full, or early, because somebody changed a list.
                pipe.hset(poll, FORGOTTEN_DUE, repr(due))
                pipe.rename(poll, self._keys.forgotten(source_id))
                pipe.expire(self._keys.forgotten(source_id), FORGOTTEN_SECONDS)
            else:
                pipe.delete(poll)
            pipe.execute()

    def _returning(self, sources: Sequence[Source]) -> dict[str, float]:
        """Of these new sources, the feeds that were here before at the same address, and when they were due."""
        feeds = [source for source in sources if source.kind == "feed"]
        with self._redis.pipeline(transaction=False) as pipe:
            for source in feeds:
                pipe.hmget(self._keys.forgotten(source.id), "url", FORGOTTEN_DUE)
            answers: list[list[bytes | None]] = pipe.execute()
        return {
            source.id: float(due)
            for source, (url, due) in zip(feeds, answers, strict=True)
            if url is not None and due is not None and url.decode() == public_url(source.url or "")
        }


def public_url(url: str) -> str:
    """An address as it is written down in a poll state: without user and password."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else url


def _shown(values: Sequence[bytes | None]) -> dict[str, str]:
    return {name: value.decode() for name, value in zip(SHOWN, values, strict=True) if value is not None}


def _schedule(source: Source) -> str | None:
    """Where it stands when the source is due; None for one that is never pulled."""
    if source.kind == "push" or not source.enabled:
        return None
    return FEEDS if source.kind == "feed" else POLLS
