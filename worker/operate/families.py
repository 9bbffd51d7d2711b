"""Families of copies for people: ids with their headlines, and corrections that bring dropped copies back."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from worker.desk import Desk
from worker.errors import ConfigurationError
from worker.model import Record
from worker.state.families import Families, Family, Member
from worker.store.read import COPIES_LIMIT, FIND_LIMIT, kept_copy, latest, lookup
from worker.store.sink import Sink
from worker.store.withdrawals import identities_of

_FULL_ID = re.compile("[0-9a-f]{32}")


def resolve(sink: Sink, text: str) -> str:
    """The id of a record or kept copy that an id, the beginning of one, or a URL (also one of a copy) names.

    Raises ConfigurationError where it names none or several.
    """
    if _FULL_ID.fullmatch(text):
        return text
    named = lookup(sink, text) + sink.find_copies(text, FIND_LIMIT) or sink.seen_at(text, FIND_LIMIT)
    ids = sorted({record.id for record in named})
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise ConfigurationError(f"nothing is stored under {text!r}; `copydesk records` and `families show` show ids")
    raise ConfigurationError(f"{text!r} names {len(ids)} records: {', '.join(ids[:5])}")


def show(desk: Desk, sink: Sink, record_id: str) -> dict[str, Any] | None:
    """A family as JSON-ready values; None where the memory knows nothing of it.

    `members` have source and headline. One in state `kept` is a copy whose text the store keeps beside a member, but
    which the memory forgot or has, after a correction by hand, in another family. `seen_in` are the places where
    copies of members were seen, exact ones too.
    """
    family = Families(desk.redis, desk.settings).show(record_id)
    return None if family is None else _row(sink, family)


def split(desk: Desk, sink: Sink, record_id: str) -> dict[str, Any] | None:
    """Let a member stand alone; a dropped copy is published with it. Returns its new family.

    Stored rows, and every consumer, follow by an entry of the storage queue.

    Raises ConfigurationError for a dropped copy whose text the store does not have.
    """
    families = Families(desk.redis, desk.settings)
    family = families.show(record_id)
    if family is None:
        return None
    kept = kept_copy(sink, record_id)
    known = any(member.record_id == record_id and member.published for member in family.members)
    if not known and kept is None:
        raise ConfigurationError(f"{record_id} is an exact copy, or its text was not kept: there is nothing to publish")
    record = None if known or kept is None else _standing_alone(kept)
    hosts = [member.record_id for member in family.members]
    alone = families.split(record_id, record, identities_of(sink, record_id, hosts) if record else ())
    return None if alone is None else _row(sink, alone)


def merge(desk: Desk, sink: Sink, record_id: str, other_id: str) -> dict[str, Any] | None:
    """Let the other's family join the first's; the family that came of it, None where one is not remembered."""
    family = Families(desk.redis, desk.settings).merge(record_id, other_id)
    return None if family is None else _row(sink, family)


def _standing_alone(copy: Record) -> Record:
    return msgspec.structs.replace(copy, family_id=copy.id, relation=None, similarity=None, matched_id=None)


def _row(sink: Sink, family: Family) -> dict[str, Any]:
    records = [latest(sink, member.record_id) for member in family.members]
    members = [_member_row(*pair) for pair in zip(family.members, records, strict=True)]
    known = {member["id"] for member in members}
    kept = [copy for member in family.members for copy in sink.copies(member.record_id, COPIES_LIMIT)]
    members += [_copy_row(copy) for copy in kept if copy.id not in known]
    seen = [msgspec.to_builtins(place) for record in records if record for place in record.seen_in]
    return {"family_id": family.family_id, "head_id": family.head_id, "members": members, "seen_in": seen}


def _member_row(member: Member, record: Record | None) -> dict[str, Any]:
    return {
        "id": member.record_id,
        "is_head": member.is_head,
        "state": "withdrawn" if member.withdrawn else "published" if member.published else "dropped",
        "relation": member.relation,
        "similarity": record.similarity if record else None,
        "source_id": record.source_id if record else None,
        "published_at": (member.published_at or member.received_at).isoformat(),
        "headline": record.headline if record else None,
    }


def _copy_row(copy: Record) -> dict[str, Any]:
    return {
        "id": copy.id,
        "is_head": False,
        "state": "kept",
        "relation": copy.relation,
        "similarity": copy.similarity,
        "source_id": copy.source_id,
        "published_at": (copy.published_at or copy.received_at).isoformat(),
        "headline": copy.headline,
    }
