"""One look at the whole system, as plain values: for `copydesk status`, the live display and scripts."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import msgspec

from worker.desk import Desk
from worker.intake.poll_state import health_of
from worker.operate.feeds import finite
from worker.state.counters import imbalance
from worker.state.pulses import Listener
from worker.state.queue import StorageQueue
from worker.state.sources import SourceState

EVENTS = ("rescued", "redelivered", "buried")
"""Always shown: bells rung again, deliveries that ended without a verdict, documents that died."""


def snapshot(desk: Desk) -> dict[str, Any]:
    """Counters, stages, storage queue, rates, sources in trouble, letters, and why pulling pauses."""
    counters = desk.counters
    totals, in_flight = counters.balance()
    queue = StorageQueue(desk.redis, desk.keys, desk.settings.store.group)
    paused: Any = desk.redis.hgetall(desk.keys.name("paused"))
    sources = desk.sources.all()
    return {
        "at": time.time(),
        "counters": totals,
        "in_flight": in_flight,
        "imbalance": imbalance(totals, in_flight),
        "stages": [asdict(depth) for depth in counters.depths()],
        "storage_queue": {
            "records": queue.length(),
            "oldest_seconds": queue.oldest_seconds(),
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
        "sources_in_trouble": [row for row in map(_trouble, sources) if row],
    }


def _trouble(state: SourceState) -> dict[str, Any] | None:
    """A source that is not as it should be; one that somebody switched off is."""
    health, reason = health_of(state.source, state.poll, state.due_in_seconds, time.time())
    if health in ("healthy", "paused"):
        return None
    return {"id": state.source.id, "state": health, "problem": reason, "due_in_seconds": finite(state.due_in_seconds)}
