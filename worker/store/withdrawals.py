"""What follows a withdrawn record: the copy that was seen first, where no other of its family is published.

A near copy is published as it was kept. Of an exact copy only a few facts are kept: it is published with the text of
the record it is a copy of. Copies of a source that has withdrawn a record of the family are not: who takes an article
back does so at all its addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import structlog

from worker.dedupe.exact_copies import ExactCopy, exact_copy
from worker.events import FamilyChange, Sighting
from worker.model import Record
from worker.state.families import Families, Family
from worker.state.queue import Entry
from worker.store.entries import decode_entry
from worker.store.read import COPIES_LIMIT, kept_copy, latest, versions
from worker.store.sink import Sink
from worker.store.tables import time_text

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A copy that could be published: kept as a near copy, or only seen; `host_id` is the record it was seen for."""

    at: datetime
    record_id: str
    kept: Record | None = None
    sighting: Sighting | None = None
    host_id: str = ""


def without_head(entries: Sequence[Entry], sink: Sink) -> list[str]:
    """Ids, in order, whose families may have nothing published any more by these entries, which are stored.

    Records that were withdrawn; a member of each family that lost its head by hand; withdrawn records of which a copy
    comes only now, because another writer had its entry. Raises SinkError.
    """
    ids: list[str] = []
    seen: dict[str, None] = {}
    for entry in entries:
        event, name = entry.fields.get(b"event"), entry.fields.get(b"id", b"").decode("utf-8", "replace")
        if event == b"withdraw":
            ids.append(name)
        elif event == b"seen":
            seen[name] = None
        elif event == b"family":
            ids += _headless(entry)
    return list(dict.fromkeys([*ids, *(sink.withdrawn(seen) if seen else ())]))


def publish_next_copy(families: Families, sink: Sink, record_id: str) -> str | None:
    """Publish the copy that follows a withdrawn record; the id of who leads then, or None where nothing was to do.

    Nothing is done twice, whoever else does it: once a copy is published, its family has a head. Raises SinkError and
    RedisError.
    """
    family = families.show(record_id)
    if family is None or family.head_id is not None:
        return None
    for waiting in _in_order(family, sink):
        head_id = _publish(families, sink, family, waiting)
        if head_id is not None:
            _log.info("copy_published", id=head_id, instead_of=record_id)
            return head_id
    return None


def identities_of(sink: Sink, record_id: str, host_ids: Sequence[str]) -> tuple[bytes, ...]:
    """What a copy of one of these records is known by, its id first; only that where its facts are not stored."""
    sightings = (one for host_id in host_ids for one in sink.sightings(host_id, COPIES_LIMIT))
    named = (one.facts.identities for one in sightings if one.facts and one.facts.identities[0] == record_id)
    return tuple(map(bytes.fromhex, next(named, (record_id,))))


def _headless(entry: Entry) -> list[str]:
    try:
        change = decode_entry(entry)
    except ValueError:
        return []
    return [change.members[0].id] if isinstance(change, FamilyChange) and not change.head_id and change.members else []


def _in_order(family: Family, sink: Sink) -> list[_Waiting]:
    """Near and exact copies of a family that are not published, in the order in which they were seen."""
    ids = [member.record_id for member in family.members]
    stored = [latest(sink, member.record_id) for member in family.members if member.withdrawn]
    withdrawn_by = {record.source_id for record in stored if record}
    waiting: dict[str, _Waiting] = {}
    for member in family.members:
        kept = None if member.published else kept_copy(sink, member.record_id)
        if kept and kept.source_id not in withdrawn_by:
            waiting[kept.id] = _Waiting(kept.received_at, kept.id, kept=kept)
    for host_id in ids:
        for sighting in sink.sightings(host_id, COPIES_LIMIT):
            seen, facts = sighting.seen_in, sighting.facts
            if facts and facts.identities[0] not in ids and seen.source_id not in withdrawn_by:
                found = _Waiting(seen.at, facts.identities[0], sighting=sighting, host_id=host_id)
                waiting.setdefault(found.record_id, found)
    return sorted(waiting.values(), key=lambda one: (time_text(one.at), one.record_id))


def _publish(families: Families, sink: Sink, family: Family, waiting: _Waiting) -> str | None:
    if waiting.kept is not None:
        record = msgspec.structs.replace(waiting.kept, family_id=family.family_id)
        hosts = [member.record_id for member in family.members]
        after = families.promote(record.id, record, identities_of(sink, record.id, hosts))
    else:
        found = _exact(sink, family, waiting)
        if found is None:
            return None
        record = msgspec.structs.replace(found.record, family_id=family.family_id)
        identities = found.candidate.fingerprint.identities
        after = families.promote(record.matched_id or "", record, identities, found.candidate)
    return after.head_id if after else None


def _exact(sink: Sink, family: Family, waiting: _Waiting) -> ExactCopy | None:
    """The exact copy with its text, if that is stored; None for what was published under this id before."""
    if waiting.sighting is None or sink.versions(waiting.record_id):
        return None
    now = datetime.now(UTC)
    texts = _texts(sink, [waiting.host_id, *(member.record_id for member in family.members)])
    found = (exact_copy(waiting.sighting, text, now) for text in texts)
    return next((one for one in found if one is not None), None)


def _texts(sink: Sink, ids: Sequence[str]) -> Iterator[Record]:
    """The texts of members, each member's newest first."""
    for record_id in dict.fromkeys(ids):
        stored = versions(sink, record_id)
        kept = None if stored else kept_copy(sink, record_id)
        yield from (record for record in [*reversed(stored), *([kept] if kept else [])] if record.event != "withdraw")
