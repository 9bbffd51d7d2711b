"""Which family stored rows belong to, where that was corrected by hand: the newest word on an id decides.

A correction holds for every version that was sent before it, whenever that comes; what was sent after it says the same
or something newer itself. So entries may come twice and in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert

from worker.events import FamilyChange
from worker.model import decode_record
from worker.store.queries import chunks
from worker.store.tables import copies, copy_row, family_changes, records

_insert = insert(family_changes)
_REMEMBER = _insert.on_conflict_do_update(
    index_elements=["id"],
    set_={name: _insert.excluded[name] for name in ("family_id", "relation", "entry")},
    where=_insert.excluded.entry > family_changes.c.entry,
)
_MOVE = update(records).where(records.c.id == bindparam("moved"))


@dataclass(frozen=True, slots=True)
class Move:
    """The family of one id, as an entry of the storage queue told it; `entry` is that of `entry_order`."""

    family_id: str
    relation: str | None
    entry: str

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a record that the move sets; what has no relation was recognised by nothing."""
        alone = {} if self.relation else {"similarity": None, "matched_id": None}
        return {"family_id": self.family_id, "relation": self.relation, **alone}


def told(changes: Iterable[tuple[FamilyChange, str]]) -> dict[str, Move]:
    """Id -> the newest of these changes, each given with the order of its entry."""
    moves: dict[str, Move] = {}
    for change, entry in sorted(changes, key=lambda pair: pair[1]):
        moves |= {one.id: Move(change.family_id, one.relation, entry) for one in change.members}
    return moves


def settle(connection: Connection, changes: Mapping[str, Move], arrived: Mapping[str, str]) -> None:
    """Remember changes, and let rows follow what is known of their family.

    `arrived`: ids of records and copies that this transaction has written, each with the order of its oldest entry. It
    must be the only one that writes: another one's row would be missed.
    """
    if changes:
        rows = [
            {"id": n, "family_id": m.family_id, "relation": m.relation, "entry": m.entry} for n, m in changes.items()
        ]
        connection.execute(_REMEMBER, rows)
    known = _known(connection, sorted(changes.keys() | arrived.keys()))
    news = {name for name, move in changes.items() if known[name].entry == move.entry}
    late = {name for name, order in arrived.items() if name in known and known[name].entry > order}
    if news or late:
        _follow(connection, {name: known[name] for name in sorted(news | late)})


def _known(connection: Connection, ids: Iterable[str]) -> dict[str, Move]:
    moves: dict[str, Move] = {}
    for chunk in chunks(ids):
        for row in connection.execute(select(family_changes).where(family_changes.c.id.in_(chunk))):
            moves[row.id] = Move(row.family_id, row.relation, row.entry)
    return moves


def _follow(connection: Connection, moves: Mapping[str, Move]) -> None:
    for related in (True, False):
        fields = [{"moved": name, **one.fields} for name, one in moves.items() if bool(one.relation) is related]
        if fields:
            connection.execute(_MOVE.values({name: bindparam(name) for name in fields[0] if name != "moved"}), fields)
    for chunk in chunks(moves):
        for head_id, kept in connection.execute(
            select(copies.c.head_id, copies.c.record).where(copies.c.id.in_(chunk))
        ).all():
            copy = decode_record(kept)
            row = copy_row(head_id, msgspec.structs.replace(copy, **moves[copy.id].fields))
            connection.execute(update(copies).where(copies.c.id == copy.id).values(row))
