"""JSONL of any size, line by line: never more than one line's inline bytes in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from worker.config import Settings
from worker.model import Document
from worker.parse.detect import JSON
from worker.state.spool import Spool

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Position(NamedTuple):
    """A place between two lines: bytes before it, and the index of the line after it."""

    offset: int = 0
    line: int = 0


class _Line:
    """The bytes of one long line as a stream: what was read of it, then the rest up to its end."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream
        self.consumed = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the line, without its line break; empty at its end."""
        if self._ended:
            return b""
        chunk = self._head or self._stream.readline(size)
        self._head = b""
        self.consumed += len(chunk)
        self._ended = not chunk or chunk.endswith(b"\n")
        return chunk.removesuffix(b"\n")


def documents_of_lines(
    stream: BinaryIO, document: Document, settings: Settings, spool: Spool, start: Position | None = None
) -> Iterator[tuple[Document, Position]]:
    """A JSON document for each line that is not blank, with the position behind it.

    The stream stands at `start` (its beginning by default); `member` is the line's index from 0, blank lines
    counted. A line above `limits.inline_bytes` goes to the spool piece by piece, however long it is: above
    `limits.document_bytes` the parse stage refuses it, and its bytes are kept. OSError passes through.
    """
    offset, index = start or Position()
    limit = settings.limits.inline_bytes
    while head := stream.readline(limit + 1):
        template = msgspec.structs.replace(document, member=index, media_type=JSON)
        if len(head) <= limit or head.endswith(b"\n"):
            consumed = len(head)
            content = (head.removeprefix(BYTE_ORDER_MARK) if offset == 0 else head).strip()
            found = msgspec.structs.replace(template, content=content, size_bytes=len(content)) if content else None
        else:
            line = _Line(head, stream)
            ref = spool.put(line)
            consumed = line.consumed
            found = msgspec.structs.replace(template, content_ref=ref, size_bytes=spool.size(ref))
        offset, index = offset + consumed, index + 1
        if found is not None:
            yield found, Position(offset, index)
