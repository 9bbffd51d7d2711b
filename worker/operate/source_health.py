"""How a source is, for lists."""

from __future__ import annotations

import math
import time
from typing import Any

from worker.intake.poll_state import Health, health_of
from worker.state.sources import SourceState


def judged(state: SourceState) -> tuple[Health, str]:
    """How a source is at this moment, and why."""
    return health_of(state.source, state.poll, state.due_in_seconds, time.time())


def health_row(state: SourceState) -> dict[str, Any]:
    """How a source is, for lists."""
    health, reason = judged(state)
    return {"state": health, "reason": reason, "why_then": state.poll.get("why")}


def finite(seconds: float | None) -> float | None:
    """Seconds, or None for never."""
    return seconds if seconds is not None and math.isfinite(seconds) else None
