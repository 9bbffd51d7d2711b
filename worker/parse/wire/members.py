"""Items of a document that holds several: each is named by its index, and a bad one costs itself only."""

from __future__ import annotations

from collections.abc import Callable

from worker.errors import Failed, Rejected
from worker.model import Article, Document, Refusal
from worker.parse.refusals import parse_error, refusal
from worker.parse.unpacking import part_name

Member = int | str | None


def read_member(read: Callable[[Member], Article], document: Document, index: int | None) -> Article | Refusal:
    """Read one item; `index` is None where the document holds only this one, and then errors go through.

    Within a member of a container the name is `<member>/<index>`.
    """
    if index is None:
        return read(None)
    member = part_name(document, index)
    try:
        return read(member)
    except Rejected as error:
        return refusal(error, member)
    except (Failed, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - a parser's bug must cost this one only
        return parse_error(error, member)
