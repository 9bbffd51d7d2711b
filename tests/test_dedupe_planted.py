"""What is planted for the model of near copies to learn from."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.dedupe_planted import Planted, plant, triples_of

TOWNS = ("Ostmere", "Kelby", "Varnholt", "Pinsk", "Lorca", "Umbral")
VERBS = ("weighs", "counts", "repairs", "paints", "rents", "guards", "measures", "borrows", "forgets", "sells")


def article(number: int) -> dict[str, str]:
    town, other = TOWNS[number % 6], TOWNS[(number + 1) % 6]
    lines = [
        f"In {town} the harbour office of ward {number} {verb} {number * 7 + at} old boats near {other} "
        f"before winter day {at} begins for crew {number * 31 + at}."
        for at, verb in enumerate(VERBS)
    ]
    return {"headline": f"Harbour {number} of {town} opens", "body_text": "\n".join(lines)}


def shared(one: Planted) -> float:
    short, long = sorted((triples_of([one.one[1]]), triples_of([one.other[1]])), key=len)
    return len(short & long) / len(short)


def planted(seed: int) -> list[Planted]:
    return plant([article(number) for number in range(12)], 200, seed)


def test_the_same_seed_plants_the_same_pairs_and_another_seed_others() -> None:
    assert planted(3) == planted(3)
    assert planted(3) != planted(4)


def test_copies_and_look_alikes_are_planted() -> None:
    kinds = Counter(one.is_copy for one in planted(5))
    assert kinds[True] > 40
    assert kinds[False] > 40


def test_each_look_alike_says_something_that_the_other_does_not() -> None:
    for one in planted(5):
        texts = [triples_of([body]) for _, body in (one.one, one.other)]
        assert one.is_copy or (texts[0] - texts[1] and texts[1] - texts[0])


def test_the_shorter_of_two_copies_is_mostly_in_the_longer() -> None:
    shares = [shared(one) for one in planted(5) if one.is_copy]
    assert sum(share > 0.5 for share in shares) > 0.9 * len(shares)


def test_too_few_articles_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 3 different articles"):
        plant([article(1), article(2), article(2)], 1, 1)
