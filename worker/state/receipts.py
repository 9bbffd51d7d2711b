"""Receipts: for a few days, what became of each document, found by where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from worker.state.keys import Keys


def today(days_ago: int = 0) -> str:
    """The UTC day, YYYY-MM-DD."""
    return (datetime.now(UTC) - timedelta(days=days_ago)).date().isoformat()


def receipt_field(origin: str, member: int | str | None) -> bytes:
    """Eight bytes that stand for a place a document came from."""
    name = origin if member is None else f"{origin}#{member}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def receipt_value(verdict: str, reference: str, detail: str) -> str:
    """verdict|record or letter id|version or code|unix seconds: the form publish.lua writes too.

    It adds relation|similarity|matched id|evidence for what was recognised by its text.
    """
    return f"{verdict}|{reference}|{detail}|{datetime.now(UTC).timestamp():.0f}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a document: its verdict, the record or dead letter, the version or error code, and when.

    Where another article decided it: the relation to that one, how similar it is, its record id, and the features that
    decided (`name=value name=value`).
    """

    verdict: str
    reference: str
    detail: str
    at: datetime
    relation: str = ""
    similarity: float | None = None
    matched_id: str = ""
    evidence: str = ""


def find_receipts(redis: Redis, keys: Keys, origin: str, member: int | str | None, days: int) -> list[Receipt]:
    """Receipts of one place over the last `days`, newest first."""
    field = receipt_field(origin, member)
    with redis.pipeline(transaction=False) as pipe:
        for days_ago in range(days):
            pipe.hget(keys.day("receipts", today(days_ago)), field)
        answers: list[Any] = pipe.execute()
    return [read_receipt(answer) for answer in answers if answer]


def read_receipt(value: bytes) -> Receipt:
    """What `receipt_value` or publish.lua wrote."""
    verdict, reference, detail, seconds, *more = value.decode().split("|")
    relation, similarity, matched_id, evidence = more or ("", "", "", "")
    return Receipt(
        verdict=verdict,
        reference=reference,
        detail=detail,
        at=datetime.fromtimestamp(int(seconds), UTC),
        relation=relation,
        similarity=float(similarity) if similarity else None,
        matched_id=matched_id,
        evidence=evidence,
    )
