"""What is known of how copies were recognised: receipts of their places, and the passages in which two texts differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from worker.dedupe.passages import compare_texts
from worker.model import Record
from worker.state.receipts import Receipt
from worker.store.read import COPIES_LIMIT, latest
from worker.store.sink import Sink

_NOT_PUBLISHED = "0"
"""Version in the receipt of an article that was dropped; its reference is the record that stands for it."""
_VERDICTS = {"revised": "updated", "exact": "duplicate"}
"""Verdicts by relation, of articles whose receipts have expired."""
DROPPED = ("duplicate", "near_duplicate")
"""Verdicts of articles that may not have been published."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a receipt says of a place, and the article it is about where that is known."""

    place: str
    receipt: Receipt
    article: Record | None = None


FindReceipts = Callable[[str], list[Receipt]]
"""The receipts of one place (`origin` or `origin#member`)."""


def told_of_records(records: Iterable[Record], receipts_of: FindReceipts) -> list[Told]:
    """What the receipts say of versions of published records."""
    return [
        told for record in records for told in _told_of(record, receipts_of, lambda one, it: one.reference == it.id)
    ]


def told_of_copies(copies: Iterable[Record], receipts_of: FindReceipts) -> list[Told]:
    """What the receipts say of near copies that were kept instead of being published."""
    return [told for copy in copies for told in _told_of(copy, receipts_of, _is_of_copy)]


def told_of_sightings(heads: Iterable[Record], url: str, receipts_of: FindReceipts) -> list[Told]:
    """What the receipts say of copies that were seen at a URL, exact ones too."""
    places = [(head, seen.origin) for head in heads for seen in head.seen_in if seen.url == url and seen.origin]
    return [
        Told(place, receipt)
        for head, place in places
        for receipt in receipts_of(place)
        if receipt.reference == head.id and receipt.verdict in DROPPED
    ]


def evidence(sink: Sink, told: Told) -> dict[str, Any]:
    """What decided on a copy, JSON-ready: match, features, and passages in common and different; {} for others."""
    receipt = told.receipt
    if not receipt.matched_id:
        return {}
    copy = None if receipt.relation == "exact" else told.article or _article_of(sink, told)
    matched = latest(sink, receipt.matched_id)
    passages = compare_texts(matched.body_text, copy.body_text) if copy and matched else []
    return {
        "relation": receipt.relation,
        "similarity": receipt.similarity,
        "matched_id": receipt.matched_id,
        "matched_headline": matched.headline if matched else None,
        "evidence": receipt.evidence,
        "passages": [asdict(passage) for passage in passages],
    }


def _told_of(article: Record, receipts_of: FindReceipts, is_of: Callable[[Receipt, Record], bool]) -> Sequence[Told]:
    """Receipts about this article; one made of what the article says itself where they have expired.

    The place alone does not tell: entries of a feed move on, and another stands there tomorrow.
    """
    place = article.raw_ref or ""
    kept = [Told(place, receipt, article) for receipt in receipts_of(place) if is_of(receipt, article)]
    if kept or not article.matched_id:
        return kept
    receipt = Receipt(
        verdict=_VERDICTS.get(article.relation or "", "near_duplicate"),
        reference=article.id,
        detail=str(article.version),
        at=article.processed_at,
        relation=article.relation or "",
        similarity=article.similarity,
        matched_id=article.matched_id,
    )
    return [Told(place, receipt, article)]


def _is_of_copy(receipt: Receipt, copy: Record) -> bool:
    return (receipt.matched_id, receipt.similarity) == (copy.matched_id, copy.similarity)


def _article_of(sink: Sink, told: Told) -> Record | None:
    """The article of a receipt: kept beside the record it was taken for a copy of, or published."""
    receipt = told.receipt
    kept = sink.copies(receipt.reference, COPIES_LIMIT)
    dropped = (copy for copy in kept if copy.raw_ref == told.place and _is_of_copy(receipt, copy))
    return next(dropped, None) or (None if receipt.detail == _NOT_PUBLISHED else latest(sink, receipt.reference))
