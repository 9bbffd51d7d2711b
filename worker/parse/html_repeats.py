"""Runs of paragraphs that a page holds twice (once for each width of screen, say): the article has them once."""

from __future__ import annotations

from collections.abc import Sequence

_FEWEST_PARAGRAPHS = 3
_NEAR = 10
"""Paragraphs: a copy begins near where the text does, or goes on near where it broke off; parts of a text may recur."""
_FEWEST_CHARACTERS = 300
"""Of a run together: a refrain or a repeated quotation is shorter."""


def repeated(texts: Sequence[str]) -> set[int]:
    """Texts of paragraphs in order -> the numbers of those that belong to a run which stood there before."""
    first: dict[str, int] = {}
    found: set[int] = set()
    at = goes_on = 0
    while at < len(texts):
        earlier = first.setdefault(texts[at], at)
        length = _length_of_run(texts, earlier, at) if earlier < at else 0
        begins = earlier <= _NEAR or abs(earlier - goes_on) <= _NEAR
        if begins and length >= _FEWEST_PARAGRAPHS and sum(map(len, texts[at : at + length])) >= _FEWEST_CHARACTERS:
            found.update(range(at, at + length))
            at += length
            goes_on = earlier + length
        else:
            at += 1
    return found


def without_repeats(text: str) -> str:
    """A text -> the same without the lines of runs that stood there before."""
    lines = [line for line in text.split("\n") if line.strip()]
    again = repeated(lines)
    return "\n\n".join(line for index, line in enumerate(lines) if index not in again) if again else text


def _length_of_run(texts: Sequence[str], earlier: int, later: int) -> int:
    length = 0
    while earlier + length < later < len(texts) - length and texts[earlier + length] == texts[later + length]:
        length += 1
    return length
