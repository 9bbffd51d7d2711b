"""The life of one document: what is stored, where its copies were seen, receipts, dead letters."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from worker.dedupe.passages import compare_texts
from worker.desk import Desk
from worker.model import Record
from worker.secrets import mask
from worker.state.letters import Filter
from worker.state.receipts import Receipt, find_receipts
from worker.store.read import latest, lookup, versions
from worker.store.sink import Sink

LETTERS_LOOKED_AT = 5000
"""Dead letters searched for a path or URL, newest first."""
PUBLISHED_OR_SEEN = ("stored", "updated", "duplicate", "near_duplicate")
"""Verdicts whose receipt names a record."""
COPIES_LOOKED_AT = 1000
"""Kept copies of one record among which that of a receipt is looked for."""
MEMBERS_LOOKED_AT = 50
"""Members of a feed or container whose receipts are looked up when only its path or URL is named."""


def explain(desk: Desk, sink: Sink, text: str) -> dict[str, Any]:
    """Everything known about a record id (or its beginning), a URL, or the path of a file, as JSON-ready values.

    `records` are stored versions with provenance, `receipts` what became of documents from that place during
    the last days, `letters` what was refused or buried. All empty where nothing is known.
    """
    # What was refused is filed without the keys of its address.
    origins = {text, str(Path(text).absolute())} if "://" not in text else {text, mask(text)}
    receipts = [receipt for origin in sorted(origins) for receipt in _receipts(desk, origin)]
    found = lookup(sink, text)
    named = {record.id for record in found}
    for receipt in receipts:
        if receipt.verdict in PUBLISHED_OR_SEEN and receipt.reference not in named:
            found += lookup(sink, receipt.reference)
            named.add(receipt.reference)
    letters = [
        letter
        for letter in desk.letters.find(Filter(), limit=LETTERS_LOOKED_AT)
        if letter.document.origin in origins or letter.id == text
    ]
    return {
        "query": text,
        "records": [msgspec.to_builtins(version) for record in found for version in versions(sink, record.id)],
        "receipts": [_receipt_row(receipt) | _evidence(sink, receipt, origins) for receipt in receipts],
        "letters": [
            {
                "id": letter.id,
                "verdict": letter.verdict,
                "stage": letter.stage,
                "code": letter.code,
                "detail": letter.detail,
                "at": letter.at.isoformat(),
                "origin": letter.document.origin,
                "member": letter.document.part,
            }
            for letter in letters
        ],
    }


def _receipts(desk: Desk, text: str) -> list[Receipt]:
    days = desk.settings.memory.receipt_days
    # `path#member` needs no taking apart: a receipt is filed under just that name.
    places: list[tuple[str, int | None]] = [(text, None)]
    places += [(text, index) for index in range(MEMBERS_LOOKED_AT)]
    return [receipt for place, part in places for receipt in find_receipts(desk.redis, desk.keys, place, part, days)]


def _receipt_row(receipt: Receipt) -> dict[str, Any]:
    return {
        "verdict": receipt.verdict,
        "reference": receipt.reference,
        "detail": receipt.detail,
        "at": receipt.at.isoformat(),
    }


def _evidence(sink: Sink, receipt: Receipt, origins: set[str]) -> dict[str, Any]:
    """What decided on a copy: the match, the features, and the passages in which the two texts agree and differ."""
    if not receipt.matched_id:
        return {}
    copy, matched = _copy_of(sink, receipt, origins), latest(sink, receipt.matched_id)
    passages = compare_texts(matched.body_text, copy.body_text) if copy and matched else []
    return {
        "relation": receipt.relation,
        "similarity": receipt.similarity,
        "matched_id": receipt.matched_id,
        "matched_headline": matched.headline if matched else None,
        "evidence": receipt.evidence,
        "passages": [asdict(passage) for passage in passages],
    }


def _copy_of(sink: Sink, receipt: Receipt, origins: set[str]) -> Record | None:
    """The article of the receipt: published, or kept beside the record it was taken for a copy of."""
    kept = sink.copies(receipt.reference, COPIES_LOOKED_AT)
    places = tuple(origins)
    dropped = (copy for copy in kept if (copy.raw_ref or "").startswith(places) or copy.url in origins)
    return next(dropped, None) or (latest(sink, receipt.reference) if receipt.reference != receipt.matched_id else None)
