"""Is this article a copy of one that is known? Sketches and candidates in, judgements out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from worker.dedupe.codepoints import F64, I64, Bools
from worker.dedupe.comparing import FEATURES, compare, corrects, hours_apart, plausible
from worker.dedupe.model import forest
from worker.dedupe.sketch import Sketch, unpack
from worker.model import Relation

_COLUMN = {name: at for at, name in enumerate(FEATURES)}

LONGEST_STORY_HOURS = 72
"""Later than this a text of the same source is another story in the same words (a template)."""
EXCERPT_RATIO = 0.7
"""Word triples of the shorter text to those of the longer: below this one is an excerpt of the other."""
SYNDICATED_SHARE = 0.8
"""Share of the shorter text that is found in the longer: below this its words were changed."""
FULLER_RATIO = 1.3
"""So much more text than what the same source had sent is a fuller version of it."""
TEMPLATE_SCORE = 0.04
"""Below this score two texts of a source tell of two things in the words of a template (the weather of two towns).
Of the pairs that resemble each other enough for a revision these are 136 of 141 made and 4 of 4 real template pairs,
and none of 12 later takes (2026-11-23, by the model that learned from them)."""
EXCHANGED_NAMES = 2
"""One name that differs may be a spelling."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where copies and revisions begin.

    `copy`: the score from which on a text is a copy; `revision`: the resemblance from which on a text of the
    same source with other facts is a revision.
    """

    copy: float
    revision: float


THRESHOLDS = {
    "strict": Thresholds(copy=0.88, revision=0.6),
    "balanced": Thresholds(copy=0.62, revision=0.5),
    "loose": Thresholds(copy=0.5, revision=0.4),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one article is to another.

    `candidate`: index in the list handed in. Kind `copy`: says nothing new; `revision`: the same source tells the
    same story with other facts. `similarity`: the model's score, 0 to 1. `evidence`: the features that decided.
    """

    candidate: int
    kind: Literal["copy", "revision"]
    relation: Relation
    similarity: float
    evidence: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Rows of (article, candidate), in the order of the articles, and what was found for each."""

    articles: I64
    candidates: I64
    features: F64
    scores: F64
    copies: Bools
    revisions: Bools


def judge(
    sketches: Sequence[Sketch], candidates: Sequence[Sequence[bytes]], thresholds: Thresholds
) -> list[Judgement | None]:
    """For each sketch the best of its own candidates (packed sketches), or None: it is new."""
    judgements: list[Judgement | None] = [None] * len(sketches)
    asked = [(at, number) for at, some in enumerate(candidates) if sketches[at].features for number in range(len(some))]
    if not asked:
        return judgements
    articles, numbers = np.array(asked, dtype=np.int64).T
    mine = unpack([sketch.packed for sketch in sketches])[articles]
    theirs = unpack([candidates[at][number] for at, number in asked])
    near = plausible(mine, theirs)
    pairs = _compared(articles[near], numbers[near], mine[near], theirs[near], thresholds)
    for row in _best(pairs):
        judgements[int(pairs.articles[row])] = _judgement(pairs, row)
    return judgements


def _compared(
    articles: I64, candidates: I64, mine: npt.NDArray[np.void], theirs: npt.NDArray[np.void], thresholds: Thresholds
) -> _Pairs:
    features = compare(mine, theirs)
    scores = forest(FEATURES).score(features)
    copies: Bools = scores >= thresholds.copy
    related = _same_source(mine, theirs)
    revisions = related & (features[:, _COLUMN["resemblance"]] >= thresholds.revision) & (scores >= TEMPLATE_SCORE)
    exchanged = features[:, _COLUMN["numbers_changed"]] >= 1
    exchanged |= features[:, _COLUMN["names_changed"]] >= EXCHANGED_NAMES
    longer = copies & (mine["gram_count"] > FULLER_RATIO * theirs["gram_count"])
    # A correction is nearly the same text, and just the number that differs is the news. Then no other
    # copy of the uncorrected text may swallow it either, nor a summary that ends before that number.
    corrected = np.isin(articles, articles[revisions & exchanged]) & (exchanged | longer)
    # Who says that a text was corrected has news about it, whoever printed it uncorrected.
    said = copies & corrects(mine, theirs)
    # Nor is the article lost for a summary, its own or another's, that came first.
    fuller = np.isin(articles, articles[related & longer]) & longer
    kept = corrected | said | fuller
    return _Pairs(articles, candidates, features, scores, copies & ~kept, revisions | (related & longer) | said)


def _same_source(mine: npt.NDArray[np.void], theirs: npt.NDArray[np.void]) -> Bools:
    """Is it the same known source, at about the same time as far as that is known?"""
    same: Bools = (mine["source"] == theirs["source"]) & (mine["source"] != 0)
    return same & ~(hours_apart(mine, theirs) > LONGEST_STORY_HOURS)


def _best(pairs: _Pairs) -> list[int]:
    """For each article that has one, the row of its best copy, else of its best revision."""
    rows = np.flatnonzero(pairs.copies | pairs.revisions)
    order = np.lexsort((-pairs.scores[rows], ~pairs.copies[rows], pairs.articles[rows]))
    _, first = np.unique(pairs.articles[rows][order], return_index=True)
    best: list[int] = rows[order][first].tolist()
    return best


def _judgement(pairs: _Pairs, row: int) -> Judgement:
    evidence = tuple(
        (name, round(value, 3))
        for name, value in zip(FEATURES, pairs.features[row].tolist(), strict=True)
        if not math.isnan(value)
    )
    candidate, similarity = int(pairs.candidates[row]), round(float(pairs.scores[row]), 4)
    if pairs.copies[row]:
        return Judgement(candidate, "copy", _relation(dict(evidence)), similarity, evidence)
    return Judgement(candidate, "revision", "revised", similarity, evidence)


def _relation(evidence: dict[str, float]) -> Relation:
    if evidence["length_ratio"] < EXCERPT_RATIO:
        return "excerpt"
    return "syndicated" if evidence["containment"] >= SYNDICATED_SHARE else "rewrite"
