"""How refusals are made: of a document, of one of its members, of an unexpected exception."""

from __future__ import annotations

import traceback
from typing import Literal

from worker.errors import DocumentError, Rejected
from worker.model import Refusal

_TRACEBACK_CHARACTERS = 8_000
"""How much of a traceback a dead letter keeps: the last frames say what happened."""


def refusal(
    error: DocumentError,
    member: int | str | None = None,
    feed: dict[str, str] | None = None,
) -> Refusal:
    """`Rejected` -> a rejected refusal, `Failed` -> a dead one."""
    verdict: Literal["rejected", "dead"] = "rejected" if isinstance(error, Rejected) else "dead"
    return Refusal(verdict=verdict, code=error.code, detail=error.detail, member=member, feed=feed)


def parse_error(
    error: Exception,
    member: int | str | None = None,
    feed: dict[str, str] | None = None,
) -> Refusal:
    """An unexpected exception -> a dead refusal `parse_error` that keeps its traceback."""
    trace = "".join(traceback.format_exception(error, limit=-20))[-_TRACEBACK_CHARACTERS:]
    detail = f"{type(error).__name__}: {error}"[:500]
    return Refusal(
        verdict="dead",
        code="parse_error",
        detail=detail,
        traceback=trace,
        member=member,
        feed=feed,
    )
