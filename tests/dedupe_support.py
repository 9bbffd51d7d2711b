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
from worker.state.index import KINDS
from worker.state.keys import PARSED, RECEIVED
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
        keys = self.ledger.keys
        (generation,) = (one for one in Windows(self.settings, keys).now(self.redis) if one.window == window)
        for kind in KINDS:
            key, older = keys.generation(kind, generation), keys.generation(kind, generation.before)
            self.redis.delete(older)
            if self.redis.exists(key):
                self.redis.rename(key, older)

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
