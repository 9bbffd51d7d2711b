"""A ledger and a memory on the test server, and short ways to push articles through both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis

from worker.config import load_settings
from worker.dedupe.records import Candidate, make_candidate
from worker.events import Sighting
from worker.model import Article, Batch, Document, Lane, Record, decode_record
from worker.state.codec import Item
from worker.state.counters import Counters
from worker.state.index import CARD_BYTES, HEADER, KINDS, MOVED_ACROSS
from worker.state.keys import PARSED, RECEIVED, Generation
from worker.state.ledger import Claim, Ledger, new_id
from worker.state.memory import Memory, Published, Rules, rules_for
from worker.state.windows import Windows

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LONG = " ".join(f"word{i}" for i in range(80))


class Desk:
    """A ledger and a memory; `rules` are those of every article pushed. With `backfill_days` there are two windows."""

    def __init__(self, redis: Redis, tmp_path: Path, backfill_days: int | None = None, **dedupe: str) -> None:
        environ = {f"COPYDESK_DEDUPE_{name.upper()}": value for name, value in dedupe.items()}
        if backfill_days:
            environ["COPYDESK_MEMORY_BACKFILL_DAYS"] = str(backfill_days)
        self.redis = redis
        self.settings = load_settings(tmp_path / "config", tmp_path / "data", environ)
        self.rules: Rules = rules_for(self.settings, None)
        self.ledger = Ledger(redis, self.settings)
        self.memory = Memory(redis, self.settings)
        self.counters = Counters(redis, self.ledger.keys)
        self.windows = Windows(self.settings, self.ledger.keys)

    def parsed(self, articles: list[Article], source: str = "a", at: datetime = NOW, lane: Lane = "news") -> Claim:
        """A claimed batch in the stage `parsed`."""
        document = Document(source_id=source, origin=f"/in/{source}", received_at=at, content=b"x", size_bytes=1)
        batch = Batch(id=new_id(lane), source_id=source, lane=lane, day="2026-11-01", documents=(document,))
        assert self.ledger.receive(batch)
        claim = self.ledger.claim(batch.id, RECEIVED)
        assert claim is not None
        assert self.ledger.advance(claim, [Item(0, article) for article in articles], []) == []
        again = self.ledger.claim(batch.id, PARSED)
        assert again is not None
        return again

    def candidates(self, claim: Claim) -> list[Candidate]:
        """The articles of a claim that wait for their verdict."""
        items, documents = claim.items[claim.progress :], claim.batch.documents
        return [make_candidate(item.article, documents[item.document], claim.batch.lane, NOW) for item in items]

    def publish(self, claim: Claim) -> Published:
        return self.memory.publish(claim, self.candidates(claim), self.rules)

    def push(self, *articles: Article, source: str = "a", at: datetime = NOW, lane: Lane = "news") -> tuple[str, ...]:
        return self.publish(self.parsed(list(articles), source, at, lane)).verdicts

    def age(self, window: str = "") -> None:
        """Make the current generation of a window the one before."""
        generation = self._generation(window)
        self._rename(generation, generation.before)
        for other in self.windows.windows:
            if other.name != window:
                self._point_to_older(self._generation(other.name), generation.number)

    def step_back(self, window: str = "") -> None:
        """Make the generation before the current one, as if the clock was stepped back."""
        generation = self._generation(window)
        self._rename(generation.before, generation)

    def _generation(self, window: str) -> Generation:
        (generation,) = (one for one in self.windows.now(self.redis) if one.window == window)
        return generation

    def _rename(self, generation: Generation, to: Generation) -> None:
        keys = self.ledger.keys
        for kind in KINDS:
            self.redis.delete(keys.generation(kind, to))
            if self.redis.exists(keys.generation(kind, generation)):
                self.redis.rename(keys.generation(kind, generation), keys.generation(kind, to))

    def _point_to_older(self, generation: Generation, number: int) -> None:
        """Cards that went across name the generation of the window that was renamed."""
        for place in (generation, generation.before):
            key = self.ledger.keys.generation("cards", place)
            chunks: Any = self.redis.hgetall(key)
            for field, chunk in chunks.items():
                changed = bytearray(chunk)
                for at in range(0, len(chunk), CARD_BYTES):
                    facts = list(HEADER.unpack_from(chunk, at))
                    if facts[4] & MOVED_ACROSS and facts[8] in (number, number - 1):
                        facts[8] -= 1
                        HEADER.pack_into(changed, at, *facts)
                self.redis.hset(key, field, bytes(changed))

    def stream(self) -> list[dict[str, Any]]:
        rows: Any = self.redis.xrange(self.ledger.keys.stream)
        return [{key.decode(): value for key, value in fields.items()} for _, fields in rows]

    def records(self) -> list[Record]:
        return [decode_record(row["record"]) for row in self.stream() if "record" in row]

    def sightings(self) -> list[Sighting]:
        return [msgspec.json.decode(row["sighting"], type=Sighting) for row in self.stream() if row["event"] == b"seen"]


def text(number: int) -> str:
    """A text that shares no word with that of another number."""
    return " ".join(f"w{number}x{i}" for i in range(80))


def article(**facts: Any) -> Article:
    return Article(**{"headline": "Harbour bridge opens", "body_text": LONG, **facts})
