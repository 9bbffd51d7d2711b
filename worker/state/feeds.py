"""Feeds that are due: taken in groups, held while they are polled, settled in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from redis import Redis
from redis.client import Pipeline

from worker.model import Source
from worker.state.keys import Keys
from worker.state.scripts import Scripts
from worker.state.sources import LEASE_SECONDS, Defined


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed that is to be polled, with what its last polls left."""

    source: Source
    state: Mapping[str, str]


class Feeds:
    """The schedule of the feeds of one state server."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = Scripts(redis)

    def due(self) -> int:
        """How many feeds are due."""
        seconds, micros = self._redis.time()
        return int(self._redis.zcount(self._keys.name("feeds"), "-inf", int(seconds) + int(micros) / 1e6))

    def take(self, limit: int) -> list[DueFeed]:
        """At most `limit` due feeds, longest due first; each is held, and due again after `LEASE_SECONDS`."""
        names = [self._keys.name("feeds"), *self._held]
        answer: Any = self._scripts.run("take_feeds", names, [limit, LEASE_SECONDS])
        rows = [(answer[index].decode(), answer[index + 1]) for index in range(0, len(answer), 2)]
        sources = [msgspec.json.decode(data, type=Defined).source for _, data in rows if data]
        with self._redis.pipeline(transaction=False) as pipe:
            for source in sources:
                pipe.hgetall(self._keys.poll(source.id))
            states: list[dict[bytes, bytes]] = pipe.execute()
        return [DueFeed(source, _text(state)) for source, state in zip(sources, states, strict=True)]

    def renew(self, source_ids: Sequence[str]) -> None:
        """Hold feeds for another `LEASE_SECONDS`; those that were settled meanwhile keep their due time."""
        names = [self._keys.name("feeds"), self._keys.name("calls")]
        self._scripts.run("renew_feeds", names, [LEASE_SECONDS, *source_ids])

    def settle(self, source_id: str, seconds: float, fields: Mapping[str, str], pipe: Pipeline | None = None) -> None:
        """A poll has ended: what it learned (an empty value removes its field), due again in so many seconds.

        A feed that was removed meanwhile leaves nothing behind.
        """
        pairs = [part for pair in fields.items() for part in pair]
        names = [self._keys.name("feeds"), *self._held, self._keys.poll(source_id)]
        self._scripts.run("settle_feed", names, [source_id, seconds, len(pairs) // 2, *pairs], pipe)

    @property
    def _held(self) -> list[str]:
        return [self._keys.name("calls"), self._keys.name("sources")]


def _text(state: Mapping[bytes, bytes]) -> dict[str, str]:
    return {field.decode(): value.decode() for field, value in state.items()}
