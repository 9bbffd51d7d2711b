"""The forest that scores pairs: what its file keeps, and what can never turn round."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.forest_file import GREATEST_ANSWER, NEVER, Trees, text_of, write_forest
from worker.dedupe.comparing import FEATURES
from worker.dedupe.model import ANSWERS, MOST_CUTS, QUESTIONS, forest, read_forest

TREES = 20


@given(st.lists(st.floats(0, 1), min_size=len(FEATURES), max_size=len(FEATURES)), st.floats(0, 1))
def test_more_missing_never_makes_a_copy_more_likely(row: list[float], more: float) -> None:
    features = np.array([row, row])
    for name in ("numbers_missing", "names_missing", "sequences_changed"):
        features[1, FEATURES.index(name)] = max(features[0, FEATURES.index(name)], more)
    lower, higher = forest(FEATURES).score(features)[::-1]
    assert lower <= higher


def one_question(column: int, trees: int = 1) -> Trees:
    """Trees that ask the column at .5 and nothing more; the first answers -1 and 1, the next -2 and 2."""
    asks_first = np.arange(QUESTIONS)[:, None] == np.zeros(trees)
    says_yes = np.arange(ANSWERS)[:, None] >= ANSWERS // 2
    return Trees(
        columns=np.where(asks_first, column, 0),
        thresholds=np.where(asks_first, 0.5, NEVER),
        answers=np.where(says_yes, 1, -1) * np.arange(1.0, trees + 1),
    )


@pytest.mark.parametrize("unknown_is_yes", [0, 1])
def test_an_unknown_feature_goes_the_way_that_was_learned(unknown_is_yes: int) -> None:
    asking = one_question(1 + 2 * unknown_is_yes, trees=2)
    read = read_forest(write_forest(asking, 0.5, ("a", "b")), ("a", "b"))
    no, yes, unknown = read.score(np.array([[9.0, 0.5], [np.nan, 0.6], [9.0, np.nan]]))
    assert (round(no, 2), round(yes, 2)) == (0.08, 0.97), "the logistic function of 0.5 - 3 and 0.5 + 3"
    assert unknown == (yes if unknown_is_yes else no)


def asked(trees: Trees, tree: int, row: list[float]) -> float:
    """What one tree answers, asked question by question."""
    place = 0
    while place < QUESTIONS:
        column = trees.columns[place, tree]
        value = row[column % len(row)]
        yes = column >= len(row) if np.isnan(value) else value > trees.thresholds[place, tree]
        place = 2 * place + 1 + int(yes)
    return float(trees.answers[place - QUESTIONS, tree])


@given(st.integers(0, 2**32))
def test_a_written_forest_answers_as_its_trees_did(seed: int) -> None:
    chance = np.random.default_rng(seed)
    questions, answers = (QUESTIONS, TREES), (ANSWERS, TREES)
    trees = Trees(chance.integers(0, 4, questions), chance.random(questions).round(1), chance.uniform(-1, 1, answers))
    rows = chance.choice([np.nan, *np.arange(11) / 10], (8, 2))
    read = read_forest(json.loads(text_of(write_forest(trees, -0.25, ("a", "b")))), ("a", "b"))
    logits = [-0.25 + sum(asked(trees, tree, row) for tree in range(TREES)) for row in rows.tolist()]
    scores = 1 / (1 + np.exp(-np.array(logits)))
    # Each answer is rounded by half a unit at most, and the logistic function rises by a quarter of that.
    assert np.abs(read.score(rows) - scores).max() <= TREES / GREATEST_ANSWER / 2 / 4 + 1e-5


def test_a_pair_scores_the_same_alone_and_among_others() -> None:
    rows = np.random.default_rng(4).random((50, len(FEATURES)))
    together = forest(FEATURES).score(rows)
    assert together.tolist() == [forest(FEATURES).score(row[None])[0] for row in rows]


def test_more_thresholds_than_a_byte_can_name_are_refused() -> None:
    asking = one_question(0, MOST_CUTS + 1)
    varied = replace(asking, thresholds=np.arange(asking.thresholds.size, dtype=np.float64).reshape(QUESTIONS, -1))
    with pytest.raises(ValueError, match="thresholds"):
        write_forest(varied, 0.0, ("a",))


def test_a_model_for_other_features_is_refused() -> None:
    written = write_forest(one_question(0), 0.0, ("a",))
    assert read_forest(written, ("a",)).score(np.zeros((2, 1))).shape == (2,)
    with pytest.raises(ValueError, match="fit_dedupe"):
        read_forest(written, ("b",))
