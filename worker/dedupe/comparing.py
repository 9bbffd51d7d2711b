"""Two sketches -> the features a judgement is made of, for many pairs at once.

What two texts share is estimated from what both samples can speak of: a hash of one sample that lies below
the highest of the other would be in the other if it were in its text. All features are symmetric, for which
text came first says nothing about whether they are the same. What is unknown is `UNKNOWN` (not a number),
never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.dedupe.codepoints import F64, I64, U32, Bools
from worker.dedupe.sketch import GRAMS, LEADS, NAMES, NUMBERS, PLACE_BITS, SEQUENCES, TITLES, UNKNOWN_HOURS

UNKNOWN = np.nan
FEATURES = (
    "resemblance",
    "containment",
    "shared",
    "weakest_quarter",
    "first_quarter",
    "lead",
    "lead_containment",
    "lead_shared",
    "lead_missing",
    "numbers_missing",
    "numbers_missing_count",
    "numbers_changed",
    "numbers_resemblance",
    "sequences_changed",
    "sequences_resemblance",
    "number_share",
    "names_missing",
    "names_missing_count",
    "names_changed",
    "names_resemblance",
    "title",
    "length_ratio",
    "shorter",
)
"""Names of the columns of `compare`."""
_ABSENT = np.uint32(0xFFFFFFFF)
_UPPER_CASE_SHARE = 0.5
"""Where more of the words are capitalised, capitals tell no names (upper-case texts)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The lowest hashes of a set, a row for each text: ascending, `_ABSENT` beyond the total."""

    hashes: U32
    totals: I64
    eighths: U32

    def limits(self) -> U32:
        """The highest hash each sample can speak of: all of them where the whole set was kept."""
        kept = self.hashes.shape[1]
        return np.where(self.totals <= kept, _ABSENT - np.uint32(1), self.hashes[:, -1])


def compare(one: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> F64:
    """Rows of sketches (see `sketch.unpack`), pair by pair -> one row of `FEATURES` for each."""
    swap = one["gram_count"] > other["gram_count"]
    short, long = np.where(swap, other, one), np.where(swap, one, other)
    short_grams, long_grams = grams(short), grams(long)
    short_lead, long_lead = leads(short), leads(long)
    shorter = short_grams.totals.astype(np.float64)
    longer = long_grams.totals.astype(np.float64)
    ratio = shorter / np.maximum(longer, 1.0)
    found, asked = _found(short_grams, long_grams)
    backwards, asked_backwards = _found(long_grams, short_grams)
    containment = np.maximum(_share(found, asked), _share(backwards, asked_backwards) / np.maximum(ratio, 1e-9))
    in_lead = _found(_as_leads(short_grams), long_lead)
    columns = [
        _resemblance(short_grams, long_grams),
        np.minimum(_smoothed(found, asked), containment),
        found.astype(np.float64),
        *_quarters(short_grams, long_grams),
        _resemblance(short_lead, long_lead),
        _smoothed(*in_lead),
        in_lead[0].astype(np.float64),
        (in_lead[1] - in_lead[0]).astype(np.float64),
        *_differences(prints(short, "numbers"), prints(long, "numbers")),
        *_differences(prints(short, "sequences"), prints(long, "sequences"))[2:],
        np.maximum(short["number_count"] / np.maximum(shorter, 1.0), long["number_count"] / np.maximum(longer, 1.0)),
        *_differences(prints(short, "names"), prints(long, "names")),
        _titles(prints(short, "titles"), prints(long, "titles")),
        ratio,
        np.log2(np.maximum(shorter, 1.0)),
    ]
    # Rounded, so that the same share computed in two ways answers a question alike.
    features: F64 = np.round(np.stack(columns, axis=1), 4)
    return features


def hours_apart(one: npt.NDArray[np.void], other: npt.NDArray[np.void]) -> F64:
    """Hours between the times of publication; `UNKNOWN` where one is not known."""
    known = (one["hours"] != UNKNOWN_HOURS) & (other["hours"] != UNKNOWN_HOURS)
    apart = np.abs(one["hours"].astype(np.int64) - other["hours"])
    return np.where(known, apart.astype(np.float64), UNKNOWN)


def grams(rows: npt.NDArray[np.void]) -> Sample:
    """The samples of the whole texts."""
    three = rows["grams"].astype(np.uint32)
    hashes = three[..., 0] | three[..., 1] << np.uint32(8) | three[..., 2] << np.uint32(16)
    eighths = hashes & np.uint32((1 << PLACE_BITS) - 1)
    return _sample(hashes >> np.uint32(PLACE_BITS), rows["gram_count"], GRAMS, eighths)


def leads(rows: npt.NDArray[np.void]) -> Sample:
    """The samples of the leads."""
    return _sample(rows["leads"].astype(np.uint32), rows["lead_count"], LEADS)


def prints(rows: npt.NDArray[np.void], field: str) -> Sample:
    """The samples of `numbers`, `names` or `titles`."""
    kept = {"numbers": NUMBERS, "sequences": SEQUENCES, "names": NAMES, "titles": TITLES}[field]
    return _sample(rows[field].astype(np.uint32), rows[f"{field[:-1]}_count"], kept)


def _sample(hashes: U32, totals: npt.NDArray[np.integer], kept: int, eighths: U32 | None = None) -> Sample:
    present = np.arange(kept) < totals[:, None]
    return Sample(
        np.where(present, hashes, _ABSENT),
        totals.astype(np.int64),
        eighths if eighths is not None else np.zeros_like(hashes),
    )


def _as_leads(sample: Sample) -> Sample:
    """Leads are kept in 16 bits: look at the same bits of the whole text's sample."""
    shortened = np.where(sample.hashes == _ABSENT, _ABSENT, sample.hashes >> np.uint32(24 - 16 - PLACE_BITS))
    return Sample(shortened, sample.totals, sample.eighths)


def _within(one: Sample, other: Sample) -> tuple[Bools, Bools]:
    """For each hash of `one`: (is it in `other`, could one tell)."""
    present = one.hashes != _ABSENT
    shared = (one.hashes[:, :, None] == other.hashes[:, None, :]).any(axis=2) & present
    return shared, present & (one.hashes <= other.limits()[:, None])


def _found(one: Sample, other: Sample) -> tuple[I64, I64]:
    """(how many hashes of `one` are in `other`, how many could be told)."""
    shared, told = _within(one, other)
    return (shared & told).sum(axis=1), told.sum(axis=1)


def _share(found: I64, asked: I64) -> F64:
    return np.where(asked > 0, found / np.maximum(asked, 1), UNKNOWN)


def _smoothed(found: I64, asked: I64) -> F64:
    """A share that few samples cannot bring to 1: the mean of the posterior with a prior of 1/2."""
    return np.where(asked > 0, (found + 0.5) / (asked + 1.0), UNKNOWN)


def _resemblance(one: Sample, other: Sample) -> F64:
    """Jaccard's coefficient, from the part of both samples below the lower limit."""
    limit = np.minimum(one.limits(), other.limits())[:, None]
    shared, _ = _within(one, other)
    both = (shared & (one.hashes <= limit)).sum(axis=1)
    union = (one.hashes <= limit).sum(axis=1) + (other.hashes <= limit).sum(axis=1) - both
    return _share(both, union)


def _differences(short: Sample, long: Sample) -> tuple[F64, F64, F64, F64]:
    """How two sets differ.

    (share of the shorter text's that the longer has not, how many such, how many were exchanged: each text has
    some that the other has not; resemblance).
    """
    found, asked = _found(short, long)
    missing = (asked - found).astype(np.float64)
    share = np.where(asked > 0, missing / np.maximum(asked, 1), 0.0)
    found_back, asked_back = _found(long, short)
    changed = np.minimum(missing, asked_back - found_back)
    return share, missing, changed, _resemblance(short, long)


def _quarters(short: Sample, long: Sample) -> tuple[F64, F64]:
    """Of the quarters of the shorter text: the share that is found of the least found, and of the first.

    A copy is found all over; of a text that shares a gallery or a background passage one end is found. Few samples
    fall into a quarter, so its share is drawn towards that of the whole text.
    """
    shared, told = _within(short, long)
    quarter = short.eighths >> np.uint32(PLACE_BITS - 2)
    overall = _smoothed((shared & told).sum(axis=1), told.sum(axis=1))
    shares = []
    for number in range(4):
        here = told & (quarter == number)
        shares.append(((shared & here).sum(axis=1) + 2 * overall) / (here.sum(axis=1) + 2))
    return np.minimum.reduce(shares), shares[0]


def _titles(one: Sample, other: Sample) -> F64:
    """How much of the shorter headline is in the other; `UNKNOWN` without headlines."""
    found, asked = _found(one, other)
    back, asked_back = _found(other, one)
    known = (one.totals > 0) & (other.totals > 0)
    share = np.fmax(_share(found, asked), _share(back, asked_back))
    return np.where(known, share, UNKNOWN)
