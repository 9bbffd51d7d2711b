"""Texts -> word hashes, over a whole batch at once with numpy.

A word is a run of letters, digits and marks; its hash is a polynomial over the random values of its folded
characters, so that upper case, quotes, dashes and white space never make a difference. Where a script writes
no spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) the words are overlapping pairs of characters.
No string is built for a word: the texts are joined once, and all that follows is arithmetic on arrays.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from worker.dedupe.codepoints import (
    DIGIT,
    FIELD,
    I64,
    LINE,
    SPACE,
    STOP,
    TABLE_SIZE,
    U8,
    U32,
    U64,
    UNSPACED,
    UPPER,
    WORD,
    Bools,
    kinds,
    mix,
    values,
    values_of,
)
from worker.dedupe.numerals import NUMERALS

_BASE = np.uint64(0xD6E8FEB86659FD93)
"""Odd, so that it has an inverse modulo 2^64 and no character of a long word is forgotten."""
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_POWERS_KEPT = 1 << 17
_COMMON_FOLDS = (("\u00ad", ""), ("\u00a0", " "), ("…", "."))
"""What is often the only reason for the dear normalisation: soft hyphen, no-break space, ellipsis."""
_LOW_BITS = np.uint64(0xFFFF)
_SECOND = np.uint64(0xA0761D6478BD642F)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of some texts, in order.

    For each its hash, that of its digits alone (0 if it is no number), the number of its text, and what it is: a
    number, a name; is there one character that is no white space between it and the next; its weight: letters, and
    four for a number in digits; does it begin a line, a sentence or clause?
    """

    hashes: U64
    numbers: U64
    texts: I64
    is_number: Bools
    is_name: Bools
    touches_next: Bools
    weights: I64
    begins_line: Bools
    begins_clause: Bools


def split_words(texts: Sequence[str]) -> Words:
    """Take texts apart into words. Any text will do, also an empty one or one with lone surrogates."""
    points = _code_points(texts)
    all_kinds = kinds().take(points, mode="clip")
    starts, lengths = _word_bounds(all_kinds)
    if not len(starts):
        nothing = np.zeros(0, dtype=np.int64)
        no = nothing.astype(np.bool_)
        return Words(nothing.astype(np.uint64), nothing.astype(np.uint64), nothing, no, no, no, nothing, no, no)
    # Only what stands between words ends lines or sentences or is space, so these flags tell of the gap alone.
    between = np.bitwise_or.reduceat(all_kinds, starts)
    text_of_word = np.searchsorted(np.flatnonzero(points == ord(FIELD)), starts)
    first_kinds = all_kinds[starts]
    unspaced = (first_kinds & UNSPACED) > 0
    values_at = _character_values(points)
    whole = _word_hashes(values_at, starts)
    numbers = _number_hashes(values_at, np.flatnonzero(all_kinds & DIGIT), starts)
    has_digit = numbers > 0
    _add_numerals(numbers, whole)
    hashes, keep = _pairs(whole, text_of_word, unspaced)
    words = Words(
        hashes=hashes,
        numbers=numbers,
        texts=text_of_word,
        is_number=numbers > 0,
        is_name=_names(first_kinds, between, unspaced),
        touches_next=_touching(starts, lengths, between),
        weights=lengths + 4 * has_digit + 8 * unspaced,
        begins_line=_after(between, LINE),
        begins_clause=_after(between, LINE) | _after(between, STOP | SPACE),
    )
    return words if keep.all() else _chosen(words, keep)


def _chosen(words: Words, keep: Bools) -> Words:
    return Words(
        words.hashes[keep],
        words.numbers[keep],
        words.texts[keep],
        words.is_number[keep],
        words.is_name[keep],
        words.touches_next[keep],
        words.weights[keep],
        words.begins_line[keep],
        words.begins_clause[keep],
    )


def _code_points(texts: Sequence[str]) -> U32:
    joined = FIELD.join(texts)
    if joined.count(FIELD) != max(0, len(texts) - 1):
        joined = FIELD.join(text.replace(FIELD, " ") for text in texts)
    if not joined.isascii():
        for character, replacement in _COMMON_FOLDS:
            joined = joined.replace(character, replacement)
        if not unicodedata.is_normalized("NFKC", joined):
            joined = unicodedata.normalize("NFKC", joined)
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _word_bounds(all_kinds: U8) -> tuple[I64, I64]:
    """(where words begin, how many characters they have)."""
    in_word = (all_kinds & WORD) > 0
    unspaced = (all_kinds & UNSPACED) > 0
    # Between two characters of a word there is no bound, unless one is of a script without spaces.
    bound = np.ones(len(all_kinds) + 1, dtype=np.bool_)
    bound[1:-1] = ~(in_word[:-1] & in_word[1:])
    if unspaced.any():
        bound[1:-1] |= unspaced[:-1] | unspaced[1:]
    starts = np.flatnonzero(in_word & bound[:-1])
    return starts, np.flatnonzero(in_word & bound[1:]) + 1 - starts


@cache
def _powers(count: int) -> tuple[U64, U64]:
    exponents = np.full(count, _BASE), np.full(count, _INVERSE)
    for powers in exponents:
        powers[0] = 1
        np.multiply.accumulate(powers, out=powers)
    return exponents


def _character_values(points: U32) -> U64:
    characters = values().take(points, mode="clip")
    above = points >= TABLE_SIZE
    if above.any():
        characters[above] = values_of(points[above].astype(np.uint64))
    return characters


def _word_hashes(characters: U64, starts: I64) -> U64:
    count = len(characters)
    powers, inverses = _powers(_POWERS_KEPT) if count <= _POWERS_KEPT else _powers.__wrapped__(count)
    return mix(np.add.reduceat(characters * powers[:count], starts) * inverses[starts])


def _number_hashes(characters: U64, digits: I64, starts: I64) -> U64:
    """Hashes of the digits of each word alone, 0 where it has none: 200ft is the number 200."""
    hashes = np.zeros(len(starts), dtype=np.uint64)
    if not len(digits):
        return hashes
    words = np.searchsorted(starts, digits, side="right") - 1
    begins = np.flatnonzero(np.concatenate(([True], words[1:] != words[:-1])))
    hashes[words[begins]] = _word_hashes(characters[digits], begins)
    return hashes


@cache
def _numerals() -> tuple[U64, U64, Bools]:
    """(hashes of number words in order, those of their digits, for each low 16 bits: is there such a word?)."""
    words = {word: number for number, written in NUMERALS.items() for word in written.split()}
    spelled, digits = (_hash_alone(list(texts)) for texts in (words, map(str, words.values())))
    order = np.argsort(spelled)
    may_be = np.zeros(1 << 16, dtype=np.bool_)
    may_be[spelled & _LOW_BITS] = True
    return spelled[order], digits[order], may_be


def _hash_alone(words: list[str]) -> U64:
    points = _code_points(words)
    starts, _ = _word_bounds(kinds().take(points, mode="clip"))
    return _word_hashes(_character_values(points), starts)


def _add_numerals(numbers: U64, words: U64) -> None:
    """Give number words the hash of their digits."""
    spelled, digits, may_be = _numerals()
    some = np.flatnonzero(may_be[words & _LOW_BITS])
    at = np.minimum(np.searchsorted(spelled, words[some]), len(spelled) - 1)
    right = spelled[at] == words[some]
    numbers[some[right]] = digits[at[right]]


def _pairs(hashes: U64, texts: I64, unspaced: Bools) -> tuple[U64, Bools]:
    """Characters of scripts without spaces become overlapping pairs; (hashes, which to keep)."""
    keep = np.ones(len(hashes), dtype=np.bool_)
    if not unspaced.any():
        return hashes, keep
    linked = unspaced[:-1] & unspaced[1:] & (texts[:-1] == texts[1:])
    hashes = hashes.copy()
    hashes[:-1][linked] = mix(hashes[:-1][linked] * _SECOND + hashes[1:][linked])
    # The last character of a run is already in the pair before it.
    keep[1:] = ~linked | np.concatenate((linked[1:], [False]))
    return hashes, keep


def _names(first_kinds: U8, between: U8, unspaced: Bools) -> Bools:
    """Capitalised words that do not begin a sentence."""
    capital = ((first_kinds & UPPER) > 0) & ~unspaced
    capital[0] = False
    capital[1:] &= (between[:-1] & STOP) == 0
    return capital


def _after(between: U8, kind: np.uint8) -> Bools:
    """Words before which characters of all these kinds stand; the first word always is one."""
    after = np.ones(len(between), dtype=np.bool_)
    after[1:] = (between[:-1] & kind) == kind
    return after


def _touching(starts: I64, lengths: I64, between: U8) -> Bools:
    """Words with exactly one character that is no white space between them and the next: 1,250 or 12:30."""
    touching = np.zeros(len(starts), dtype=np.bool_)
    touching[:-1] = (starts[1:] - starts[:-1] - lengths[:-1] == 1) & ((between[:-1] & SPACE) == 0)
    return touching
