"""Why is a feed asked when it is asked? Its last polls, what they taught, and when the next is due: plain values."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.desk import Desk
from worker.errors import ConfigurationError
from worker.intake.feed import memory_of
from worker.intake.http import without_credentials
from worker.intake.poll_state import PollState
from worker.intake.steps import recalled_steps
from worker.operate.source_health import finite, judged
from worker.secrets import mask


def why(desk: Desk, source_id: str) -> dict[str, Any]:
    """All that decides about a feed's polls; raises ConfigurationError where there is no such source."""
    state = desk.sources.one(source_id)
    if state is None:
        raise ConfigurationError(f"there is no source {source_id!r}; `copydesk sources list` shows them")
    fields = desk.sources.recall(source_id)
    source, memory = state.source, memory_of(state.source, fields)
    health, reason = judged(state)
    pause = desk.pauses.why("pull", source.lane, source.id)
    if pause:
        health, reason = "paused", pause
    steps = recalled_steps(fields)
    return {
        "id": source.id,
        "kind": source.kind,
        "place": source.path if source.url is None else shown_url(source.url),
        "state": health,
        "reason": reason,
        "due_in_seconds": finite(state.due_in_seconds),
        "why_then": memory.why,
        "validators": {"etag": memory.etag, "last_modified": memory.last_modified},
        "moved_to": shown_url(memory.adopted_url) or None,
        "moving_to": {"url": shown_url(memory.moved_url), "confirmations": memory.moved_times}
        if memory.moved_url
        else None,
        "entries": memory.entries,
        "untrusted_ids": {"guid": memory.ids.guid_distrust, "link": memory.ids.link_distrust},
        "pace_seconds": memory.pace_seconds or None,
        "turnover_seconds": memory.turnover_seconds or None,
        "gaps_suspected": memory.gaps,
        "last_gap_at": memory.gap_at or None,
        "steps_left": (steps.walk.left if steps.walk else 0) + len(steps.maps) + len(steps.tasks),
        "hub": shown_url(memory.hubs[0]) if memory.hubs else None,
        "polls": _polls(memory),
    }


def shown_url(url: str) -> str:
    """An address as people may see it: without user, password and keys."""
    return mask(without_credentials(url))


def _polls(memory: PollState) -> list[dict[str, Any]]:
    """The last polls, newest first."""
    return [msgspec.structs.asdict(poll) for poll in reversed(memory.history)]
