"""Families as the memory knows them: looked at, and corrected by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from redis import Redis

from worker.config import Settings
from worker.dedupe.furniture import Furniture
from worker.dedupe.records import Candidate
from worker.dedupe.sketch import sketch_articles
from worker.errors import StateError
from worker.model import Record, Relation, encode
from worker.state.index import (
    RELATIONS,
    UNPUBLISHED,
    WITHDRAWN,
    article_arguments,
    moment_of,
)
from worker.state.keys import Keys
from worker.state.scripts import Scripts
from worker.state.windows import Windows

_ATTEMPTS = 3
"""A generation can end between asking for the time and the script, but not twice."""
TOLD_AT_ONCE = 500
"""Members of a family that one entry of the storage queue tells of."""
_Operation = Literal["show", "split", "merge", "promote"]


@dataclass(frozen=True, slots=True)
class Member:
    """One article of a family; a dropped copy has version 0 and the id it would have as a record."""

    record_id: str
    version: int
    relation: Relation | None
    is_head: bool
    published: bool
    withdrawn: bool
    received_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Family:
    """Articles that tell the same text. `head_id` stands for them; None where no member is published any more."""

    family_id: str
    head_id: str | None
    members: tuple[Member, ...]


class Families:
    """The families in the memory of one state server. Ids are hexadecimal record ids.

    Whatever changes is told in the storage queue (event `family`) by the step that changes it.
    """

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._keys = Keys(settings.state.namespace)
        self._windows = Windows(settings, self._keys)
        self._scripts = Scripts(redis)

    def show(self, record_id: str) -> Family | None:
        """The family of a record, or of the record a dropped copy was seen for; None where it is not remembered."""
        return self._run("show", record_id)

    def split(self, record_id: str, record: Record | None = None, identities: Sequence[bytes] = ()) -> Family | None:
        """Take a member out of its family; the family it is in afterwards (its own).

        A dropped copy stands alone only as a `record`, which is published in the same step; without it nothing changes.
        The `identities` lead to that record from then on.
        """
        return self._run("split", record_id, record=record, identities=identities)

    def promote(
        self, record_id: str, record: Record, identities: Sequence[bytes], exact: Candidate | None = None
    ) -> Family | None:
        """Publish a copy, `record`, as the head of the family of `record_id` where that has none; else nothing changes.

        It is a member that was dropped; or, with `exact`, what the memory is told of an exact copy, which is no member
        yet. The `identities` lead to the record from then on. The family as it is afterwards.
        """
        article = [b""] * 4
        if exact is not None:
            packed: Any = self._redis.get(self._keys.furniture(exact.source_id))
            (sketch,) = sketch_articles([exact.to_sketch], Furniture.unpack(packed))
            article = list(article_arguments(exact, sketch, None, []))
        return self._run("promote", record_id, record.id, record, identities, article)

    def merge(self, record_id: str, other_id: str) -> Family | None:
        """The other's family joins the first's, and has its head; None where one of them is not remembered."""
        return self._run("merge", record_id, other_id)

    def _run(
        self,
        operation: _Operation,
        record_id: str,
        other_id: str = "",
        record: Record | None = None,
        identities: Sequence[bytes] = (),
        article: Sequence[bytes] = (),
    ) -> Family | None:
        try:
            ids = bytes.fromhex(record_id), bytes.fromhex(other_id)
        except ValueError:
            return None
        for _ in range(_ATTEMPTS):
            generations = self._windows.now(self._redis)
            keys = [self._keys.stream, *self._windows.script_keys(generations)]
            published = encode(record) if record else b""
            arguments = [
                self._windows.script_text(generations),
                operation,
                *ids,
                published,
                TOLD_AT_ONCE,
                b"".join(identities),
            ]
            answer = self._scripts.run("family", keys, [*arguments, *article])
            if answer != b"generation":
                return None if answer is None else _family(answer)
        raise StateError("the memory's generation changed again and again; is the server's clock right?")


def _family(answer: Sequence[Any]) -> Family:
    family_id, head_id, *rows = answer
    return Family(
        family_id=family_id.hex(), head_id=head_id.hex() or None, members=tuple(_member(row, head_id) for row in rows)
    )


def _member(row: Sequence[Any], head_id: bytes) -> Member:
    record_id, version, flags, relation, received, published = row
    return Member(
        record_id=record_id.hex(),
        version=version,
        relation=RELATIONS[relation - 1] if relation else None,
        is_head=record_id == head_id,
        published=not flags & UNPUBLISHED,
        withdrawn=bool(flags & WITHDRAWN),
        received_at=datetime.fromtimestamp(received, UTC),
        published_at=moment_of(published),
    )
