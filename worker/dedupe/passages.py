"""What two texts share and where they differ, for people who judge a verdict. Pure.

Words are compared, not characters: `difflib.SequenceMatcher` (Ratcliff and Obershelp, 1988) finds the longest runs
of equal words, and equality ignores case, quotes and punctuation, as the fingerprint does.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from worker.dedupe.fingerprint import normalise

MOST_WORDS = 4000
"""Words of each text that are compared: the matcher's time grows with their product."""
SHORTEST_RUN = 3
"""Fewer equal words in a row than this, between two differences, are part of the difference."""

Kind = Literal["common", "changed", "only_in_head", "only_in_copy"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of words: in both texts (`head` and `copy` may differ in case or punctuation), or in one only."""

    kind: Kind
    head: str
    copy: str


def compare_texts(head: str, copy: str) -> list[Passage]:
    """The passages of two texts in order; empty where both are empty.

    Only the first `MOST_WORDS` words of each are looked at.
    """
    left, right = head.split()[:MOST_WORDS], copy.split()[:MOST_WORDS]
    matcher = SequenceMatcher(None, list(map(normalise, left)), list(map(normalise, right)), autojunk=False)
    passages: list[Passage] = []
    at_left, at_right = 0, 0
    for run in matcher.get_matching_blocks():
        is_end = run.size == 0
        if not is_end and run.size < SHORTEST_RUN and (at_left, at_right) != (run.a, run.b):
            continue
        if (at_left, at_right) != (run.a, run.b):
            passages.append(_difference(left[at_left : run.a], right[at_right : run.b]))
        if not is_end:
            passages.append(
                Passage(
                    "common",
                    " ".join(left[run.a : run.a + run.size]),
                    " ".join(right[run.b : run.b + run.size]),
                )
            )
        at_left, at_right = run.a + run.size, run.b + run.size
    return passages


def _difference(left: list[str], right: list[str]) -> Passage:
    kind: Kind = "changed" if left and right else "only_in_head" if left else "only_in_copy"
    return Passage(kind, " ".join(left), " ".join(right))
