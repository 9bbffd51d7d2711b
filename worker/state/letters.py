"""Dead letters: documents that were refused (`rejected`) or buried (`dead`), with bytes and reason.

They stay until purged; the sweeper purges rejected ones after `memory.rejected_days`. A replay moves the
letter back into the ledger as a batch of one document, on the account of the day it was received.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import structlog
from redis import Redis

from worker.config import Settings
from worker.errors import StateError
from worker.model import Burial, DeadLetter
from worker.state.codec import pack_documents, pack_letter, unpack_letter
from worker.state.keys import RECEIVED, Keys
from worker.state.ledger import new_id
from worker.state.scripts import Scripts

log = structlog.get_logger()

Verdict = Literal["rejected", "dead"]
VERDICTS: tuple[Verdict, ...] = ("dead", "rejected")
MOST_HISTORY = 10
"""Earlier burials that a document remembers."""
PAGE_IDS = 5_000
"""Ids of letters read in one call."""
PAGE_LETTERS = 50
"""Letters read in one call: each may hold `limits.inline_bytes`."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters: every given field must match; `since` and `until` bound the time of burial."""

    verdict: Verdict | None = None
    source_id: str | None = None
    stage: str | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    software_version: str | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """True where the letter is meant."""
        wanted = (
            (self.source_id, letter.source_id),
            (self.stage, letter.stage),
            (self.code, letter.code),
            (self.software_version, letter.software_version),
        )
        return all(want is None or want == got for want, got in wanted)


class Letters:
    """The dead letters of one state server."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._keys = Keys(settings.state.namespace)
        self._scripts = Scripts(redis)

    def count(self, verdict: Verdict) -> int:
        """How many letters of a verdict are kept."""
        return int(self._redis.zcard(self._index(verdict)))

    def get(self, letter_id: str) -> DeadLetter | None:
        """One letter, or None."""
        data: Any = self._redis.get(self._keys.letter(letter_id))
        return unpack_letter(data) if data else None

    def find(self, wanted: Filter | None = None, limit: int | None = None) -> Iterator[DeadLetter]:
        """Letters that match, newest first, at most `limit`."""
        wanted = wanted or Filter()
        given = 0
        for verdict in VERDICTS if wanted.verdict is None else (wanted.verdict,):
            for letter in self._newest(verdict, wanted):
                if limit is not None and given >= limit:
                    return
                if wanted.matches(letter):
                    given += 1
                    yield letter

    def add(self, letter: DeadLetter) -> None:
        """Keep a letter about something that already left the ledger (a record the store refused)."""
        with self._redis.pipeline() as pipe:
            pipe.set(self._keys.letter(letter.id), pack_letter(letter))
            pipe.zadd(self._index(letter.verdict), {letter.id: letter.at.timestamp()})
            pipe.execute()

    def take_in(self, letter: DeadLetter, *, booked: bool) -> bool:
        """Keep a letter that comes from a file; False where it is here already. Twice is once.

        `booked`: its document is counted as received and as what the letter's verdict says, so that a replay balances.
        """
        keys = self._keys
        return bool(
            self._scripts.run(
                "import_letter",
                [
                    keys.letter(letter.id),
                    self._index(letter.verdict),
                    keys.name("counts", "total"),
                    keys.day("counts", letter.day),
                    keys.minute(),
                    keys.name("spool"),
                    keys.events,
                ],
                [
                    letter.id,
                    letter.source_id,
                    letter.verdict,
                    pack_letter(letter),
                    letter.at.timestamp(),
                    letter.document.content_ref or "",
                    self._settings.memory.counter_days * 86_400,
                    int(booked),
                ],
            )
        )

    def purge(self, letter: DeadLetter) -> str | None:
        """Forget a letter; the spool reference that nobody holds any more, if any."""
        reference = letter.document.content_ref or ""
        keys = [self._keys.letter(letter.id), *map(self._index, ("rejected", "dead")), self._keys.name("spool")]
        _, freed = self._scripts.run("purge", keys, [letter.id, reference])
        return freed.decode() or None

    def replay(self, letter: DeadLetter) -> str | None:
        """Put the document back into the ledger; the new batch's id, or None where the letter is gone."""
        batch_id = new_id(letter.lane)
        document = msgspec.structs.replace(letter.document, replayed_from=letter.id, history=_history(letter))
        keys = self._keys
        done = self._scripts.run(
            "replay",
            [
                keys.letter(letter.id),
                self._index(letter.verdict),
                keys.batch(batch_id),
                keys.waiting(RECEIVED, letter.lane),
                keys.due(RECEIVED, letter.lane),
                keys.name("counts", "total"),
                keys.day("counts", letter.day),
                keys.minute(),
                keys.name("in_flight"),
                keys.events,
            ],
            [
                letter.id,
                batch_id,
                letter.source_id,
                letter.lane,
                letter.day,
                pack_documents((document,)),
                document.content_ref or "",
                letter.verdict,
                self._settings.memory.counter_days * 86_400,
                document.size_bytes,
            ],
        )
        return batch_id if done else None

    def requeue(self, letter: DeadLetter, fields: Mapping[str, bytes | str | int]) -> bool:
        """Put a refused record back into the storage queue; False where the letter is gone. Twice is once."""
        keys = [self._keys.letter(letter.id), self._index(letter.verdict), self._keys.stream, self._keys.events]
        return bool(
            self._scripts.run("requeue", keys, [letter.id, *(part for pair in fields.items() for part in pair)])
        )

    def expired(self, limit: int = 1000) -> list[DeadLetter]:
        """Rejected letters older than `memory.rejected_days`."""
        seconds, _ = self._redis.time()
        horizon = int(seconds) - self._settings.memory.rejected_days * 86_400
        ids: Any = self._redis.zrangebyscore(self._index("rejected"), "-inf", horizon, start=0, num=limit)
        return list(self._read(ids))

    def _index(self, verdict: str) -> str:
        return self._keys.name("letters", verdict)

    def _newest(self, verdict: str, wanted: Filter) -> Iterator[DeadLetter]:
        for ids in self._pages(verdict, wanted):
            yield from self._read(ids)

    def _read(self, ids: Sequence[bytes]) -> Iterator[DeadLetter]:
        """The letters of these ids, without those that are gone or of a later version."""
        for first in range(0, len(ids), PAGE_LETTERS):
            page = ids[first : first + PAGE_LETTERS]
            blobs: Any = self._redis.mget([self._keys.letter(raw.decode()) for raw in page])
            yield from (letter for blob in blobs if blob and (letter := _readable(blob)) is not None)

    def _pages(self, verdict: str, wanted: Filter) -> Iterator[list[bytes]]:
        """Ids, newest first. Pages go on from a time, not a position, which a replay or purge meanwhile would shift."""
        low: float | str = wanted.since.timestamp() if wanted.since else "-inf"
        high: float | str = wanted.until.timestamp() if wanted.until else "+inf"
        given: set[bytes] = set()
        while True:
            count = PAGE_IDS + len(given)
            rows: Any = self._redis.zrevrangebyscore(
                self._index(verdict), high, low, start=0, num=count, withscores=True
            )
            page = [letter_id for letter_id, _ in rows if letter_id not in given]
            if not page:
                return
            last: float = rows[-1][1]
            # Of many that were buried at one time, those given already come again.
            given = (given if last == high else set()) | {letter_id for letter_id, at in rows if at == last}
            high = last
            yield page


def _readable(blob: bytes) -> DeadLetter | None:
    """The letter, or None for one of a later version of copydesk: it stays, and is no reason to show none."""
    try:
        return unpack_letter(blob)
    except StateError as error:
        log.warning("letter_of_another_version", error=str(error))
        return None


def _history(letter: DeadLetter) -> tuple[Burial, ...]:
    """Where and why the document was buried before, the last `MOST_HISTORY` times."""
    last = Burial(
        letter_id=letter.id,
        at=letter.at,
        stage=letter.stage,
        code=letter.code,
        software_version=letter.software_version,
    )
    return (*letter.document.history, last)[-MOST_HISTORY:]
