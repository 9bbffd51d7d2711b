"""Fit the model that judges near copies, and measure it honestly.

    pip install -e '.[train]'
    python benchmarks/fit_dedupe.py DEDUP_DIR [--without-natural] [--cross-validate-only]

DEDUP_DIR holds three sets of texts (see `read`), none of which comes into the repository:

- *constructed*: real articles with planted copies and hard negatives; every pair that shares a feature, labelled
  by the gold clusters;
- *natural*: real pairs labelled by hand: D the same text, N not, U a later take, R a heavy rewrite (not used);
- *stream*: real articles without labels. Pairs that share a feature get weak labels from their full texts
  (`weak_label`): D where nearly all words, numbers and names of the shorter are in the longer, N where most of its
  word triples are not, U between; none where its words were changed and no fact differs, which may be either. That
  teaches what constructed negatives lack: galleries that a site repeats, tables of prices, the daily notice with
  other numbers. Articles that are also in the natural set are left out, and
  pairs of which one says that it was corrected: a rule judges those.
- *planted*: copies and look-alikes made from articles of the stream that are in none of these pairs (see
  `dedupe_planted`). They only teach; nothing is measured on them.

U counts as no copy, in the natural set with more weight: a later take must be published, yet it is often nearly the
same text.
Headlines are hidden in a third of the training pairs, for many sources have none.

The model: gradient-boosted trees of two levels, monotone in the features that can only speak for or against a copy
(scikit-learn, HistGradientBoostingClassifier), written as plain numbers. `BAGS` such models, each of which sees half of
the features at each question and another third of the headlines, are averaged: one alone depends on chance so much that
its natural F1 varies by .01 from run to run.

Cross-validation: five folds; pairs that hang together by shared text are in one fold, so that no text is judged by a
model that saw a relative of it. It is done `--seeds` times with other folds; each figure is the mean, after "+-" the
standard deviation over these.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.dedupe_eval import Index, article_of, gold_of, read, score_changes, score_pairs, score_stream
from benchmarks.dedupe_planted import plant
from benchmarks.forest_file import text_of, trees_of, write_forest
from worker.dedupe.comparing import FEATURES, compare
from worker.dedupe.corrected import says_corrected
from worker.dedupe.furniture import Furniture
from worker.dedupe.judgement import THRESHOLDS
from worker.dedupe.model import LEVELS, read_forest
from worker.dedupe.sketch import Sketch, sketch_articles, unpack
from worker.dedupe.trimming import trim

MODEL = Path(__file__).parent.parent / "worker" / "dedupe" / "model.json"
TREES, LEARNING_RATE, SMALLEST_LEAF, RIDGE = 150, 0.1, 20, 1.0
BAGS, FEATURES_SEEN = 4, 0.5
MOST_ROUNDED = 0.01
"""So far may a score of the package be from that of the fitted model."""
FOLDS = 5
NATURAL_WEIGHT, UPDATE_WEIGHT = 3.0, 1.5
STREAM_WEIGHT = 2.0
PLANTED, PLANTED_WEIGHT, PLANTED_SEED = 3600, 0.3, 5
HIDDEN_HEADLINES = 0.5
SPEAK_FOR = ("resemblance", "containment", "shared", "quarter", "lead", "title")
SPEAK_AGAINST = ("missing", "changed", "number_share", "unevenness")
TITLE = FEATURES.index("title")
_WORD = re.compile(r"\w+(?:[.,:/-]\d+)*")
_NOTICE = re.compile(r"FED (?:ADDS|SETS)|MONEY MARKET|POSTING|REPURCHASE|DISCOUNT NOTE|PAYOUT|SEAT|T-BILL")
"""Headlines of daily notices in the 1987 wire whose facts are often words: they are never taken for copies."""


@dataclass
class Pairs:
    """Labelled pairs: rows of features, is it a copy (None: not labelled), weight, fold group."""

    documents: list[dict[str, Any]]
    pairs: list[tuple[int, int]]
    rows: np.ndarray
    labels: list[bool | None]
    weights: np.ndarray
    groups: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def monotone(name: str) -> int:
    if any(word in name for word in SPEAK_AGAINST):
        return -1
    return 1 if any(word in name for word in SPEAK_FOR) else 0


def sketch_stream(documents: list[dict[str, Any]], family: list[str]) -> tuple[list[Sketch], list[tuple[int, int]]]:
    """The sketches, and all (later, earlier) pairs that share a feature; only first texts count as furniture."""
    index, furniture, seen = Index(), Furniture(), set[str]()
    sketches: list[Sketch] = []
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(documents), 100):
        run = sketch_articles([article_of(one) for one in documents[start : start + 100]], furniture)
        for number, sketch in enumerate(run, start):
            pairs += [(number, earlier) for earlier in index.candidates(sketch.features)]
            index.add(sketch)
            sketches.append(sketch)
            if family[number] not in seen:
                furniture.count(sketch.paragraphs)
                seen.add(family[number])
    return sketches, pairs


def features_of(sketches: list[Sketch], pairs: list[tuple[int, int]]) -> np.ndarray:
    rows = unpack([sketch.packed for sketch in sketches])
    one, other = np.array(pairs).T
    parts = [compare(rows[one[at : at + 2000]], rows[other[at : at + 2000]]) for at in range(0, len(pairs), 2000)]
    return np.concatenate(parts)


def group(count: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Connected components: a number for each of `count` texts."""
    parent = list(range(count))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for one, other in pairs:
        parent[root(one)] = root(other)
    return np.array([root(one) for one in range(count)])


def constructed(directory: Path) -> Pairs:
    documents, gold = read(directory / "constructed.docs.jsonl.gz"), gold_of(directory, "constructed")
    family = [line["cluster"] for line in gold]
    sketches, pairs = sketch_stream(documents, family)
    rows = features_of(sketches, pairs)
    labels: list[bool | None] = [family[one] == family[other] for one, other in pairs]
    contained = rows[:, FEATURES.index("containment")]
    related = [pair for pair, same, share in zip(pairs, labels, contained, strict=True) if same or share > 0.3]
    groups = group(len(documents), related)[[one for one, _ in pairs]]
    return Pairs(documents, pairs, rows, labels, np.ones(len(pairs)), groups)


def natural(directory: Path) -> Pairs:
    documents, gold = read(directory / "natural.docs.jsonl.gz"), gold_of(directory, "natural")
    sketches, shared = sketch_stream(documents, [line["id"] for line in documents])
    number = {line["id"]: at for at, line in enumerate(documents)}
    marks = {tuple(sorted((number[line["a"]], number[line["b"]]))[::-1]): line["label"] for line in gold}
    pairs = sorted({*shared, *marks})
    found = [marks.get(pair, "R") for pair in pairs]
    weights = np.array([{"D": 1.0, "N": 1.0, "U": UPDATE_WEIGHT, "R": 0.0}[mark] for mark in found]) * NATURAL_WEIGHT
    labels = [None if mark == "R" else mark == "D" for mark in found]
    groups = group(len(documents), pairs)[[one for one, _ in pairs]]
    return Pairs(documents, pairs, features_of(sketches, pairs), labels, weights, groups)


def stream(directory: Path, left_out: set[str]) -> Pairs:
    documents = read(directory / "stream.docs.jsonl.gz")
    sketches, pairs = sketch_stream(documents, [line["id"] for line in documents])
    rows = features_of(sketches, pairs)
    near = (rows[:, FEATURES.index("containment")] >= 0.2) | (rows[:, FEATURES.index("lead_containment")] >= 0.4)
    chosen = [
        at for at in np.flatnonzero(near).tolist() if not any(documents[one]["id"] in left_out for one in pairs[at])
    ]
    facts = {one: Facts(documents[one]) for at in chosen for one in pairs[at]}
    marks = [weak_label(facts[pairs[at][0]], facts[pairs[at][1]]) for at in chosen]
    corrected = [says_corrected(line["headline"] or "") for line in documents]
    labels: list[bool | None] = [
        None if mark == "?" or corrected[pairs[at][0]] != corrected[pairs[at][1]] else mark == "D"
        for at, mark in zip(chosen, marks, strict=True)
    ]
    return Pairs(documents, [pairs[at] for at in chosen], rows[chosen], labels, np.full(len(chosen), STREAM_WEIGHT))


def planted(weak: Pairs, left_out: set[str]) -> Pairs:
    """Pairs made from the texts of the stream that are in none of its own."""
    used = {one for pair in weak.pairs for one in pair}
    free = [line for at, line in enumerate(weak.documents) if at not in used and line["id"] not in left_out]
    made = plant(free, PLANTED, PLANTED_SEED)
    versions = [{"headline": headline, "body_text": body} for one in made for headline, body in (one.one, one.other)]
    sketches = [
        sketch
        for start in range(0, len(versions), 100)
        for sketch in sketch_articles([article_of(line) for line in versions[start : start + 100]], Furniture())
    ]
    pairs = [(2 * at + 1, 2 * at) for at in range(len(made))]
    found = [bool({*sketches[one].features} & {*sketches[other].features}) for one, other in pairs]
    labels: list[bool | None] = [one.is_copy if same else None for one, same in zip(made, found, strict=True)]
    return Pairs(versions, pairs, features_of(sketches, pairs), labels, np.full(len(pairs), PLANTED_WEIGHT))


class Facts:
    """Words, word triples, numbers and capitalised words of a whole text."""

    def __init__(self, document: dict[str, Any]) -> None:
        words = _WORD.findall(trim(document["body_text"]))
        lower = [word.lower() for word in words]
        self.words = set(lower)
        self.triples = set(zip(lower, lower[1:], lower[2:], strict=False))
        self.numbers = {word for word in lower if any(c.isdigit() for c in word)}
        self.names = {word.lower() for word in words if word[0].isupper()}
        self.headline = document["headline"] or ""
        self.title = {word.lower() for word in _WORD.findall(self.headline)}


def weak_label(one: Facts, other: Facts) -> str:
    short, long = sorted((one, other), key=lambda facts: len(facts.triples))
    contained = len(short.triples & long.triples) / max(1, len(short.triples))
    numbers, names = len(short.numbers - long.numbers), len(short.names - long.words)
    shared_title = len(one.title & other.title) / max(1, min(len(one.title), len(other.title)))
    if contained < 0.6:
        return "N"
    is_notice = any(_NOTICE.search(facts.headline.upper()) for facts in (one, other))
    same_numbers = numbers <= (1 if len(short.numbers) >= 8 else 0)
    same_facts = same_numbers and names <= max(1, 0.15 * len(short.names)) and not is_notice
    if same_facts and (contained >= 0.93 or (contained >= 0.75 and shared_title >= 0.6)):
        return "D"
    if not numbers and names <= max(1, 0.25 * len(short.names)) and not is_notice:
        return "?"
    return "N" if numbers >= 3 and numbers >= 0.3 * len(short.numbers) else "U"


@dataclass
class Bagged:
    """Models whose logits are averaged."""

    models: list[HistGradientBoostingClassifier]

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Probabilities, 0 to 1."""
        logits = np.mean([model.decision_function(rows) for model in self.models], axis=0)
        return 1.0 / (1.0 + np.exp(-logits))


def fit(parts: list[tuple[Pairs, np.ndarray]]) -> Bagged:
    """Parts: labelled pairs, and which of them to learn from."""
    use = [(pairs, chosen & np.array([label is not None for label in pairs.labels])) for pairs, chosen in parts]
    rows = np.concatenate([pairs.rows[chosen] for pairs, chosen in use])
    labels = np.concatenate([np.array(pairs.labels, dtype=object)[chosen] for pairs, chosen in use]).astype(bool)
    weights = np.concatenate([pairs.weights[chosen] for pairs, chosen in use])
    return Bagged([_fit_one(rows, labels, weights, seed) for seed in range(BAGS)])


def _fit_one(rows: np.ndarray, labels: np.ndarray, weights: np.ndarray, seed: int) -> HistGradientBoostingClassifier:
    hidden = np.random.default_rng(seed).random(len(rows)) < HIDDEN_HEADLINES
    untitled = rows[hidden].copy()
    untitled[:, TITLE] = np.nan
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_depth=LEVELS,
        min_samples_leaf=SMALLEST_LEAF,
        l2_regularization=RIDGE,
        early_stopping=False,
        max_features=FEATURES_SEEN,
        monotonic_cst=[monotone(name) for name in FEATURES],
        random_state=seed,
    )
    return model.fit(
        np.concatenate([rows, untitled]),
        np.concatenate([labels, labels[hidden]]),
        np.concatenate([weights, weights[hidden]]),
    )


def cross_validate(
    made: Pairs, found: Pairs, teaching: list[Pairs], *, use_natural: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the constructed and natural pairs, each by a model that did not see its group."""
    scores = [np.zeros(len(made.pairs)), np.zeros(len(found.pairs))]
    chance = np.random.default_rng(seed)
    folds = [chance.integers(0, FOLDS, len(pairs.documents))[pairs.groups] for pairs in (made, found)]
    for fold in range(FOLDS):
        parts = [(made, folds[0] != fold), *((pairs, np.ones(len(pairs.pairs), dtype=bool)) for pairs in teaching)]
        model = fit([*parts, (found, folds[1] != fold)] if use_natural else parts)
        for score, pairs, number in zip(scores, (made, found), folds, strict=True):
            score[number == fold] = model.score(pairs.rows[number == fold])
    return scores[0], scores[1]


def verdicts(pairs: Pairs, scores: np.ndarray, threshold: float) -> dict[str, str]:
    """id -> id of the best earlier text that scores at least `threshold`."""
    best: dict[int, tuple[float, int]] = {}
    for (one, other), score in zip(pairs.pairs, scores.tolist(), strict=True):
        if score >= threshold:
            best[one] = max(best.get(one, (0.0, -1)), (score, other))
    return {pairs.documents[one]["id"]: pairs.documents[other]["id"] for one, (_, other) in best.items()}


def report(directory: Path, made: Pairs, found: Pairs, runs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    named = [threshold.copy for threshold in THRESHOLDS.values()]
    for threshold in sorted({0.4, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, *named}):
        figures, changes = [], []
        for constructed_scores, natural_scores in runs:
            dropped = verdicts(made, constructed_scores, threshold)
            pairs = score_pairs(gold_of(directory, "natural"), verdicts(found, natural_scores, threshold))
            figures.append(score_stream(gold_of(directory, "constructed"), dropped) | pairs)
            changes.append(score_changes(gold_of(directory, "constructed"), dropped))
        print(f"{threshold:.2f}", spread(figures))
        print("    ", spread(changes))


def spread(runs: list[dict[str, float]]) -> str:
    each = {name: [run[name] for run in runs] for name in runs[0]}
    return " ".join(f"{name} {np.mean(some):.4f}+-{np.std(some):.4f}" for name, some in each.items())


def export(bagged: Bagged) -> dict[str, Any]:
    """The file of the package: the trees of all models, each of whose answers count for its share of the mean."""
    models = bagged.models
    trees = [predictor.nodes for model in models for (predictor,) in model._predictors]  # noqa: SLF001 - no public way
    base = float(np.mean([model._baseline_prediction.ravel()[0] for model in models]))  # noqa: SLF001
    return write_forest(trees_of(trees, 1.0 / len(models), len(FEATURES)), base, FEATURES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dedup_dir", type=Path)
    parser.add_argument("--without-natural", action="store_true", help="learn from no natural pair")
    parser.add_argument("--cross-validate-only", action="store_true", help="write no model")
    parser.add_argument("--seeds", type=int, default=5, help="so many cross-validations")
    parser.add_argument("--fit-only", action="store_true", help="write the model unmeasured")
    arguments = parser.parse_args()
    made, found = constructed(arguments.dedup_dir), natural(arguments.dedup_dir)
    left_out = {line["id"] for line in found.documents}
    weak = stream(arguments.dedup_dir, left_out)
    teaching = [weak, planted(weak, left_out)]
    use_natural = not arguments.without_natural
    if not arguments.fit_only:
        seeds = range(1, arguments.seeds + 1)
        runs = [cross_validate(made, found, teaching, use_natural=use_natural, seed=seed) for seed in seeds]
        report(arguments.dedup_dir, made, found, runs)
    if arguments.cross_validate_only:
        return
    learned = [made, *teaching, *([found] if use_natural else [])]
    model = fit([(pairs, np.ones(len(pairs.pairs), dtype=bool)) for pairs in learned])
    written = export(model)
    difference = np.abs(read_forest(written, FEATURES).score(made.rows) - model.score(made.rows)).max()
    assert difference < MOST_ROUNDED, difference
    MODEL.write_text(text_of(written), "utf-8")
    print(f"{MODEL.name}: {MODEL.stat().st_size} bytes, scores differ by {difference:.4f} at most")


if __name__ == "__main__":
    main()
