"""What follows a withdrawn record: the earliest of its kept copies, where no other of its family is published."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from worker.state.families import Families
from worker.state.queue import Entry
from worker.store.sink import Sink

_log = structlog.get_logger()


def withdrawn_ids(entries: Sequence[Entry]) -> list[str]:
    """Ids of the records that entries of the storage queue withdraw, in order."""
    return [entry.fields[b"id"].decode() for entry in entries if entry.fields.get(b"event") == b"withdraw"]


def publish_next_copy(families: Families, sink: Sink, record_id: str) -> str | None:
    """Publish the earliest kept copy of a withdrawn record; its id, or None where nothing was to do.

    Nothing is done twice: once the copy is published, its family has a head. Raises SinkError and RedisError.
    """
    family = families.show(record_id)
    if family is None or family.head_id is not None:
        return None
    copy = next(iter(sink.copies(record_id, 1)), None)
    if copy is None:
        return None
    families.promote(copy.id, copy)
    _log.info("copy_published", id=copy.id, instead_of=record_id)
    return copy.id
