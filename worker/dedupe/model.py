"""A forest of small monotone trees: features of a pair -> how surely the two texts are the same.

The numbers lie in `model.json`, written by `benchmarks/fit_dedupe.py`, where the data and the method are
described. Each tree is complete with three levels: seven questions (feature, threshold, which way where the
feature is unknown) and eight answers. The answers add up to a logit. Trees are monotone in what only speaks
for a copy (more shared) or only against it (numbers missing), so that no chance of the training data can turn a
feature round (monotone constraints of gradient boosting: scikit-learn, HistGradientBoostingClassifier).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from worker.dedupe.codepoints import F64, I64

LEVELS = 3
QUESTIONS = (1 << LEVELS) - 1


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees one after the other.

    Questions are in the order of a heap: those after question q are 2q+1 (no) and 2q+2 (yes).

    `columns`: of the features, or as many further on where an unknown feature is a yes.
    """

    columns: I64
    thresholds: F64
    answers: F64
    base: float

    def score(self, features: F64) -> F64:
        """Rows of features (not a number where unknown) -> probabilities, 0 to 1."""
        unknown = np.isnan(features)
        both = np.concatenate((np.where(unknown, -np.inf, features), np.where(unknown, np.inf, features)), axis=1)
        rows = np.arange(len(both))[:, None] * both.shape[1]
        first = np.arange(0, len(self.columns), QUESTIONS)
        question = first[None, :]
        for _ in range(LEVELS):
            yes = both.take(rows + self.columns.take(question)) > self.thresholds.take(question)
            question = 2 * question + 1 - first + yes
        # Past its questions a heap goes on with its answers, one more than there are questions.
        leaf = question - QUESTIONS + first // QUESTIONS
        logits = self.base + self.answers.take(leaf).sum(axis=1)
        scores: F64 = 1.0 / (1.0 + np.exp(-logits))
        return scores


@cache
def forest(features: tuple[str, ...]) -> Forest:
    """The forest of the package, for columns in this order. ValueError if it was fitted to others."""
    written = json.loads(resources.files("worker.dedupe").joinpath("model.json").read_text("utf-8"))
    return read_forest(written, features)


def read_forest(written: dict[str, object], features: tuple[str, ...]) -> Forest:
    """The forest that `model.json` holds. ValueError if it was fitted to other features than these."""
    if tuple(written["features"]) != features:  # type: ignore[arg-type]
        raise ValueError("model.json was fitted to other features: run benchmarks/fit_dedupe.py")
    trees = np.array(written["trees"], dtype=np.float64)
    parts = trees[:, : 3 * QUESTIONS].reshape(len(trees), 3, QUESTIONS)
    return Forest(
        columns=(parts[:, 0] + len(features) * (parts[:, 2] > 0)).astype(np.int64).ravel(),
        thresholds=parts[:, 1].ravel(),
        answers=trees[:, 3 * QUESTIONS :].ravel(),
        base=float(written["base"]),  # type: ignore[arg-type]
    )
