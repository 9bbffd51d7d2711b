"""The life of one document: what is stored, where its copies were seen, receipts, dead letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from worker.desk import Desk
from worker.model import DeadLetter
from worker.operate.evidence import Told, evidence, told_of_copies, told_of_records, told_of_sightings
from worker.secrets import mask
from worker.state.letters import Filter
from worker.state.receipts import Receipt, find_receipts
from worker.store.read import FIND_LIMIT, lookup, versions
from worker.store.sink import Sink

LETTERS_LOOKED_AT = 5000
"""Dead letters searched for a path or URL, newest first."""
PUBLISHED_OR_SEEN = ("stored", "updated", "duplicate", "near_duplicate")
"""Verdicts whose receipt names a record."""
MEMBERS_LOOKED_AT = 50
"""Members of a feed or container whose receipts are looked up when only its path or URL is named."""


def explain(desk: Desk, sink: Sink, text: str) -> dict[str, Any]:
    """Everything known about a record id (or its beginning), a URL, or the path of a file, as JSON-ready values.

    `records` are stored versions with provenance, `copies` near copies that were kept instead of being published,
    `receipts` what became of documents from these places during the last days, `letters` what was refused or buried.
    All empty where nothing is known.
    """
    # What was refused is filed without the keys of its address.
    origins = {text, str(Path(text).absolute())} if "://" not in text else {text, mask(text)}
    found, copies, heads = lookup(sink, text), sink.find_copies(text, FIND_LIMIT), sink.seen_at(text, FIND_LIMIT)
    lives = [version for record in found for version in versions(sink, record.id)]
    told = _told(desk, origins)
    told += told_of_records(lives, lambda place: _receipts(desk, place))
    told += told_of_copies(copies, lambda place: _receipts(desk, place))
    told += told_of_sightings(heads, text, lambda place: _receipts(desk, place))
    # A place may be named by the question and by what was found there.
    told = list({(one.place, one.receipt): one for one in told}.values())
    named = {record.id for record in found}
    references = [head.id for head in heads] + [copy.matched_id or "" for copy in copies]
    references += [one.receipt.reference for one in told if one.receipt.verdict in PUBLISHED_OR_SEEN]
    added = [record for name in dict.fromkeys(references) if name not in named for record in lookup(sink, name)]
    lives += [version for record in added for version in versions(sink, record.id)]
    letters = [
        letter
        for letter in desk.letters.find(Filter(), limit=LETTERS_LOOKED_AT)
        if letter.document.origin in origins or letter.id == text
    ]
    return {
        "query": text,
        "records": [msgspec.to_builtins(version) for version in lives],
        "copies": [msgspec.to_builtins(copy) for copy in copies],
        "receipts": [_receipt_row(one) | evidence(sink, one) for one in told],
        "letters": [_letter_row(letter) for letter in letters],
    }


def _told(desk: Desk, origins: set[str]) -> list[Told]:
    """What is filed under these origins and their members."""
    names = [(origin, *(f"{origin}#{index}" for index in range(MEMBERS_LOOKED_AT))) for origin in sorted(origins)]
    return [Told(place, receipt) for places in names for place in places for receipt in _receipts(desk, place)]


def _receipts(desk: Desk, place: str) -> list[Receipt]:
    return find_receipts(desk.redis, desk.keys, place, None, desk.settings.memory.receipt_days)


def _receipt_row(told: Told) -> dict[str, Any]:
    return {
        "verdict": told.receipt.verdict,
        "reference": told.receipt.reference,
        "detail": told.receipt.detail,
        "at": told.receipt.at.isoformat(),
        "place": told.place,
    }


def _letter_row(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "verdict": letter.verdict,
        "stage": letter.stage,
        "code": letter.code,
        "detail": letter.detail,
        "at": letter.at.isoformat(),
        "origin": letter.document.origin,
        "member": letter.document.part,
    }
