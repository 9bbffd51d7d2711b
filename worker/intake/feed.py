"""One poll of a feed: recall, fetch, hand over; what was learned is saved in the same step as the batch."""

from __future__ import annotations

from datetime import datetime

from worker.config import Settings
from worker.errors import FetchError
from worker.intake.fetch import VALIDATORS, Gate, fetch_feed
from worker.intake.receiver import PAUSE_SECONDS, PullResult, Receiver
from worker.model import Source
from worker.state.spool import Spool

LONGEST_INTERVAL_SECONDS = 86_400.0
"""A feed that fails is still asked once a day."""


def poll_feed(
    source: Source, receiver: Receiver, settings: Settings, spool: Spool, now: datetime, gate: Gate | None = None
) -> PullResult:
    """Poll a feed once and say when it is due again; a failed fetch is remembered and doubles the interval.

    StateError passes through: then nothing was remembered, and the feed is fetched again.
    """
    interval = source.interval_seconds or settings.feeds.interval_seconds
    reason = receiver.paused()
    if reason is not None:
        return PullResult(next_due_seconds=PAUSE_SECONDS, problem=f"paused: {reason}", more=True)
    state = receiver.recall(source.id)
    validators = {name: state.get(name, "") for name in VALIDATORS}
    try:
        fetched = fetch_feed(source, validators, settings, spool, now, gate)
    except FetchError as error:
        failures = _failures(state) + 1
        problem = f"{error.code}: {error}"
        receiver.note(source.id, {"failures": str(failures), "problem": problem, "polled_at": now.isoformat()})
        return PullResult(next_due_seconds=next_interval(interval, failures), problem=problem)
    learned = {
        **fetched.validators,
        "failures": "",
        "problem": "",
        "status": str(fetched.status or ""),
        "polled_at": now.isoformat(),
    }
    if fetched.document is None:
        receiver.note(source.id, learned)
        return PullResult(next_due_seconds=interval)
    receiver.receive(source, [fetched.document], lane=source.lane, remember=learned | {"changed_at": now.isoformat()})
    return PullResult(next_due_seconds=interval, documents=1)


def next_interval(interval_seconds: float, failures: int) -> float:
    """Seconds until the next poll: doubled for each failure in a row, up to a day (or the interval, if longer)."""
    doubled = interval_seconds * 2.0 ** min(failures, 64)
    return max(interval_seconds, min(doubled, LONGEST_INTERVAL_SECONDS))


def _failures(state: dict[str, str]) -> int:
    text = state.get("failures", "")
    return int(text) if text.isdecimal() else 0
