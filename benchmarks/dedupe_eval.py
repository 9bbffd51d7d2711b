"""Measure the pure floor of near-duplicate recognition on a directory of labelled texts.

    python -m benchmarks.dedupe_eval DEDUP_DIR constructed --threshold balanced > out.jsonl

Runs the texts in order of arrival through sketches, an in-memory index (feature -> tickets) and the judgement,
prints one verdict line for each, as `copydesk dedupe --json` does, and on standard error the scores and the
CPU time of sketches and judgements in batches of 100.

Scores: constructed: a text that is dropped in favour of one of its own cluster is right; `lost` is the share of
texts that were the first of their cluster and were dropped all the same. natural: pairs labelled D are copies, N
are none; U (later takes) are counted apart.
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
VERDICTS = {"copy": "near_duplicate", "revision": "updated"}


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


def gold_of(directory: Path, name: str) -> list[dict[str, Any]]:
    return read(directory / f"{name}.gold.jsonl.gz")


def head_of(dropped: dict[str, str], one: str) -> str:
    """The text kept in place of `one`: the end of its chain."""
    seen: set[str] = set()
    while one in dropped and one not in seen:
        seen.add(one)
        one = dropped[one]
    return one


def f1(right: float, wrong: float, missed: float) -> dict[str, float]:
    precision, recall = right / max(1, right + wrong), right / max(1, right + missed)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(1e-9, precision + recall)}


def score_stream(gold: list[dict[str, Any]], dropped: dict[str, str]) -> dict[str, float]:
    first_of: dict[str, str] = {}
    seen: set[str] = set()
    right = wrong = missed = lost = 0
    for line in gold:
        kept_as, cluster = head_of(dropped, line["id"]), line["cluster"]
        is_copy = cluster in seen
        if kept_as not in first_of:
            first_of[kept_as] = cluster
            missed += is_copy
        elif first_of[kept_as] == cluster:
            right += 1
        else:
            wrong, lost, missed = wrong + 1, lost + (not is_copy), missed + is_copy
        seen.add(cluster)
    return {**f1(right, wrong, missed), "lost": lost / len(seen)}


def score_changes(gold: list[dict[str, Any]], dropped: dict[str, str]) -> dict[str, float]:
    """For each kind of change the share of its copies that stand with another text of their cluster, and for each
    kind of text the share that stands with a stranger."""
    cluster = {line["id"]: line["cluster"] for line in gold}
    family: defaultdict[str, list[str]] = defaultdict(list)
    for line in gold:
        family[head_of(dropped, line["id"])].append(line["id"])
    shares: defaultdict[str, list[bool]] = defaultdict(list)
    for line in gold:
        others = [one for one in family[head_of(dropped, line["id"])] if one != line["id"]]
        if line["kind"] == "dup":
            shares[f"found {line['ops']}"].append(any(cluster[one] == line["cluster"] for one in others))
        shares[f"merged {line['kind']}"].append(any(cluster[one] != line["cluster"] for one in others))
    return {name: sum(some) / len(some) for name, some in sorted(shares.items())}


def score_pairs(gold: list[dict[str, Any]], dropped: dict[str, str]) -> dict[str, float]:
    called = {label: [0, 0] for label in "DNUR"}
    for line in gold:
        together = head_of(dropped, line["a"]) == head_of(dropped, line["b"])
        called[line["label"]][together] += 1
    scores = f1(called["D"][1], called["N"][1], called["D"][0])
    scores["updates"] = called["U"][1] / max(1, sum(called["U"]))
    return {f"natural_{name}": value for name, value in scores.items()}


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


def decide(
    articles: list[SketchInput], thresholds: Thresholds, run: int = 100
) -> Iterator[tuple[int, Judgement | None, int | None, float]]:
    """(number, judgement, number of the matched article, CPU seconds of its run) in order of arrival.

    As in production a run is sketched at once, looked up at once and judged at once; candidates within
    a run are judged one by one.
    """
    index, furniture = Index(), Furniture()
    for start in range(0, len(articles), run):
        began = time.process_time()
        sketches = sketch_articles(articles[start : start + run], furniture)
        spent = time.process_time() - began
        known = []
        for sketch in sketches:
            known.append(index.candidates(sketch.features))
            index.add(sketch)
        began = time.process_time()
        judgements = judge(sketches, [[index.cards[one] for one in some] for some in known], thresholds)
        spent += time.process_time() - began
        for number, (sketch, judgement, some) in enumerate(zip(sketches, judgements, known, strict=True), start):
            if judgement is None:
                furniture.count(sketch.paragraphs)
            yield number, judgement, None if judgement is None else some[judgement.candidate], spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dedup_dir", type=Path)
    parser.add_argument("name", choices=["constructed", "natural", "stream"])
    parser.add_argument("--threshold", default="balanced", choices=list(THRESHOLDS))
    arguments = parser.parse_args()
    lines = read(arguments.dedup_dir / f"{arguments.name}.docs.jsonl.gz")
    dropped: dict[str, str] = {}
    runs: list[float] = []
    for number, judgement, matched, spent in decide(
        [article_of(line) for line in lines], THRESHOLDS[arguments.threshold]
    ):
        out = {"id": lines[number]["id"], "verdict": "new", "relation": None, "matched_id": None, "similarity": None}
        if judgement is not None and matched is not None:
            out |= {"verdict": VERDICTS[judgement.kind], "relation": judgement.relation}
            out |= {"matched_id": lines[matched]["id"], "similarity": judgement.similarity}
            if judgement.kind == "copy":
                dropped[lines[number]["id"]] = lines[matched]["id"]
        runs += [spent] if number % 100 == 0 else []
        print(json.dumps(out))
    scorers = {"constructed": score_stream, "natural": score_pairs}
    figures = {"dropped": len(dropped) / len(lines), "microseconds": sum(runs) / len(lines) * 1e6}
    if arguments.name in scorers:
        figures |= scorers[arguments.name](gold_of(arguments.dedup_dir, arguments.name), dropped)
    print(" ".join(f"{name} {value:.4f}" for name, value in figures.items()), file=sys.stderr)


if __name__ == "__main__":
    main()
