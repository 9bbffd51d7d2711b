"""What each code point means to the tokeniser: one table of kinds and one of folded random values.

Both tables cover the first two planes (every script in use); what lies above are rare ideographs and emoji.
The values are splitmix64 of the folded code point (Steele, Lea, Flood: Fast splittable pseudorandom number
generators, 2014), so that they are the same on every machine and for ever.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WORD, DIGIT, UPPER, UNSPACED, LINE, STOP, SPACE = (np.uint8(1 << bit) for bit in range(7))
"""Kinds: part of a word; digit; upper or title case; of a script without spaces; ends a line; ends a sentence
(or opens a quotation); white space."""

FIELD = "\x1e"
"""Stands between the fields of articles when they are joined: U+001E, record separator."""

TABLE_SIZE = 0x20000
_UNSPACED_RANGES = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Burmese
    range(0x1780, 0x1800),  # Khmer
    range(0x2E80, 0x2FE0),  # radicals
    range(0x3005, 0x3008),
    range(0x3021, 0x302A),
    range(0x3031, 0x3036),
    range(0x3040, 0x3100),  # kana
    range(0x3100, 0x3130),  # bopomofo
    range(0x31A0, 0x3200),
    range(0x3400, 0x4DC0),  # ideographs
    range(0x4E00, 0xA000),
    range(0xF900, 0xFB00),
)
_STOPS = frozenset('.!?:;…。！？：；"“”„«»‹›(\n—–')
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(values: U64) -> U64:
    """The finaliser of splitmix64: every bit of the outcome hangs on every bit of the value."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def values_of(points: U64) -> U64:
    """Random odd 64-bit values of (folded) code points."""
    return mix((points + np.uint64(1)) * _GOLDEN) | np.uint64(1)


@cache
def kinds() -> U8:
    """Bit flags of every code point below `TABLE_SIZE`; the last entry stands for all above: rare ideographs."""
    table = np.zeros(TABLE_SIZE + 1, dtype=np.uint8)
    for point in range(TABLE_SIZE):
        table[point] = _kind(chr(point))
    for unspaced in _UNSPACED_RANGES:
        spelled = table[unspaced.start : unspaced.stop]
        spelled[(spelled & WORD) > 0] |= UNSPACED
    table[TABLE_SIZE] = WORD | UNSPACED
    return table


@cache
def values() -> U64:
    """Folded random value of every code point that is part of a word; 0 for all others."""
    points = np.array([_folded(point) for point in range(TABLE_SIZE + 1)], dtype=np.uint64)
    return np.where((kinds() & WORD) > 0, values_of(points), np.uint64(0))


def _kind(character: str) -> int:
    if character == FIELD:
        return int(LINE | STOP | SPACE)
    kind = 0
    if character.isspace():
        kind |= int(SPACE)
        # Form feeds, vertical tabs and the separators of U+001C.. end lines too.
        kind |= int(LINE | STOP) if len(f"{character}x".splitlines()) > 1 else 0
    if character in _STOPS:
        kind |= int(STOP)
    category = unicodedata.category(character)
    if category[0] in "LNM" and not _is_variation_selector(character):
        kind |= int(WORD)
        kind |= int(DIGIT) if category == "Nd" else 0
        kind |= int(UPPER) if category in {"Lu", "Lt"} else 0
    return kind


def _is_variation_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f"


def _folded(point: int) -> int:
    character = chr(min(point, sys.maxunicode))
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return ord("0") + digit
    candidates = (character.casefold(), character.lower())
    return next((ord(folded) for folded in candidates if len(folded) == 1), point)
