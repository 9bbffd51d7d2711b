"""When is there nothing left to do?"""

from __future__ import annotations

from worker.desk import Desk
from worker.state.queue import StorageQueue
from worker.state.sources import SourceState


def what_waits(desk: Desk, since: float = 0.0) -> str | None:
    """What is still to be done, or None where all is done.

    Done means: every source was pulled once since `since` (Unix seconds) or is not due yet, nothing is in flight,
    and the writer's group has taken everything from the storage queue.
    """
    for state in desk.sources.all():
        if _waits(state, since) and not desk.pauses.why("pull", state.source.lane, state.source.id):
            return f"source {state.source.id}"
    in_flight = desk.counters.in_flight()
    if in_flight:
        return f"{in_flight} documents in flight"
    return unstored(desk)


def unstored(desk: Desk) -> str | None:
    """What the writer's group has not yet taken or acknowledged, or None."""
    queue = StorageQueue(desk.redis, desk.keys, desk.settings.store.group)
    group = next((group for group in queue.groups() if group.name == queue.group), None)
    waiting = queue.length() if group is None else group.lag + group.pending
    return f"{waiting} records for the store" if waiting else None


def _waits(state: SourceState, since: float) -> bool:
    if state.source.kind == "push" or not state.source.enabled:
        return False
    pulled_at = float(state.poll.get("pulled_at", 0))
    if state.poll.get("more"):
        return True
    if pulled_at and pulled_at >= since:
        return False
    if state.source.kind == "feed":
        # Called, its due time lies ahead, where the lease of the pull ends.
        return pulled_at == 0 or state.called or (state.due_in_seconds is not None and state.due_in_seconds <= 0)
    return pulled_at < since
