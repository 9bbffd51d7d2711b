"""JSONL as a container: a JSON document for each line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from worker.errors import Rejected
from worker.model import Document
from worker.parse.detect import JSON
from worker.parse.unpacking import Budget, Part, part_name

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def open_json_lines(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
    """JSONL -> a JSON document for each line that is not blank; `member` is the line's index from 0."""
    limit = budget.limits.member_bytes
    index = 0
    while line := stream.readline(limit + 1):
        content = (line.removeprefix(_BYTE_ORDER_MARK) if index == 0 else line).strip()
        name = part_name(document, index)
        template = msgspec.structs.replace(document, member=name, media_type=JSON, encoding_declared=None)
        if len(line) > limit:
            yield Part(template, problem=Rejected("too_large", f"a line of more than {limit} bytes"))
            _skip_line(stream, limit)
        elif content:
            yield Part(template, iter((content,)))
        index += 1


def _skip_line(stream: BinaryIO, step: int) -> None:
    while (piece := stream.readline(step)) and not piece.endswith(b"\n"):
        pass
