"""Where containers are opened: one file -> the documents in it.

JSONL is streamed whatever its size. Other containers are opened in memory by the parse floor's openers, up to
`limits.document_bytes`; a larger one stays one document, which the parse stage refuses as too large.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from worker.config import Settings
from worker.intake.files import document_of, keep_inline_or_spool, open_regular, reading, take_bytes
from worker.intake.lines import Position, documents_of_lines
from worker.model import Document, Source
from worker.parse.containers import OPENERS, open_container
from worker.parse.detect import JSON_LINES, detect_media_type
from worker.state.spool import Spool


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a file. `last` where the file ends with it; `position` where reading can go on behind it."""

    document: Document
    last: bool = False
    position: Position | None = None


def read_documents(
    path: Path,
    source: Source,
    settings: Settings,
    spool: Spool,
    now: datetime,
    *,
    origin: Path | None = None,
    start: Position | None = None,
) -> Iterator[Piece]:
    """The documents of one file, at least one; `origin` is the path to name where the file was moved since.

    `start` is the position of an earlier piece of the same unchanged file. Raises Failed("unreadable"), also in
    the middle, and StateError where the spool cannot take a document.
    """
    document = document_of(source, origin or path, now)
    with open_regular(path) as stream, reading(path):
        yield from _mark_last(_open(stream, document, settings, spool, start))


def _open(
    stream: BinaryIO, document: Document, settings: Settings, spool: Spool, start: Position | None
) -> Iterator[tuple[Document, Position | None]]:
    head = stream.read(settings.limits.inline_bytes + 1)
    kind = detect_media_type(head, name=document.origin)
    empty = True
    if kind == JSON_LINES and len(head) > settings.limits.inline_bytes:
        stream.seek(start.offset if start else 0)
        for line in documents_of_lines(stream, document, settings, spool, start):
            empty = False
            yield line
    if empty:
        whole = take_bytes(document, head, stream, settings, spool)
        for member in _members(whole, settings, spool) if kind in OPENERS else ():
            empty = False
            yield member, None
    if empty:
        # A container without members is judged by the parse stage like any other document.
        yield whole, None


def _members(container: Document, settings: Settings, spool: Spool) -> Iterator[Document]:
    """The members of a container; its own spool object is dropped behind the last of them."""
    if container.size_bytes > settings.limits.document_bytes:
        return
    ref = container.content_ref
    content = spool.read(ref) if ref else container.content or b""
    empty = True
    for member in open_container(container, content) or ():
        empty = False
        yield keep_inline_or_spool(member, settings, spool)
    if ref and not empty:
        spool.delete(ref)


def _mark_last(documents: Iterator[tuple[Document, Position | None]]) -> Iterator[Piece]:
    held: Piece | None = None
    for document, position in documents:
        if held is not None:
            yield held
        held = Piece(document=document, position=position)
    if held is not None:
        yield msgspec.structs.replace(held, last=True)
