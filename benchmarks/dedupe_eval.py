"""Measure the pure floor of near-duplicate recognition on a directory of labelled texts.

    python benchmarks/dedupe_eval.py DEDUP_DIR constructed --threshold balanced > out.jsonl

Runs the texts in order of arrival through sketches, an in-memory index (feature -> tickets) and the judgement,
and prints one verdict line for each, as `copydesk dedupe --json` does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.dedupe.furniture import Furniture
from worker.dedupe.judgement import THRESHOLDS, Judgement, Thresholds, judge
from worker.dedupe.sketch import Sketch, SketchInput, sketch_articles

MOST_CANDIDATES = 24
EVERYWHERE = 64


def read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def article_of(line: dict[str, Any]) -> SketchInput:
    published = line.get("published_at")
    return SketchInput(
        headline=line.get("headline") or "",
        body_text=line.get("body_text") or "",
        published_at=datetime.fromisoformat(published) if published else None,
        source_id=line.get("source_id") or "",
    )


@dataclass
class Index:
    """What the Valkey index does, in one process."""

    postings: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    cards: list[bytes] = field(default_factory=list)

    def candidates(self, features: tuple[int, ...]) -> list[int]:
        votes: defaultdict[int, int] = defaultdict(int)
        for feature in features:
            tickets = self.postings.get(feature, ())
            if len(tickets) < EVERYWHERE:
                for ticket in tickets:
                    votes[ticket] += 1
        return sorted(votes, key=lambda ticket: (-votes[ticket], -ticket))[:MOST_CANDIDATES]

    def add(self, sketch: Sketch) -> int:
        ticket = len(self.cards)
        self.cards.append(sketch.packed)
        for feature in sketch.features:
            self.postings[feature].append(ticket)
        return ticket


def stream(
    articles: list[SketchInput], thresholds: Thresholds, run: int = 100
) -> Iterator[tuple[int, Sketch, list[int], Judgement | None, int | None]]:
    """(number, sketch, candidates' numbers, judgement, number of the matched article) in order of arrival."""
    index, furniture = Index(), Furniture()
    for start in range(0, len(articles), run):
        for number, sketch in enumerate(sketch_articles(articles[start : start + run], furniture), start):
            candidates = index.candidates(sketch.features)
            judgement = judge([sketch], [[index.cards[one] for one in candidates]], thresholds)[0]
            index.add(sketch)
            if judgement is None:
                furniture.count(sketch.paragraphs)
            yield number, sketch, candidates, judgement, None if judgement is None else candidates[judgement.candidate]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dedup_dir", type=Path)
    parser.add_argument("name", choices=["constructed", "natural", "stream"])
    parser.add_argument("--threshold", default="balanced", choices=list(THRESHOLDS))
    arguments = parser.parse_args()
    lines = read(arguments.dedup_dir / f"{arguments.name}.docs.jsonl.gz")
    began = time.process_time()
    verdicts = {"copy": "near_duplicate", "revision": "updated"}
    for number, _, _, judgement, matched in stream(
        [article_of(line) for line in lines], THRESHOLDS[arguments.threshold]
    ):
        out = {"id": lines[number]["id"], "verdict": "new", "relation": None, "matched_id": None, "similarity": None}
        if judgement is not None and matched is not None:
            out |= {"verdict": verdicts[judgement.kind], "relation": judgement.relation}
            out |= {"matched_id": lines[matched]["id"], "similarity": judgement.similarity}
        print(json.dumps(out))
    print(f"{(time.process_time() - began) / len(lines) * 1e6:.0f} us an article", file=sys.stderr)


if __name__ == "__main__":
    main()
