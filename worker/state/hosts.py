"""Hosts: across all machines one request at a time to each, with a rest between two, and so many requests in all.

Who asks a host holds a lease on it. A lease ends when it is given back, or lapses when its holder died; then the host
has had its rest.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.client import Pipeline

from worker.config import HostRule, Settings
from worker.state.keys import Keys
from worker.state.scripts import Scripts

LEASE_MARGIN_SECONDS = 10.0
"""A lease outlives the longest fetch by this, for what comes behind it."""


@dataclass(frozen=True, slots=True)
class HostLease:
    """The right to ask one host."""

    host: str
    token: str


class Hosts:
    """The leases of one state server."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._keys = Keys(settings.state.namespace)
        self._settings = settings
        self._scripts = Scripts(redis)
        self._lease_seconds = settings.feeds.timeout_seconds + LEASE_MARGIN_SECONDS

    def rule(self, host: str) -> HostRule:
        """How this host is to be treated: its own rule, else the one for all."""
        return self._settings.hosts.get(host, self._settings.feeds.every_host)

    def rest_seconds(self, host: str) -> float:
        """How long the host rests after a request: its spacing, and up to `host_jitter` of it more."""
        spacing = self.rule(host).spacing_seconds
        return spacing * (1 + self._settings.feeds.host_jitter * random.random())  # noqa: S311  # spreads requests

    def take(self, hosts: Sequence[str]) -> Mapping[str, HostLease | float]:
        """A lease for each host that may be asked now, for others the seconds after which to ask again."""
        leases = [HostLease(host, secrets.token_hex(8)) for host in hosts]
        with self._redis.pipeline(transaction=False) as pipe:
            for lease in leases:
                self._take(lease, pipe)
            waits = [float(answer) for answer in pipe.execute()]
        return {lease.host: wait or lease for lease, wait in zip(leases, waits, strict=True)}

    def renew(self, leases: Sequence[HostLease]) -> None:
        """Prolong leases."""
        with self._redis.pipeline(transaction=False) as pipe:
            for lease in leases:
                self._take(lease, pipe)
            pipe.execute()

    def free(self, lease: HostLease, rest_seconds: float | None = None, pipe: Pipeline | None = None) -> None:
        """Give a lease back; the host rests for `rest_seconds`, its spacing where nothing is said."""
        rest = self.rest_seconds(lease.host) if rest_seconds is None else rest_seconds
        self._scripts.run("free_host", self._names(lease), [lease.token, rest], pipe)

    def rules_of(self, origin: str) -> bytes | None:
        """What is remembered of a robots.txt, by its address."""
        answer: Any = self._redis.get(self._keys.robots(origin))
        return bytes(answer) if answer is not None else None

    def keep_rules(self, origin: str, rules: bytes, seconds: int) -> None:
        """Remember a robots.txt for so many seconds, for all who ask that host."""
        self._redis.set(self._keys.robots(origin), rules, ex=seconds)

    def _take(self, lease: HostLease, pipe: Pipeline) -> None:
        at_once, everywhere = self.rule(lease.host).at_once, self._settings.feeds.at_once_everywhere
        self._scripts.run(
            "take_host", self._names(lease), [lease.token, self._lease_seconds, at_once, everywhere], pipe
        )

    def _names(self, lease: HostLease) -> list[str]:
        return [self._keys.host(lease.host), self._keys.name("asking")]
