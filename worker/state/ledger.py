"""The ledger: the durable account of every batch that is not yet settled. Each change is one atomic script.

    receive ──► received ──claim──► advance ──► parsed ──claim──► publish ──► settled
                    ▲  │                │                              (worker/state/memory.py)
                    │  └─ split, hand_back, lease lapses ─► due again
                    └───────────────────┘ refusals leave as dead letters

A bell carries only a batch id. A worker *claims* the batch (one delivery, a lease with a token); every later
step names the token, and does nothing when the lease went to somebody else. A step that is sent twice has one
effect, so a client may repeat it after a broken connection.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from redis import Redis
from redis.client import Pipeline

from worker import __version__
from worker.config import Settings
from worker.errors import StateError
from worker.model import Batch, DeadLetter, Document, Lane, Refusal
from worker.secrets import mask
from worker.state.codec import Item, pack_documents, pack_items, pack_letter, unpack_documents, unpack_items
from worker.state.durability import STARTED_AGAIN
from worker.state.keys import PARSED, RECEIVED, STAGES, Keys, Stage
from worker.state.receipts import receipt_field, receipt_value, today
from worker.state.scripts import Scripts

_LANE_LETTERS: dict[Lane, str] = {"news": "n", "backfill": "b"}
_LETTER_LANES: dict[str, Lane] = {letter: lane for lane, letter in _LANE_LETTERS.items()}


OTHER_RUN = -1
"""What `receive.lua` answers where the server was started again since the pull began."""
SPLIT_BYTES = 64_000_000
"""Most bytes that may be copied when a batch is taken apart: each article takes along the document it came from, and
a feed of a megabyte can hold thousands."""


PAGE_BATCHES = 1_000
"""Batches asked after in one call."""


def new_id(lane: Lane) -> str:
    """A batch id: lane letter, milliseconds, randomness; ids sort by time within a lane."""
    return f"{_LANE_LETTERS[lane]}{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def lane_of(batch_id: str) -> Lane:
    """The lane a batch id belongs to (KeyError for what is no batch id)."""
    return _LETTER_LANES[batch_id[:1]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased batch: what is in it, and the token that the next step must show.

    `progress` counts the items already published; `items` is empty in the stage `received`.
    """

    batch: Batch
    stage: Stage
    token: str
    deliveries: int
    progress: int
    items: tuple[Item, ...]

    @property
    def remaining(self) -> int:
        """Documents (or articles) that still wait for their verdict."""
        return (len(self.items) if self.stage == PARSED else len(self.batch.documents)) - self.progress


@dataclass(frozen=True, slots=True)
class Buried:
    """A refusal, and the index of the document of the batch it belongs to."""

    document: int
    refusal: Refusal


class Ledger:
    """The ledger of one state server."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self.keys = Keys(settings.state.namespace)
        self._scripts = Scripts(redis)

    def receive(
        self, batch: Batch, remember: dict[str, str] | None = None, pipe: Pipeline | None = None, run: str = ""
    ) -> bool:
        """Put a batch into the ledger and `remember` into its source's poll state, atomically.

        An empty batch only remembers. False where this batch id is already known; with `pipe` the answer is its.
        With `run` (see `durability.server_run`) the server must still be in that run: StateError where it is not.
        """
        pairs = [part for pair in (remember or {}).items() for part in pair]
        answer = self._scripts.run(
            "receive",
            [
                *self._stage_keys(batch.id, RECEIVED),
                *self._count_keys(batch.day),
                self.keys.name("in_flight"),
                self.keys.name("spool"),
                self.keys.poll(batch.source_id),
                self.keys.name("received", batch.id),
            ],
            [
                batch.id,
                batch.source_id,
                batch.lane,
                batch.day,
                len(batch.documents),
                pack_documents(batch.documents),
                self.settings.sweeper.after_seconds,
                self._counter_ttl,
                _references(batch.documents),
                len(pairs) // 2,
                _bytes(batch.documents),
                run,
                *pairs,
            ],
            pipe,
        )
        if answer == OTHER_RUN:
            raise StateError(STARTED_AGAIN)
        return bool(answer)

    def claim(self, batch_id: str, stage: Stage) -> Claim | None:
        """Lease a batch for one delivery; None where it is settled, elsewhere, or held by somebody alive.

        A batch of another version raises StateError and is handed back: it waits, as new, for who can read it.
        """
        token = secrets.token_hex(8)
        answer = self._scripts.run(
            "claim",
            [self.keys.batch(batch_id), self.keys.due(stage, lane_of(batch_id)), self.keys.events],
            [batch_id, stage, self.settings.sweeper.lease_seconds, token],
        )
        if answer is None:
            return None
        deliveries, source, lane, day, _size, progress, documents, articles = answer
        batch = Batch(
            id=batch_id, source_id=source.decode(), lane=cast("Lane", lane.decode()), day=day.decode(), documents=()
        )
        claim = Claim(batch, stage, token, int(deliveries), int(progress or 0), ())
        try:
            batch = msgspec.structs.replace(batch, documents=unpack_documents(documents))
            return replace(claim, batch=batch, items=unpack_items(articles) if stage == PARSED else ())
        except StateError:
            self.hand_back(claim)
            raise

    def renew(self, claim: Claim) -> bool:
        """Prolong the lease; False where it went to somebody else."""
        keys = [self.keys.batch(claim.batch.id), self.keys.due(claim.stage, claim.batch.lane)]
        return bool(
            self._scripts.run("renew", keys, [claim.batch.id, claim.token, self.settings.sweeper.lease_seconds])
        )

    def hand_back(self, claim: Claim) -> bool:
        """Give the lease up without a verdict; the delivery does not count against the batch."""
        keys = [self.keys.batch(claim.batch.id), self.keys.due(claim.stage, claim.batch.lane)]
        return bool(self._scripts.run("hand_back", keys, [claim.batch.id, claim.token]))

    def advance(self, claim: Claim, items: Sequence[Item], buried: Sequence[Buried]) -> list[str] | None:
        """Record what parsing found: articles go on to dedupe, refusals become dead letters.

        Returns the spool references that nobody needs any more (empty while articles go on), or None where
        the lease was lost.
        """
        letters = [self._letter(claim, entry) for entry in buried]
        arguments: list[Any] = []
        for entry, letter in zip(buried, letters, strict=True):
            refusal = entry.refusal
            value = receipt_value(refusal.verdict, letter.id, refusal.code)
            arguments += [refusal.verdict, letter.id, pack_letter(letter), letter.document.content_ref or ""]
            arguments += [receipt_field(letter.document.origin, letter.document.part), value]
        batch, stage = claim.batch, claim.stage
        waiting, due = self.keys.waiting(PARSED, batch.lane), self.keys.due(PARSED, batch.lane)
        answer = self._scripts.run(
            "advance",
            [
                *self._stage_keys(batch.id, stage),
                waiting,
                due,
                *self._count_keys(batch.day),
                self.keys.name("in_flight"),
                self.keys.name("spool"),
                self.keys.day("receipts", today()),
                self.keys.name("letters", "rejected"),
                self.keys.name("letters", "dead"),
                self.keys.events,
                *(self.keys.letter(letter.id) for letter in letters),
            ],
            [
                batch.id,
                claim.token,
                stage,
                batch.lane,
                batch.source_id,
                pack_items(tuple(items)),
                len(items),
                self.settings.sweeper.after_seconds,
                self._counter_ttl,
                self.settings.memory.receipt_days * 86_400,
                len(letters),
                *arguments,
            ],
        )
        return None if answer is None else [ref.decode() for ref in answer]

    def split(self, claim: Claim) -> tuple[list[str], list[str]]:
        """Replace the batch by one per remaining document or article, or halve it where that would be too much.

        Returns their ids, and the spool references that none of them needs (both empty where the lease was lost).
        """
        children = _children(claim)
        ids = [new_id(claim.batch.lane) for _ in children]
        arguments: list[Any] = []
        for child_id, (documents, items) in zip(ids, children, strict=True):
            blob = pack_items(items) if items else b""
            size = len(items) if claim.stage == PARSED else len(documents)
            arguments += [child_id, size, pack_documents(documents), blob, _references(documents)]
            arguments.append(_bytes(documents))
        keys = [*self._stage_keys(claim.batch.id, claim.stage), self.keys.name("spool"), self.keys.events]
        keys.append(self.keys.name("in_flight"))
        answer = self._scripts.run(
            "split",
            [*keys, *(self.keys.batch(child_id) for child_id in ids)],
            [claim.batch.id, claim.token, claim.stage, len(ids), *arguments],
        )
        return ([], []) if answer is None else (ids, [ref.decode() for ref in answer])

    def overdue(self, stage: Stage, lane: Lane, limit: int) -> list[str]:
        """At most `limit` batches nobody holds and whose bell may be lost, oldest first; each once an interval."""
        answer: list[bytes] = self._scripts.run(
            "overdue",
            [self.keys.due(stage, lane), self.keys.events],
            [limit, self.settings.sweeper.after_seconds],
        )
        return [batch_id.decode() for batch_id in answer]

    def sources_of(self, batch_ids: Sequence[str]) -> list[str]:
        """The source of each batch; empty for one that is settled."""
        with self.redis.pipeline(transaction=False) as pipe:
            for batch_id in batch_ids:
                pipe.hget(self.keys.batch(batch_id), "source")
            return [source.decode() if source else "" for source in pipe.execute()]

    def ring_soon(self) -> None:
        """Let the next sweep ring for whatever has no bell, without waiting until one counts as lost."""
        seconds, micros = self.redis.time()
        now = int(seconds) + int(micros) / 1e6
        for stage in STAGES:
            for lane in _LANE_LETTERS:
                ids: Any = self.redis.zrange(self.keys.due(stage, lane), 0, -1)
                if ids:
                    self.redis.zadd(self.keys.due(stage, lane), dict.fromkeys(ids, now), xx=True, lt=True)

    def held(self, stage: Stage) -> int:
        """Batches of a stage that somebody alive works on."""
        seconds, _ = self.redis.time()
        count = 0
        for lane in _LANE_LETTERS:
            ids: Any = self.redis.zrange(self.keys.waiting(stage, lane), 0, -1)
            for first in range(0, len(ids), PAGE_BATCHES):
                with self.redis.pipeline(transaction=False) as pipe:
                    for batch_id in ids[first : first + PAGE_BATCHES]:
                        pipe.hget(self.keys.batch(batch_id.decode()), "lease_until")
                    count += sum(float(lease or 0) > int(seconds) for lease in pipe.execute())
        return count

    def waiting(self, stage: Stage, lane: Lane) -> int:
        """Batches in the stage, held or not."""
        return int(self.redis.zcard(self.keys.waiting(stage, lane)))

    def holds(self, reference: str) -> bool:
        """True where a batch or dead letter still needs a spool object."""
        return bool(self.redis.hexists(self.keys.name("spool"), reference))

    def _letter(self, claim: Claim, entry: Buried) -> DeadLetter:
        document, refusal = claim.batch.documents[entry.document], entry.refusal
        if refusal.member not in (None, document.member):
            member = _encodable(refusal.member) if isinstance(refusal.member, str) else refusal.member
            document = msgspec.structs.replace(document, only_member=member)
        document = msgspec.structs.replace(document, origin=mask(document.origin))
        return DeadLetter(
            id=secrets.token_hex(7),
            verdict=refusal.verdict,
            stage="parse" if claim.stage == RECEIVED else "dedupe",
            code=refusal.code,
            detail=mask(_encodable(refusal.detail)),
            source_id=claim.batch.source_id,
            lane=claim.batch.lane,
            day=claim.batch.day,
            at=datetime.now(UTC),
            document=document,
            traceback=None if refusal.traceback is None else mask(_encodable(refusal.traceback)),
            software_version=__version__,
            deliveries=claim.deliveries,
        )

    def _stage_keys(self, batch_id: str, stage: Stage) -> list[str]:
        lane = lane_of(batch_id)
        return [self.keys.batch(batch_id), self.keys.waiting(stage, lane), self.keys.due(stage, lane)]

    def _count_keys(self, day: str) -> list[str]:
        return [self.keys.name("counts", "total"), self.keys.day("counts", day), self.keys.minute()]

    @property
    def _counter_ttl(self) -> int:
        return self.settings.memory.counter_days * 86_400


def _children(claim: Claim) -> list[tuple[tuple[Document, ...], tuple[Item, ...]]]:
    """Documents and articles of each batch that a split gives."""
    documents, items = claim.batch.documents, claim.items[claim.progress :]
    if claim.stage == RECEIVED:
        return [((document,), ()) for document in documents]
    if sum(len(documents[item.document].content or b"") for item in items) > SPLIT_BYTES:
        middle = len(items) // 2
        return [_part(documents, items[:middle]), _part(documents, items[middle:])]
    return [_part(documents, (item,)) for item in items]


def _part(documents: tuple[Document, ...], items: Sequence[Item]) -> tuple[tuple[Document, ...], tuple[Item, ...]]:
    """Some articles of a batch with the documents they came from; a single one names its place in the document."""
    used = sorted({item.document for item in items})
    kept = tuple(documents[index] for index in used)
    if len(items) == 1 and items[0].article.member != kept[0].member:
        kept = (msgspec.structs.replace(kept[0], only_member=items[0].article.member),)
    return kept, tuple(Item(used.index(item.document), item.article) for item in items)


def _bytes(documents: Sequence[Document]) -> int:
    return sum(document.size_bytes for document in documents)


def _references(documents: Sequence[Document]) -> str:
    return " ".join(document.content_ref for document in documents if document.content_ref)


def _encodable(text: str) -> str:
    """Text that any codec takes: an error message may quote half a surrogate pair out of the document."""
    return text.encode("utf-8", "replace").decode("utf-8")
