"""Reading records back from a store: for `copydesk records`, `explain` and `reconcile`."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from worker.model import Record
from worker.store.sink import Sink

PAGE_RECORDS = 200
"""Records fetched at once while following."""
POLL_SECONDS = 0.5
"""How soon a follower looks again when nothing new was there."""
COPIES_LIMIT = 10_000
"""Most kept copies of one record that are looked at."""
FIND_LIMIT = 20
"""Most records one look-up answers."""


def newest(sink: Sink, limit: int) -> list[Record]:
    """The last `limit` current records, newest first. Raises SinkError."""
    return sink.newest(limit)


def follow(
    sink: Sink, stop: threading.Event, after: int | None = None, poll_seconds: float = POLL_SECONDS
) -> Iterator[Record]:
    """Every version as it is stored, until `stop` is set; from now on, or from after a position.

    Raises SinkError where the store cannot be read.
    """
    position = sink.last_position() if after is None else after
    while not stop.is_set():
        page = sink.after(position, PAGE_RECORDS)
        for stored in page:
            position = stored.position
            yield stored.record
        if not page:
            stop.wait(poll_seconds)


def lookup(sink: Sink, text: str, limit: int = FIND_LIMIT) -> list[Record]:
    """Records that an id, the beginning of an id, or a URL names: highest version each, also withdrawn ones.

    A full id names one record even where it begins another's id. Raises SinkError.
    """
    text = text.strip()
    found = sink.find(text, limit)
    exact = [record for record in found if record.id == text]
    return exact or found


def versions(sink: Sink, record_id: str) -> list[Record]:
    """Every stored version of a record, oldest first; empty where there is none. Raises SinkError."""
    return sink.versions(record_id)


def kept_copy(sink: Sink, record_id: str) -> Record | None:
    """The near copy that was kept under this id instead of being published, or None. Raises SinkError."""
    return next((copy for copy in sink.copies(record_id, COPIES_LIMIT) if copy.id == record_id), None)


def latest(sink: Sink, record_id: str) -> Record | None:
    """The newest stored version of an id, else the near copy kept under it, else None. Raises SinkError."""
    stored = versions(sink, record_id)
    return stored[-1] if stored else kept_copy(sink, record_id)
