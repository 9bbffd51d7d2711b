"""How a source is, for lists."""

from __future__ import annotations

import math
import time
from typing import Any

from worker.intake.poll_state import health_of
from worker.state.sources import SourceState


def health_row(state: SourceState) -> dict[str, Any]:
    """How a source is, for lists."""
    health, reason = health_of(state.source, state.poll, state.due_in_seconds, time.time())
    return {"state": health, "reason": reason, "why_then": state.poll.get("why")}


def finite(seconds: float | None) -> float | None:
    """Seconds, or None for never."""
    return seconds if seconds is not None and math.isfinite(seconds) else None
