"""One look at the whole system, as plain values: for `copydesk status`, `top`, the live display and scripts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from worker.desk import Desk
from worker.intake.poll_state import Health
from worker.operate.source_health import finite, judged
from worker.state.counters import imbalance
from worker.state.pulses import Listener
from worker.state.queue import StorageQueue
from worker.state.sources import SourceState

EVENTS = ("rescued", "redelivered", "buried")
"""Always shown: bells rung again, deliveries that ended without a verdict, documents that died."""
LAST_FETCHED = 10
"""Feeds shown that were fetched last."""


def snapshot(desk: Desk) -> dict[str, Any]:
    """Counters, stages, storage queue, rates, sources (due, last fetched, in trouble), letters, and what pauses."""
    counters = desk.counters
    totals, in_flight = counters.balance()
    queue = StorageQueue(desk.redis, desk.keys, desk.settings.store.group)
    paused: Any = desk.redis.hgetall(desk.keys.name("paused"))
    sources = desk.sources.all()
    healths = list(map(judged, sources))
    return {
        "at": time.time(),
        "counters": totals,
        "in_flight": in_flight,
        "imbalance": imbalance(totals, in_flight),
        "stages": [asdict(depth) for depth in counters.depths()],
        "storage_queue": {
            "records": queue.length(),
            "oldest_seconds": queue.oldest_seconds(),
            "added": queue.added(),
            "groups": [asdict(group) for group in queue.groups()],
        },
        "per_minute": counters.per_minute(),
        "events": dict.fromkeys(EVENTS, 0) | counters.events(),
        "letters": {verdict: desk.letters.count(verdict) for verdict in ("dead", "rejected")},
        # Also what nobody could write down, because the server's memory is full.
        "paused": {field.decode(): value.decode() for field, value in paused.items()} | desk.pressure.reasons(),
        "pauses": [msgspec.to_builtins(pause) for pause in desk.pauses.all()],
        "processes": [msgspec.to_builtins(pulse) for pulse in Listener(desk.redis, desk.settings).everywhere()],
        "sources": len(sources),
        "sources_due": _due(sources),
        "source_states": dict(Counter(health for health, _ in healths)),
        "sources_in_trouble": [row for row in map(_trouble, sources, healths) if row],
        "last_fetched": _last_fetched(sources),
    }


def _due(sources: Sequence[SourceState]) -> dict[str, Any]:
    """How many sources wait for a worker now, and for how long the oldest does."""
    late = [-state.due_in_seconds for state in sources if state.due_in_seconds is not None and state.due_in_seconds < 0]
    return {"sources": len(late), "oldest_seconds": max(late, default=0.0)}


def _last_fetched(sources: Sequence[SourceState]) -> list[dict[str, Any]]:
    """The feeds fetched last, newest first: seconds since, the answer's status (None: none came) and the problem."""
    fetched = [
        (datetime.fromisoformat(state.poll["polled_at"]).timestamp(), state)
        for state in sources
        if state.source.kind == "feed" and state.poll.get("polled_at")
    ]
    fetched.sort(key=lambda pair: -pair[0])
    now = time.time()
    return [
        {
            "id": state.source.id,
            "fetched_seconds_ago": max(0.0, now - at),
            "status": int(state.poll.get("status") or 0) or None,
            "problem": state.poll.get("problem"),
            "due_in_seconds": finite(state.due_in_seconds),
        }
        for at, state in fetched[:LAST_FETCHED]
    ]


def _trouble(state: SourceState, judgement: tuple[Health, str]) -> dict[str, Any] | None:
    """A source that is not as it should be; one that somebody switched off is."""
    health, reason = judgement
    if health in ("healthy", "paused"):
        return None
    return {"id": state.source.id, "state": health, "problem": reason, "due_in_seconds": finite(state.due_in_seconds)}
