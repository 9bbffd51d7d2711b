"""What two texts share and where they differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.dedupe.passages import Passage, compare_texts

HEAD = "The bridge over the Eln reopens on Monday. Tolls stay as they were, the council said."


def test_equal_texts_are_one_common_passage_whatever_the_quotes() -> None:
    assert compare_texts("He said “yes” twice.", 'he said "yes" twice') == [
        Passage("common", "He said “yes” twice.", 'he said "yes" twice')
    ]


def test_a_changed_word_an_addition_and_a_cut_are_told_apart() -> None:
    copy = "ELN (Agency) - The bridge over the Eln reopens on Friday. Tolls stay as they were."
    found = compare_texts(HEAD, copy)
    assert [(passage.kind, passage.head, passage.copy) for passage in found] == [
        ("only_in_copy", "", "ELN (Agency) -"),
        ("common", "The bridge over the Eln reopens on", "The bridge over the Eln reopens on"),
        ("changed", "Monday.", "Friday."),
        ("common", "Tolls stay as they were,", "Tolls stay as they were."),
        ("only_in_head", "the council said.", ""),
    ]


def test_texts_without_a_common_word_are_one_change() -> None:
    assert compare_texts("one two", "three four five") == [Passage("changed", "one two", "three four five")]
    assert compare_texts("", "") == []


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_passages_hold_every_word_of_both_texts_in_order(head: str, copy: str) -> None:
    found = compare_texts(head, copy)
    assert " ".join(passage.head for passage in found if passage.head).split() == head.split()
    assert " ".join(passage.copy for passage in found if passage.copy).split() == copy.split()
