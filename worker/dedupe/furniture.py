"""Furniture: paragraphs that a source prints again and again (calls to subscribe, notes, legal lines).

What several articles of a source share is no sign that one copies the other, so it is left out before
texts are compared. The table has a fixed size however many articles come: each paragraph print has a bucket
of a few cells, a cell counts one print, and a print that finds no cell wears the weakest down with a
probability that halves with each count (HeavyKeeper: Yang et al., USENIX ATC 2018). So what keeps coming
stays, and the many paragraphs that come once pass through.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from worker.dedupe.codepoints import U32, Bools

BUCKETS = 512
CELLS = 4
ARTICLES_BEFORE = 3
"""A paragraph that this many articles had before is furniture: the one at hand is the fourth."""
MOST_COUNTED = 12
"""Cells stop counting here: then 4,096 strangers wear a cell down by one."""
_CELL = np.dtype([("print", "<u4"), ("count", "u1")])
FURNITURE_BYTES = BUCKETS * CELLS * _CELL.itemsize


class Furniture:
    """The paragraphs of one source that were counted; changed only by `count`."""

    def __init__(self, cells: bytes = b"") -> None:
        table = np.frombuffer(cells or bytes(FURNITURE_BYTES), dtype=_CELL)
        # Counting goes cell by cell, which plain arrays do faster; the look-up shares their memory.
        self._prints = array("I", table["print"].tobytes())
        self._counts = bytearray(table["count"].tobytes())

    @classmethod
    def unpack(cls, packed: bytes | None) -> Furniture:
        """A table from its bytes. None, or bytes of another size (an older layout), begin an empty one."""
        return cls(packed if packed is not None and len(packed) == FURNITURE_BYTES else b"")

    def pack(self) -> bytes:
        """`FURNITURE_BYTES` bytes."""
        table = np.zeros(BUCKETS * CELLS, dtype=_CELL)
        table["print"] = np.frombuffer(self._prints, dtype=np.uint32)
        table["count"] = np.frombuffer(self._counts, dtype=np.uint8)
        return table.tobytes()

    def is_furniture(self, prints: U32) -> Bools:
        """For each paragraph print: did `ARTICLES_BEFORE` articles have it before?"""
        buckets = prints % BUCKETS
        known = np.frombuffer(self._prints, dtype=np.uint32).reshape(BUCKETS, CELLS)[buckets] == prints[:, None]
        often = np.frombuffer(self._counts, dtype=np.uint8).reshape(BUCKETS, CELLS)[buckets] >= ARTICLES_BEFORE
        found: Bools = (known & often).any(axis=1)
        return found

    def count(self, prints: Iterable[int]) -> None:
        """Note the paragraphs of one new article; one that it has twice counts once."""
        for paragraph in sorted(set(prints)):
            self._count(paragraph)

    def _count(self, paragraph: int) -> None:
        begin = paragraph % BUCKETS * CELLS
        cells = range(begin, begin + CELLS)
        for cell in cells:
            if self._prints[cell] == paragraph and self._counts[cell]:
                self._counts[cell] = min(self._counts[cell] + 1, MOST_COUNTED)
                return
        weakest = min(cells, key=self._counts.__getitem__)
        # The print itself and the state of the bucket are the dice: the same history gives the same table.
        dice = paragraph // BUCKETS ^ sum(self._prints[begin : begin + CELLS])
        if dice % (1 << self._counts[weakest]):
            return
        self._counts[weakest] = max(self._counts[weakest], 1) - 1
        if not self._counts[weakest]:
            self._prints[weakest], self._counts[weakest] = paragraph, 1
