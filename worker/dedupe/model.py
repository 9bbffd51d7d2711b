"""A forest of small monotone trees: features of a pair -> how surely the two texts are the same.

The numbers lie in `model.json`, written by `benchmarks/fit_dedupe.py`, where the data and the method are
described. Each tree is complete with two levels: three questions (feature, threshold, which way where the
feature is unknown) and four answers. The answers add up to a logit. In the file a tree is ten bytes, in base64:
for each question its column (see `Forest.columns`) and the number of its threshold among the `cuts` of its feature,
and the answers as signed multiples of `step`.

Trees are monotone in what only speaks for a copy (more shared) or only against it (numbers missing), so that no
chance of the training data can turn a feature round (monotone constraints of gradient boosting: scikit-learn,
HistGradientBoostingClassifier).
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.dedupe.codepoints import F64, I64, U8

LEVELS = 2
QUESTIONS, ANSWERS = (1 << LEVELS) - 1, 1 << LEVELS
"""Of a tree, in the order of a heap: after question q come 2q+1 (no) and 2q+2 (yes), and past the last the answers."""
MOST_CUTS = 255
"""Thresholds of one feature, at most: so that a byte can say how many of them a value exceeds."""
_ABOVE_ALL = np.uint8(MOST_CUTS)

I8 = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees, a column of the arrays for each.

    `cuts`: the thresholds of each feature, ascending. `columns`: of the features asked for, or as many further on where
    an unknown feature is a yes. `numbers`: of the threshold that is exceeded where the answer is yes. `answers`: in
    multiples of `step`, which is a part of a logit as `base` is.
    """

    cuts: tuple[F64, ...]
    columns: I64
    numbers: U8
    answers: I8
    step: float
    base: float

    def score(self, features: F64) -> F64:
        """Rows of features (not a number where unknown) -> probabilities, 0 to 1."""
        said_yes = self._ranks(features)[self.columns] > self.numbers[..., None]
        answers = self.answers[..., None]
        for level in reversed(range(LEVELS)):
            asked = said_yes[(1 << level) - 1 : (2 << level) - 1]
            answers = np.where(asked, answers[1::2], answers[::2])
        # Sums of whole numbers are exact: a pair scores the same in any batch, on any machine.
        logits = self.base + self.step * answers[0].sum(axis=0, dtype=np.int64)
        scores: F64 = 1.0 / (1.0 + np.exp(-logits))
        return scores

    def _ranks(self, features: F64) -> U8:
        """For each column (a row here) and pair: how many of the feature's thresholds are exceeded."""
        values = features.T
        unknown = np.isnan(values)
        ranks = np.array([np.searchsorted(cuts, row) for cuts, row in zip(self.cuts, values, strict=True)], np.uint8)
        return np.concatenate((np.where(unknown, np.uint8(0), ranks), np.where(unknown, _ABOVE_ALL, ranks)))


@cache
def forest(features: tuple[str, ...]) -> Forest:
    """The forest of the package, for columns in this order. ValueError if it was fitted to others."""
    written = json.loads(resources.files("worker.dedupe").joinpath("model.json").read_text("utf-8"))
    return read_forest(written, features)


def read_forest(written: dict[str, Any], features: tuple[str, ...]) -> Forest:
    """The forest that `model.json` holds. ValueError if it was fitted to other features than these."""
    if tuple(written["features"]) != features:
        raise ValueError("model.json was fitted to other features: run benchmarks/fit_dedupe.py")
    trees = np.frombuffer(b64decode("".join(written["trees"])), np.uint8).reshape(-1, 2 * QUESTIONS + ANSWERS).T
    columns, numbers, answers = np.split(trees, (QUESTIONS, 2 * QUESTIONS))
    return Forest(
        cuts=tuple(np.array(cuts, dtype=np.float64) for cuts in written["cuts"]),
        columns=columns.astype(np.int64),
        numbers=numbers.copy(),
        answers=answers.astype(np.int8),
        step=float(written["step"]),
        base=float(written["base"]),
    )
