"""An article -> its sketch: what is kept of it for comparing, in `SKETCH_BYTES` bytes, and its features.

The sketch holds the lowest hashes of the text's word triples (a sample that any two texts draw alike: Broder,
On the resemblance and containment of documents, 1997), those of its lead apart, and samples of its numbers,
names and title words, each with its total. The features are a few hashes under which the article is filed:
two texts that share one are compared.

Everything is computed over the whole batch with numpy; one article alone gets the same sketch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from worker.dedupe.codepoints import I64, U32, U64, Bools, mix
from worker.dedupe.corrected import says_corrected
from worker.dedupe.furniture import Furniture
from worker.dedupe.trimming import trim
from worker.dedupe.words import Words, split_words

GRAMS, LEADS, NUMBERS, SEQUENCES, NAMES, TITLES = 36, 14, 16, 8, 12, 6
"""How many hashes are kept: of the whole text, its lead, its numbers, pairs of successive numbers, names, title."""
PLACE_BITS = 3
"""With each hash of the whole text goes the eighth of the text that it stands in."""
LEAD_GRAMS = 64
"""The lead: the first so many word triples."""
FIRST_GRAMS = 24
"""The first sentence or two, which is what summaries and teasers repeat."""
SHORTEST_GRAMS = 15
"""A text with fewer different word triples is too short to judge: it gets no features."""
WHOLE_FEATURES, LEAD_FEATURES, FIRST_FEATURES = 9, 2, 1
MOST_FEATURES = WHOLE_FEATURES + LEAD_FEATURES + FIRST_FEATURES
SHORTEST_SENTENCE = 5
"""Words; a shorter one is furniture only as a line of its own."""
LIGHTEST_FEATURE = 14
"""Letters that the three words of a feature have at least (a digit counts for four more): what is made of short
words only ("one of the") is in too many texts to find one by."""
HASH_BITS = 56
MOST_TEXTS_AT_ONCE = 1 << (64 - HASH_BITS)
MOST_CHARACTERS_AT_ONCE = 1 << 17
"""Batches are worked on in parts that fit into the processor's cache."""

SKETCH = np.dtype(
    [
        ("grams", "u1", (GRAMS, 3)),
        ("leads", "<u2", (LEADS,)),
        ("numbers", "<u2", (NUMBERS,)),
        ("sequences", "<u2", (SEQUENCES,)),
        ("names", "<u2", (NAMES,)),
        ("titles", "<u2", (TITLES,)),
        ("gram_count", "<u2"),
        ("number_count", "u1"),
        ("sequence_count", "u1"),
        ("name_count", "u1"),
        ("title_count", "u1"),
        ("lead_count", "u1"),
        ("source", "<u4"),
        ("hours", "<i4"),
    ]
)
SKETCH_BYTES = SKETCH.itemsize
CORRECTED = 1 << 7
"""A bit of `lead_count`, which is `LEAD_GRAMS` at most: the article says that it corrects an earlier one."""
UNKNOWN_HOURS = -(1 << 31)
UNKNOWN_SOURCES = frozenset({"", "unknown", "ingest"})
"""Ids under which documents of anybody come: of `copydesk dedupe` without sources, and of `copydesk ingest` unless
told. Two such texts are not known to be of the same source."""
_FIRST = np.uint64(0x8CB92BA72F3D8DD7)
_SECOND = np.uint64(0xA24BAED4963EE407)
_THIRD = np.uint64(0x9FB21C651E98DF25)
_EMPTY = np.uint64((1 << HASH_BITS) - 1)
_HEAVY = np.uint64(1 << (64 - HASH_BITS + PLACE_BITS))
"""A bit of a triple's hash, set where its words are not all short ones."""


@dataclass(frozen=True, slots=True)
class SketchInput:
    """What a sketch is made of.

    `source_id` is one of `UNKNOWN_SOURCES` where the source is unknown. `corrected`: the article says that it was
    corrected, elsewhere than in its headline, which is looked at anyway.
    """

    headline: str
    body_text: str
    published_at: datetime | None
    source_id: str
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is remembered of an article, and what it is filed under.

    `packed`: exactly `SKETCH_BYTES` bytes, opaque to the index. `features`: at most `MOST_FEATURES` distinct
    unsigned 64-bit hashes to be filed and looked up under; none = too short to judge, never a near copy.
    `paragraphs`: 32-bit prints of the paragraphs, for `Furniture.count` once the article turned out to be new.
    """

    packed: bytes
    features: tuple[int, ...]
    paragraphs: tuple[int, ...]


def sketch_articles(articles: Sequence[SketchInput], furniture: Furniture) -> list[Sketch]:
    """The sketches of a batch of one source, in order, with the paragraphs that are its furniture left out."""
    sketches: list[Sketch] = []
    part: list[SketchInput] = []
    bodies: list[str] = []
    characters = 0
    for article in articles:
        body = trim(article.body_text)
        size = len(article.headline) + len(body)
        if part and (characters + size > MOST_CHARACTERS_AT_ONCE or len(part) == MOST_TEXTS_AT_ONCE // 2):
            sketches += _sketch_part(part, bodies, furniture)
            part, bodies, characters = [], [], 0
        part.append(article)
        bodies.append(body)
        characters += size
    return sketches + (_sketch_part(part, bodies, furniture) if part else [])


def _sketch_part(articles: list[SketchInput], bodies: list[str], furniture: Furniture) -> list[Sketch]:
    count = len(articles)
    # Bodies first, then headlines: the number of a text tells which it is.
    words = split_words(bodies + [article.headline for article in articles])
    paragraphs, is_furniture = _paragraphs(words, count, furniture)
    body = ~is_furniture & (words.texts < count)
    grams, gram_texts, places, eighths = _grams(words.hashes[body], words.texts[body], words.weights[body], count)
    lowest, totals = _lowest(grams, gram_texts, eighths, GRAMS, count)
    lead = places < LEAD_GRAMS
    heavy = grams & _HEAVY > 0
    ahead = [(heavy & lead, LEAD_FEATURES), (heavy & (places < FIRST_GRAMS), FIRST_FEATURES)]
    firsts = [_lowest(grams[near], gram_texts[near], None, kept, count)[0] for near, kept in ahead]
    features = _features(lowest, firsts, totals)

    packed = np.zeros(count, dtype=SKETCH)
    packed["grams"] = _three_bytes(lowest)
    packed["gram_count"] = np.minimum(totals, 0xFFFF)
    samples = _facts(words, body, count)
    samples["lead"] = _lowest(grams[lead], gram_texts[lead], None, LEADS, count)
    for name, (hashes, total) in samples.items():
        packed[f"{name}s"] = hashes >> np.uint64(HASH_BITS - 16)
        packed[f"{name}_count"] = np.minimum(total, 0xFF)
    says_so = [article.corrected or says_corrected(article.headline) for article in articles]
    packed["lead_count"] |= np.array(says_so, dtype=np.uint8) * np.uint8(CORRECTED)
    packed["source"] = [source_print(article.source_id) for article in articles]
    packed["hours"] = [_hours(article.published_at) for article in articles]
    return [Sketch(packed[i].tobytes(), features[i], paragraphs[i]) for i in range(count)]


def _facts(words: Words, body: Bools, count: int) -> dict[str, tuple[U64, I64]]:
    """Lowest hashes and totals of the numbers, pairs of successive numbers, names and headline words."""
    numbers, number_texts = _numbers(words, body)
    name, title = body & words.is_name, words.texts >= count
    return {
        "number": _lowest(numbers, number_texts, None, NUMBERS, count),
        "sequence": _lowest(*_sequences(numbers, number_texts), None, SEQUENCES, count),
        "name": _lowest(words.hashes[name], words.texts[name], None, NAMES, count),
        "title": _lowest(words.hashes[title], words.texts[title] - count, None, TITLES, count),
    }


def source_print(source_id: str) -> int:
    """32 bits of a source's id; 0 where it is unknown."""
    if source_id in UNKNOWN_SOURCES:
        return 0
    digest = hashlib.blake2b(source_id.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "little") or 1


def unpack(packed: Sequence[bytes]) -> npt.NDArray[np.void]:
    """Packed sketches -> one structured array of `SKETCH`."""
    return np.frombuffer(b"".join(packed), dtype=SKETCH)


def _grams(hashes: U64, texts: I64, weights: I64, count: int) -> tuple[U64, I64, I64, U64]:
    """Word triples: (hash, text, place in its text, eighth of its text)."""
    if len(hashes) < 3:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing.astype(np.uint64), nothing, nothing, nothing.astype(np.uint64)
    grams = mix(hashes[:-2] * _FIRST + hashes[1:-1] * _SECOND + hashes[2:] * _THIRD)
    within = texts[:-2] == texts[2:]
    heavy = (weights[:-2] + weights[1:-1] + weights[2:] >= LIGHTEST_FEATURE).astype(np.uint64)
    grams = (grams & ~_HEAVY) | heavy * _HEAVY
    begins = np.searchsorted(texts, np.arange(count))
    places = np.arange(len(grams)) - begins[texts[:-2]]
    lengths = np.bincount(texts, minlength=count)[texts[:-2]]
    eighths = (places << PLACE_BITS) // lengths
    return grams[within], texts[:-2][within], places[within], eighths[within].astype(np.uint64)


def _sequences(numbers: U64, texts: I64) -> tuple[U64, I64]:
    """Each number with the next one: in a table of prices all numbers may be known, but not their order."""
    follow = texts[:-1] == texts[1:]
    return mix(numbers[:-1] * _FIRST + numbers[1:])[follow], texts[:-1][follow]


def _numbers(words: Words, body: Bools) -> tuple[U64, I64]:
    """Numbers with their separators as one: 1,250 and 12:30 and 3.5."""
    is_number = words.is_number & body
    if not is_number.any():
        return words.numbers[:0], words.texts[:0]
    joined = words.touches_next[:-1] & is_number[:-1] & is_number[1:] & (words.texts[:-1] == words.texts[1:])
    follows = np.concatenate(([False], joined))
    starts = np.flatnonzero(is_number & ~follows)
    # Of a chain each part counts with its place, so that 1,25 and 25,1 differ.
    chain = np.cumsum(is_number & ~follows) - 1
    order = np.arange(len(chain)) - starts[np.maximum(chain, 0)]
    parts = np.where(is_number, mix(words.numbers + order.astype(np.uint64) * _SECOND), np.uint64(0))
    return mix(np.add.reduceat(parts, starts)), words.texts[starts]


def _paragraphs(words: Words, count: int, furniture: Furniture) -> tuple[list[tuple[int, ...]], Bools]:
    """(prints of what may be furniture in each body, for each word whether it is part of furniture).

    What may be furniture: whole lines, and sentences of some length, for boilerplate is cut and joined too.
    """
    if not len(words.hashes):
        return [()] * count, np.zeros(0, dtype=np.bool_)
    starts = np.flatnonzero(words.begins_clause)
    lengths = np.diff(np.concatenate((starts, [len(words.hashes)])))
    begins_line = words.begins_line[starts]
    whole_line = begins_line & np.concatenate((begins_line[1:], [True]))
    texts = words.texts[starts]
    eligible = (whole_line | (lengths >= SHORTEST_SENTENCE)) & (texts < count)
    prints: U32 = (mix(np.add.reduceat(words.hashes, starts)) >> np.uint64(32)).astype(np.uint32)
    known = furniture.is_furniture(prints) & eligible
    bounds = np.searchsorted(texts[eligible], np.arange(count + 1)).tolist()
    listed = prints[eligible].tolist()
    return [tuple(listed[bounds[i] : bounds[i + 1]]) for i in range(count)], np.repeat(known, lengths)


def _lowest(hashes: U64, texts: I64, eighths: U64 | None, kept: int, count: int) -> tuple[U64, I64]:
    """The `kept` lowest different hashes of each text (53 bits and the eighth), and how many different ones it has.

    Number of text, hash and eighth in one integer: one sort orders the batch.
    """
    shift = np.uint64(PLACE_BITS)
    keys = (hashes >> np.uint64(64 - HASH_BITS)) >> shift << shift
    keys |= texts.astype(np.uint64) << np.uint64(HASH_BITS)
    if eighths is not None:
        keys |= eighths
    keys.sort()
    if len(keys):
        different = keys >> shift
        keys = keys[np.concatenate(([True], different[1:] != different[:-1]))]
    bounds = np.searchsorted(keys, np.arange(count, dtype=np.uint64) << np.uint64(HASH_BITS))
    totals = np.diff(np.concatenate((bounds, [len(keys)])))
    lowest = np.full((count, kept), _EMPTY)
    places = np.arange(kept)
    present = places < totals[:, None]
    lowest[present] = keys[(bounds[:, None] + places)[present]] & _EMPTY
    return lowest, totals


def _three_bytes(hashes: U64) -> npt.NDArray[np.uint8]:
    eighth = np.uint64((1 << PLACE_BITS) - 1)
    top = (hashes >> np.uint64(HASH_BITS - 24) & ~eighth | hashes & eighth).astype("<u4")
    return top.view(np.uint8).reshape(*top.shape, 4)[..., :3]


def _features(lowest: U64, firsts: list[U64], totals: I64) -> list[tuple[int, ...]]:
    """A hash is the same feature whatever it was chosen for. Mixed: the lowest hashes all begin with zeros."""
    heavy = lowest & np.uint64(1 << PLACE_BITS) > 0
    order = np.argsort(~heavy, axis=1, kind="stable")[:, :WHOLE_FEATURES]
    chosen = np.concatenate((np.take_along_axis(lowest, order, axis=1), *firsts), axis=1)
    empty = chosen | np.uint64(7) == _EMPTY
    listed, missing = mix(chosen >> np.uint64(PLACE_BITS)).tolist(), empty.any(axis=1).tolist()
    judged = (totals >= SHORTEST_GRAMS).tolist()
    features: list[tuple[int, ...]] = []
    for i, all_of_row in enumerate(listed):
        row = all_of_row
        if missing[i]:
            row = [feature for feature, absent in zip(row, empty[i].tolist(), strict=True) if not absent]
        features.append(tuple(dict.fromkeys(row)) if judged[i] else ())
    return features


def _hours(moment: datetime | None) -> int:
    if moment is None:
        return UNKNOWN_HOURS
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() // 3600)
