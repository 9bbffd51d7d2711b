"""Is this article a copy of one that is known? Sketches and candidates in, judgements out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from worker.dedupe.codepoints import F64, Bools
from worker.dedupe.comparing import FEATURES, compare, hours_apart
from worker.dedupe.model import forest
from worker.dedupe.sketch import Sketch, unpack
from worker.model import Relation

_COLUMN = {name: at for at, name in enumerate(FEATURES)}

LONGEST_STORY_HOURS = 72
"""Later than this a text of the same source is another story in the same words (a template)."""
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
    "strict": Thresholds(copy=0.8, revision=0.6),
    "balanced": Thresholds(copy=0.6, revision=0.5),
    "loose": Thresholds(copy=0.4, revision=0.4),
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


def judge(
    sketches: Sequence[Sketch], candidates: Sequence[Sequence[bytes]], thresholds: Thresholds
) -> list[Judgement | None]:
    """For each sketch the best of its own candidates (packed sketches), or None: it is new."""
    owners = [at for at, packed in enumerate(candidates) if sketches[at].features for _ in packed]
    if not owners:
        return [None] * len(sketches)
    packed = [one for at, some in enumerate(candidates) if sketches[at].features for one in some]
    mine, theirs = unpack([sketch.packed for sketch in sketches])[owners], unpack(packed)
    features = compare(mine, theirs)
    scores = forest(FEATURES).score(features)
    revised, corrected = _revisions(mine, theirs, features, thresholds)
    copies = (scores >= thresholds.copy) & ~corrected
    return _best(len(sketches), np.array(owners), features, scores, copies, revised)


def _revisions(
    mine: npt.NDArray[np.void], theirs: npt.NDArray[np.void], features: F64, thresholds: Thresholds
) -> tuple[Bools, Bools]:
    """Later texts of the same (known) source: (much of the text is the same, and of these: facts were exchanged).

    A correction is nearly the same text, and just the number that differs is the news.
    """
    same = (mine["source"] == theirs["source"]) & (mine["source"] != 0)
    near = ~(hours_apart(mine, theirs) > LONGEST_STORY_HOURS)
    revised: Bools = same & near & (features[:, _COLUMN["resemblance"]] >= thresholds.revision)
    numbers, names = features[:, _COLUMN["numbers_changed"]], features[:, _COLUMN["names_changed"]]
    corrected: Bools = revised & ((numbers >= 1) | (names >= EXCHANGED_NAMES))
    return revised, corrected


def _best(
    count: int, owners: npt.NDArray[np.int64], features: F64, scores: F64, copies: Bools, revisions: Bools
) -> list[Judgement | None]:
    judgements: list[Judgement | None] = [None] * count
    begins = np.searchsorted(owners, np.arange(count + 1))
    for at in np.unique(owners[copies | revisions]).tolist():
        rows = np.arange(begins[at], begins[at + 1])
        eligible = copies[rows] if copies[rows].any() else revisions[rows]
        best = int(rows[np.argmax(np.where(eligible, scores[rows], -1.0))])
        judgements[at] = _judgement(best, best - int(begins[at]), features[best], scores, bool(copies[best]))
    return judgements


def _judgement(row: int, candidate: int, features: F64, scores: F64, is_copy: bool) -> Judgement:  # noqa: FBT001
    evidence = tuple(
        (name, round(value, 3))
        for name, value in zip(FEATURES, features.tolist(), strict=True)
        if not math.isnan(value)
    )
    similarity = round(float(scores[row]), 4)
    if not is_copy:
        return Judgement(candidate, "revision", "revised", similarity, evidence)
    return Judgement(candidate, "copy", _relation(dict(evidence)), similarity, evidence)


def _relation(evidence: dict[str, float]) -> Relation:
    if evidence["length_ratio"] < 0.7:
        return "excerpt"
    return "syndicated" if evidence["containment"] >= 0.8 else "rewrite"
