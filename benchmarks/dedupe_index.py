"""Fill the near-duplicate index with generated articles; print its memory and what an article costs at each size.

    python -m benchmarks.dedupe_index [--articles 1000000] [--server PATH] [--json]

Features, sketches and digests are random bytes of the real sizes (two identities and a copy digest an article), so
they lie as they would for articles that have nothing in common; each has as many features as an article can have.
Server CPU is that of the main thread (INFO cpu), with the append-only file on, as in production, but never rewritten
meanwhile (it is off while the index is filled: ten million articles would write 50 GB); bytes are the growth of
used_memory. Every fifth article measured is a copy of a remembered one, so the smallest index has 1,000. `--server`:
another server binary than the embedded one, which is built with the C library's allocator; packages and images for
servers have jemalloc.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from redis import Redis

from worker.config import load_settings
from worker.dedupe.fingerprint import Fingerprint
from worker.dedupe.judgement import Judgement
from worker.dedupe.records import Candidate, new_record_head
from worker.dedupe.sketch import MOST_FEATURES, SKETCH_BYTES, Sketch, SketchInput
from worker.model import Article, Batch, Document
from worker.state.codec import Item
from worker.state.connection import connect
from worker.state.index import Found
from worker.state.keys import PARSED, RECEIVED
from worker.state.ledger import Claim, Ledger, new_id
from worker.state.memory import RUN_ARTICLES, Memory, Run, rules_for
from worker.state.server import EmbeddedServer, embedded_url
from worker.state.windows import Windows

MEASURED_RUNS, COPIES_EVERY = 80, 5
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
NOTHING = SketchInput("", "", None, "bench")
RECORD_TAIL = b'"source_id":"bench","body_text":"' + b"word " * 450 + b'"}'


class Generator:
    """Random articles of the real sizes, many at a time."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def run(self, size: int = RUN_ARTICLES) -> tuple[list[Candidate], list[Sketch]]:
        features = self._random.integers(0, 1 << 63, (size, MOST_FEATURES), dtype=np.uint64).tolist()
        sketches, digests = self._random.bytes(size * SKETCH_BYTES), self._random.bytes(size * 64)
        candidates = []
        for at in range(size):
            part = digests[64 * at : 64 * at + 64]
            print_ = Fingerprint((part[:16], part[16:32]), part[32:48], part[48:], 0, 1_790_000_000_000)
            origin, record = part[:8].hex(), new_record_head(part[:16].hex()) + RECORD_TAIL
            candidates.append(Candidate(print_, "bench", NOW, NOTHING, record, b'"seen_in":{}}', False, origin, None))
        packed = [sketches[at * SKETCH_BYTES : (at + 1) * SKETCH_BYTES] for at in range(size)]
        return candidates, [Sketch(*parts, ()) for parts in zip(packed, map(tuple, features), strict=True)]


class Bench:
    """A memory on a server of its own."""

    def __init__(self, base: Path, redis: Redis) -> None:
        self.redis = redis
        self.settings = load_settings(base / "config", base / "data", {"COPYDESK_SWEEPER_LEASE_SECONDS": "600"})
        self.memory = Memory(redis, self.settings)
        self.ledger = Ledger(redis, self.settings)
        self.rules = rules_for(self.settings, None)
        self.generations = Windows(self.settings, self.ledger.keys).now(redis)
        self.generator = Generator(7)
        self.sample: list[Sketch] = []

    def fill(self, articles: int) -> None:
        self.redis.config_set("appendonly", "no")
        for _ in range(articles // RUN_ARTICLES):
            candidates, sketches = self.generator.run()
            self.sample = (self.sample + sketches[:1])[-1000:]
            self.memory.remember(self._run(candidates, sketches, (0xFFFFFFFF,)), self.rules)
        self.memory.file_fresh()
        self.redis.config_set("appendonly", "yes")
        while any(int(self._info("persistence")[f"aof_rewrite_{name}"]) for name in ("in_progress", "scheduled")):
            time.sleep(0.2)

    def measure(self) -> dict[str, float]:
        """Microseconds of the server an article, for looking up and for publishing (filing included): means.

        `client_us`: CPU of this process for both.
        """
        lookups, publishes, client = 0.0, 0.0, 0.0
        for number in range(MEASURED_RUNS):
            candidates, sketches = self.generator.run()
            for at in range(0, len(sketches), COPIES_EVERY):
                known = self.sample[(number * RUN_ARTICLES + at) // COPIES_EVERY % len(self.sample)]
                sketches[at] = Sketch(known.packed, known.features, ())
            claim = self._claim()
            began, client_began = self._cpu(), time.process_time()
            seen, found = self.memory.look_up(self.generations, sketches)
            client += time.process_time() - client_began
            lookups += self._cpu() - began
            run = self._judged(candidates, sketches, seen, found)
            began, client_began = self._cpu(), time.process_time()
            answer = self.memory.commit(claim, 0, run, self.rules)
            client += time.process_time() - client_began
            publishes += self._cpu() - began
            assert answer[0] == RUN_ARTICLES, "a run was not published at once"
        articles = MEASURED_RUNS * RUN_ARTICLES
        return {
            "lookup_us": round(lookups / articles * 1e6, 1),
            "publish_us": round(publishes / articles * 1e6, 1),
            "client_us": round(client / articles * 1e6, 1),
        }

    def memory_bytes(self) -> int:
        """used_memory without what the append-only file buffers."""
        info = self._info("memory")
        return int(info["used_memory"]) - int(info["mem_not_counted_for_evict"])

    def _info(self, section: str) -> dict[str, Any]:
        answer: Any = self.redis.info(section)
        return dict(answer)

    def _cpu(self) -> float:
        info = self._info("cpu")
        return float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])

    def _judged(
        self, candidates: list[Candidate], sketches: list[Sketch], seen: tuple[int, ...], found: list[list[Found]]
    ) -> Run:
        """What has the sketch of a candidate is its copy."""
        judgements: list[Judgement | None] = []
        for sketch, row in zip(sketches, found, strict=True):
            same = [at for at, one in enumerate(row) if one.sketch == sketch.packed]
            judgements.append(Judgement(same[0], "copy", "syndicated", 1.0, ()) if same else None)
        return Run(candidates, sketches, found, judgements, self.generations, seen)

    def _run(self, candidates: list[Candidate], sketches: list[Sketch], seen: tuple[int, ...]) -> Run:
        return Run(candidates, sketches, [()] * len(sketches), [None] * len(sketches), self.generations, seen)

    def _claim(self) -> Claim:
        document = Document(source_id="bench", origin="b", received_at=NOW, content=b"x", size_bytes=1)
        batch = Batch(id=new_id("news"), source_id="bench", lane="news", day="2026-11-01", documents=(document,))
        self.ledger.receive(batch)
        claim = self.ledger.claim(batch.id, RECEIVED)
        assert claim is not None
        self.ledger.advance(claim, [Item(0, Article(headline="x"))] * RUN_ARTICLES, [])
        again = self.ledger.claim(batch.id, PARSED)
        assert again is not None
        return again


def levels(articles: int) -> Iterator[int]:
    """1,000, 100,000, 1,000,000, 10,000,000 as far as asked, and what was asked."""
    yield from (level for level in (1_000, 100_000, 1_000_000, 10_000_000) if level < articles)
    yield articles


def run(articles: int, base: Path, server: str | None) -> Iterator[dict[str, Any]]:
    """A row for each level, as soon as it is measured: the last ones take long."""
    with EmbeddedServer(base / "data", server):
        redis = connect(embedded_url(base / "data"))
        redis.config_set("auto-aof-rewrite-percentage", 0)
        bench = Bench(base, redis)
        filled, grown = 0, 0
        for level in levels(articles):
            empty, began = bench.memory_bytes(), time.process_time()
            bench.fill(level - filled)
            client = time.process_time() - began
            grown += bench.memory_bytes() - empty
            row: dict[str, Any] = {"articles": level, "bytes_per_article": round(grown / level)}
            row |= bench.measure()
            row["client_us_generated"] = round(client / (level - filled) * 1e6)
            yield row
            filled = level
        redis.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--server", metavar="PATH", help="for example /usr/bin/redis-server")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        for row in run(arguments.articles, Path(base), arguments.server):
            line = json.dumps(row) if arguments.json else "  ".join(f"{name} {value}" for name, value in row.items())
            print(line, flush=True)


if __name__ == "__main__":
    main()
