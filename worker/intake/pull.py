"""Pull a directory or inbox once."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from worker.config import Settings
from worker.errors import ConfigurationError
from worker.intake.directory import pull_directory
from worker.intake.files import origin_text
from worker.intake.inbox import pull_inbox
from worker.intake.receiver import PAUSE_SECONDS, Pulled, PullResult, Receiver
from worker.model import Source
from worker.state.spool import Spool


def pull_source(source: Source, receiver: Receiver, settings: Settings, spool: Spool, now: datetime) -> PullResult:
    """Pull a directory or inbox once, and say when it is due again.

    A problem of the source itself is in the result and in its poll state; StateError passes through, and a
    source that is not pulled by itself (feeds are polled in groups, see polling.py) raises ConfigurationError.
    """
    if source.kind != "directory" or not source.path:
        raise ConfigurationError(f"source {source.id!r}: a {source.kind} source cannot be pulled")
    pull = pull_inbox if source.claim else pull_directory
    try:
        pulled = pull(source, receiver, settings, spool, now)
        problem = _problem(pulled)
    except OSError as error:
        where = "" if error.filename is None else f"{origin_text(Path(os.fsdecode(error.filename)))}: "
        pulled, problem = Pulled(), f"{where}{error.strerror or error}"
    if receiver.recall(source.id).get("problem", "") != (problem or ""):
        receiver.note(source.id, {"problem": problem or ""})
    return PullResult(
        next_due_seconds=_next_due(pulled, source, settings),
        documents=pulled.documents,
        problem=problem,
        more=pulled.unfinished or pulled.waiting > 0,
    )


def _problem(pulled: Pulled) -> str | None:
    if pulled.paused is not None:
        return f"paused: {pulled.paused}"
    if not pulled.unreadable:
        return None
    first = pulled.unreadable[0]
    others = len(pulled.unreadable) - 1
    return f"{first.code}: {first.detail}" + (f" (and {others} more)" if others else "")


def _next_due(pulled: Pulled, source: Source, settings: Settings) -> float:
    if pulled.paused is not None:
        return PAUSE_SECONDS
    if pulled.unfinished:
        return 0.0
    interval = source.interval_seconds or settings.inbox.interval_seconds
    return min(interval, settings.inbox.stable_seconds) if pulled.waiting else interval
