"""A fitted forest -> what `model.json` holds: thresholds by number, answers in one byte.

The answers are rounded to 1/127 of the greatest, which moves a score by some thousandths; monotone trees stay
monotone. `worker.dedupe.model.read_forest` reads it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from worker.dedupe.model import ANSWERS, MOST_CUTS, QUESTIONS

LINE_CHARACTERS = 120
GREATEST_ANSWER, STEP_DIGITS = 127, 8
"""Of a signed byte; of what one unit of it is worth."""
CUT_DIGITS = 6
"""Features are rounded to four digits, so that six keep every question."""
NEVER = 1e9
"""Above every known feature: asked where nothing is, or only whether the feature is known."""


@dataclass(frozen=True)
class Trees:
    """A column for each tree: features asked for (as many further on where an unknown one is a yes),
    thresholds, answers (see `worker.dedupe.model`)."""

    columns: np.ndarray
    thresholds: np.ndarray
    answers: np.ndarray


def trees_of(fitted: list[np.ndarray], share: float, features: int) -> Trees:
    """Trees as scikit-learn's nodes; each answer counts for `share` of what it says."""
    columns, thresholds, answers = zip(*(_complete(nodes, features) for nodes in fitted), strict=True)
    return Trees(np.array(columns).T, np.array(thresholds).T, np.array(answers).T * share)


def _complete(nodes: np.ndarray, features: int) -> tuple[list[int], list[float], list[float]]:
    """A tree as a heap of fixed size: below an early leaf nothing is asked, and both answers are the leaf's."""
    columns, thresholds, answers = [0] * QUESTIONS, [NEVER] * QUESTIONS, [0.0] * ANSWERS
    waiting = [(nodes[0], 0)]
    while waiting:
        node, place = waiting.pop()
        if place >= QUESTIONS:
            answers[place - QUESTIONS] = float(node["value"])
            continue
        left = right = node
        if not node["is_leaf"]:
            columns[place] = int(node["feature_idx"]) + (0 if node["missing_go_to_left"] else features)
            thresholds[place] = min(round(float(node["num_threshold"]), CUT_DIGITS), NEVER)
            left, right = nodes[node["left"]], nodes[node["right"]]
        waiting += [(left, 2 * place + 1), (right, 2 * place + 2)]
    return columns, thresholds, answers


def write_forest(trees: Trees, base: float, features: tuple[str, ...]) -> dict[str, Any]:
    """What `read_forest` reads. ValueError where it asks for more than `MOST_CUTS` thresholds of one feature."""
    feature_of = trees.columns % len(features)
    cuts = [np.unique(trees.thresholds[feature_of == at]) for at in range(len(features))]
    if max(map(len, cuts)) > MOST_CUTS:
        raise ValueError(f"more than {MOST_CUTS} thresholds of one feature")
    numbers = np.zeros_like(trees.columns)
    for at, known in enumerate(cuts):
        numbers[feature_of == at] = np.searchsorted(known, trees.thresholds[feature_of == at])
    step = round(float(np.abs(trees.answers).max()) / GREATEST_ANSWER, STEP_DIGITS) or 1.0
    answers = np.clip(np.round(trees.answers / step), -GREATEST_ANSWER, GREATEST_ANSWER).astype(np.int64)
    packed = np.concatenate([trees.columns, numbers, answers]).T.astype(np.uint8).tobytes()
    return {
        "features": list(features),
        "base": round(base, 5),
        "step": step,
        "cuts": [known.tolist() for known in cuts],
        "trees": wrap(b64encode(packed).decode("ascii"), LINE_CHARACTERS),
    }


def text_of(written: dict[str, Any]) -> str:
    """The file: a line for each feature's thresholds, then the trees."""
    head = {name: written[name] for name in ("features", "base", "step")}
    cuts, trees = (
        ",\n".join(json.dumps(line, separators=(",", ":")) for line in written[name]) for name in ("cuts", "trees")
    )
    return f'{json.dumps(head)[:-1]}, "cuts": [\n{cuts}\n], "trees": [\n{trees}\n]}}\n'
