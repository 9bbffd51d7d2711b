"""Copies that arrive at the same moment, at eight worker processes: one head a family, nothing lost.

    python benchmarks/dedupe_concurrency.py [--documents 100000] [--workers 8] [--json]

Stories come in ten versions, cut off at different words, spread over neighbouring batches, so that several
workers hold copies of one story at once. `again` counts runs that had to be looked up again because another worker
had remembered something relevant in between: the collisions that were caught.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any

import msgspec

from worker.config import Settings, load_settings
from worker.dedupe.records import make_candidate
from worker.model import Article, Batch, Document
from worker.state.codec import Item
from worker.state.connection import connect
from worker.state.counters import Counters, imbalance
from worker.state.keys import PARSED, RECEIVED
from worker.state.ledger import Ledger, new_id
from worker.state.memory import Memory, rules_for
from worker.state.server import EmbeddedServer, embedded_url

COPIES, BATCH, WORDS = 10, 20, 150
NEAR = 400
"""Copies of a story lie within so many documents of each other."""
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def article(story: int, copy: int) -> Article:
    body = " ".join(f"{story}x{word}" for word in range(WORDS - copy))
    return Article(headline=f"Story {story}", body_text=body, guid=f"{story}-{copy}")


def fill(settings: Settings, url: str, documents: int) -> list[str]:
    """Parsed batches in the ledger, ready for the dedupe stage; their ids."""
    ledger = Ledger(connect(url), settings)
    dice = random.Random(11)
    order = sorted(range(documents), key=lambda number: number + dice.random() * NEAR)
    batches = []
    for first in range(0, documents, BATCH):
        source = f"source{dice.randrange(50)}"
        document = Document(source_id=source, origin=f"{first}", received_at=NOW, content=b"x", size_bytes=1)
        batch = Batch(id=new_id("news"), source_id=source, lane="news", day="2026-11-01", documents=(document,))
        ledger.receive(batch)
        claim = ledger.claim(batch.id, RECEIVED)
        assert claim is not None
        numbers = order[first : first + BATCH]
        ledger.advance(claim, [Item(0, article(number // COPIES, number % COPIES)) for number in numbers], [])
        batches.append(batch.id)
    return batches


def work(settings: Settings, url: str, bells: Any, again: Any) -> None:
    """One worker: claim, fingerprint, publish, until no bell is left."""
    redis = connect(url)
    ledger, memory, rules = Ledger(redis, settings), Memory(redis, settings), rules_for(settings, None)
    repeats, prepare = 0, memory.prepare

    def counted(*arguments: Any) -> Any:
        nonlocal repeats
        repeats += 1
        return prepare(*arguments)

    memory.prepare = counted  # type: ignore[method-assign]
    while True:
        try:
            claim = ledger.claim(bells.get(timeout=1), PARSED)
        except Empty:
            break
        assert claim is not None
        candidates = [make_candidate(item.article, claim.batch.documents[0], "news", NOW) for item in claim.items]
        repeats -= 1
        assert memory.publish(claim, candidates, rules).settled
    with again.get_lock():
        again.value += repeats


def measure(documents: int, workers: int, base: Path) -> dict[str, Any]:
    data = base / "data"
    settings = load_settings(base / "config", data, {"COPYDESK_SWEEPER_LEASE_SECONDS": "600"})
    with EmbeddedServer(data):
        url = embedded_url(data)
        context = multiprocessing.get_context("spawn")
        bells, again = context.Queue(), context.Value("q", 0)
        for batch_id in fill(settings, url, documents):
            bells.put(batch_id)
        began = time.monotonic()
        processes = [context.Process(target=work, args=(settings, url, bells, again)) for _ in range(workers)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        seconds = time.monotonic() - began
        return {
            "documents": documents,
            "workers": workers,
            **audit(settings, url, documents),
            "again": again.value,
            "seconds": round(seconds),
        }


def audit(settings: Settings, url: str, documents: int) -> dict[str, Any]:
    """What the stream and the counters say."""
    redis = connect(url)
    counters = Counters(redis, Ledger(redis, settings).keys)
    heads: Counter[str] = Counter()
    start: Any = "-"
    while rows := redis.xrange(Ledger(redis, settings).keys.stream, min=start, count=2000):
        for _, fields in rows:  # type: ignore[union-attr]  # redis-py's types know of no sync client
            if b"record" in fields:
                heads[msgspec.json.decode(fields[b"record"])["headline"]] += 1
        start = b"(" + rows[-1][0]  # type: ignore[index]  # the same
    totals = counters.totals()
    settled = totals["stored"] + totals["duplicate"]
    stories = -(-documents // COPIES)
    return {
        "stories": stories,
        "double_heads": sum(count - 1 for count in heads.values()),
        "stories_without_head": stories - len(heads),
        "lost": documents - settled,
        "near_duplicates": totals["near_duplicate"],
        "unaccounted": imbalance(totals, counters.in_flight()) + documents // BATCH - totals["received"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        result = measure(arguments.documents, arguments.workers, Path(base))
    print(json.dumps(result) if arguments.json else "\n".join(f"{name:24} {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
