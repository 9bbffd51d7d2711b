"""Where containers are opened: one file -> the documents in it.

Containers are read piece by piece, whatever their size, by the parse floor's openers and within
`limits.container`. What a container lost stands as a document that the parse stage refuses, with the container's
own bytes. JSONL is read by lines here, so that an interrupted intake can go on where it was.
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
from worker.parse.containers import open_container
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

    `start` is the position of an earlier piece of the same unchanged file (in a container: how many documents
    came before, as `line`). Raises Failed("unreadable"), also in
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
    else:
        stream.seek(0)
        done = start.line if start else 0
        for index, member in enumerate(open_container(document, stream, settings.limits.container) or ()):
            empty = False
            if index >= done:
                yield _kept(member, document, head, stream, settings, spool), Position(0, index + 1)
    if empty:
        # A container without members is judged by the parse stage like any other document.
        yield take_bytes(document, head, stream, settings, spool), None


def _kept(
    member: Document, container: Document, head: bytes, stream: BinaryIO, settings: Settings, spool: Spool
) -> Document:
    """A member as it may travel; what tells that the container lost something has the container's own bytes."""
    if member.refused is None or member.member is not None:
        return keep_inline_or_spool(member, settings, spool)
    here = stream.tell()
    whole = take_bytes(container, head, stream, settings, spool)
    stream.seek(here)
    return msgspec.structs.replace(whole, refused=member.refused)


def _mark_last(documents: Iterator[tuple[Document, Position | None]]) -> Iterator[Piece]:
    held: Piece | None = None
    for document, position in documents:
        if held is not None:
            yield held
        held = Piece(document=document, position=position)
    if held is not None:
        yield msgspec.structs.replace(held, last=True)
