"""What is still at work before an upgrade."""

from __future__ import annotations

from worker.desk import Desk
from worker.model import Lane
from worker.operate.health import unserved
from worker.operate.idle import unstored
from worker.state.keys import PARSED, RECEIVED, Stage
from worker.state.pauses import EVERYTHING
from worker.state.pulses import Listener

_WAITING: dict[str, Stage] = {"parse": RECEIVED, "dedupe": PARSED}
"""The ledger's stage whose batches wait for a stage of the pipeline."""
_FEEDING: dict[str, Stage] = {"dedupe": RECEIVED, "store": PARSED}
"""The ledger's stage whose batches, once claimed, still become work for a stage though nothing new is begun."""


def drained(
    desk: Desk, *, stage: str | None = None, source_id: str | None = None, lane: Lane | None = None
) -> str | None:
    """What is still in hand of a stage, a source, a lane or (all None) of everything, or None where nothing is.

    A pull that began before the pause counts: it may still bring something in.
    """
    if stage in (None, "pull", "parse"):
        pulled = [name for name in desk.sources.being_pulled() if _is_meant(desk, name, source_id, lane)]
        if pulled:
            return f"sources being pulled: {', '.join(pulled)}"
    if source_id is not None:
        count = desk.counters.of_source(source_id)
        return f"{count} documents of {source_id} in flight" if count else None
    if stage in _FEEDING and desk.ledger.held(_FEEDING[stage]):
        return f"batches on their way to {stage}"
    return _in_batches(desk, stage, lane) or (unstored(desk) if stage in (None, "store") else None)


def _in_batches(desk: Desk, stage: str | None, lane: Lane | None) -> str | None:
    """Batches that wait for a stage (None: for any), in words."""
    if stage in ("pull", "store"):
        return None
    wanted = _WAITING.get(stage or "")
    rows = [row for row in desk.counters.depths() if lane in (None, row.lane) and wanted in (None, row.stage)]
    batches = sum(row.batches for row in rows)
    return f"{batches} batches in flight" if batches else None


def _is_meant(desk: Desk, name: str, source_id: str | None, lane: Lane | None) -> bool:
    if source_id is not None or lane is None:
        return source_id in (None, name)
    source = desk.sources.get(name)
    return source is not None and source.lane == lane


def obstacles(desk: Desk, own_scope: str) -> list[str]:
    """Why what is in hand may never be done, in words: pauses beside the drain's own, and stages that nobody serves."""
    found = [
        f"{pause.scope} is paused"
        for pause in desk.pauses.all()
        if pause.scope != own_scope and pause.scope.startswith((EVERYTHING, "stage:", "lane:"))
    ]
    served = [pulse.serves for pulse in Listener(desk.redis, desk.settings).everywhere()]
    return found + [reason for reason in unserved(served) if not reason.endswith(("pull", "beat"))]
