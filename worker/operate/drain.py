"""What is still at work before an upgrade."""

from __future__ import annotations

from worker.desk import Desk
from worker.model import Lane
from worker.operate.idle import unstored
from worker.state.keys import PARSED, RECEIVED

_WAITING = {"parse": RECEIVED, "dedupe": PARSED}
"""The ledger's stage whose batches wait for a stage of the pipeline."""


def drained(
    desk: Desk, *, stage: str | None = None, source_id: str | None = None, lane: Lane | None = None
) -> str | None:
    """What is still in hand of a stage, a source, a lane or (all None) of everything, or None where nothing is."""
    if source_id is not None:
        count = desk.counters.of_source(source_id)
        return f"{count} documents of {source_id} in flight" if count else None
    wanted = _WAITING.get(stage or "")
    if stage == "pull":
        held = [state.source.id for state in desk.sources.all() if state.called]
        return f"sources being pulled: {', '.join(held)}" if held else None
    depths = desk.counters.depths()
    batches = sum(row.batches for row in depths if lane in (None, row.lane) and wanted in (None, row.stage))
    if batches:
        return f"{batches} batches in flight"
    return unstored(desk) if stage in (None, "store") else None
