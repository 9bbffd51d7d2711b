"""Pauses: what an operator (or the limit on burials) has told to stand still. Nothing is lost; it waits.

A scope is `all`, `stage:pull` (parse, dedupe, store), `lane:news` (backfill), `source:ID` or `intake:news` (backfill:
the pulling of a lane, left by `copydesk drain`). A paused source is not pulled; what was received from it goes on.
A paused lane stands still in every stage but store, where lanes are one.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec
from redis import Redis

from worker.errors import ConfigurationError
from worker.model import LANES, Lane
from worker.state.keys import Keys

PauseStage = Literal["pull", "parse", "dedupe", "store"]
PAUSE_STAGES: tuple[PauseStage, ...] = ("pull", "parse", "dedupe", "store")
CACHE_SECONDS = 0.5
"""How long an answer is reused: every bell asks."""
EVERYTHING = "all"


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """One pause: since when (Unix seconds by the server), by whom, and why. `alert` marks one nobody asked for."""

    scope: str
    reason: str
    at: float
    alert: bool = False


class Pauses:
    """The pauses of one system."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys.name("pauses")
        self._asked_at = float("-inf")
        self._known: dict[str, Pause] = {}

    def pause(self, scope: str, reason: str, *, alert: bool = False) -> None:
        """Pause a scope; raises ConfigurationError for one that does not exist."""
        check_scope(scope)
        seconds, _ = self._redis.time()
        self._redis.hset(
            self._key, scope, msgspec.json.encode(Pause(scope=scope, reason=reason, at=int(seconds), alert=alert))
        )
        self._asked_at = float("-inf")

    def resume(self, scope: str) -> bool:
        """Lift the pause of a scope; False where there was none."""
        self._asked_at = float("-inf")
        return bool(self._redis.hdel(self._key, scope))

    def all(self) -> list[Pause]:
        """Every pause, by scope."""
        answer: Any = self._redis.hgetall(self._key)
        return sorted((msgspec.json.decode(data, type=Pause) for data in answer.values()), key=lambda row: row.scope)

    def why(self, stage: PauseStage, lane: Lane | None = None, source_id: str | None = None) -> str | None:
        """Why work of this kind must not begin, or None. At most `CACHE_SECONDS` old."""
        if time.monotonic() - self._asked_at > CACHE_SECONDS:
            self._known = {row.scope: row for row in self.all()}
            self._asked_at = time.monotonic()
        if not self._known:
            return None
        scopes = [EVERYTHING, f"stage:{stage}"]
        scopes += [f"lane:{lane}"] if lane else []
        scopes += [f"source:{source_id}"] if source_id else []
        scopes += [f"intake:{lane}"] if stage == "pull" else []
        found = next((self._known[scope] for scope in scopes if scope in self._known), None)
        return None if found is None else f"{found.scope} is paused: {found.reason} (`copydesk resume`)"


def check_scope(scope: str) -> str:
    """The scope itself; raises ConfigurationError where there is no such thing."""
    kind, _, name = scope.partition(":")
    known: dict[str, tuple[str, ...] | None] = {"stage": PAUSE_STAGES, "lane": LANES, "intake": LANES, "source": None}
    if scope == EVERYTHING:
        return scope
    if kind not in known or not name:
        raise ConfigurationError(f"{scope!r} cannot be paused: take all, stage:NAME, lane:NAME or source:ID")
    names = known[kind]
    if names is not None and name not in names:
        raise ConfigurationError(f"there is no {kind} {name!r}: take one of {', '.join(names)}")
    return scope
