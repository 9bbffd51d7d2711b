"""Containers: documents that hold documents. Each member becomes a document of its own.

    bytes ──► detect ──► opener ──► parts ──► a document for each, or opened in turn

What is packed is read piece by piece and never further than the limits; what could be read of a damaged
container is kept, and a document that is refused when it is parsed says what was lost.
A new container is one function and one line in `OPENERS`. A JSON array is one only where it is large.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from worker.errors import Rejected
from worker.model import Document
from worker.parse.detect import CSV, JSON, JSON_LINES, MBOX, detect_media_type, document_name
from worker.parse.open_archive import open_tar, open_zip
from worker.parse.open_compressed import open_bzip2, open_gzip, open_xz, open_zstd
from worker.parse.open_json_array import LARGE_BYTES, is_large_list, open_json_array
from worker.parse.open_lines import open_json_lines
from worker.parse.open_mbox import open_mbox
from worker.parse.open_parquet import open_parquet
from worker.parse.open_table import open_table
from worker.parse.open_warc import open_warc
from worker.parse.unpacking import Again, Budget, ContainerLimits, MemberStream, Opener, Part, refused

__all__ = ["OPENERS", "ContainerLimits", "is_container", "open_container"]

OPENERS: dict[str, Opener] = {
    JSON_LINES: open_json_lines,
    CSV: open_table,
    MBOX: open_mbox,
    "application/vnd.apache.parquet": open_parquet,
    "application/gzip": open_gzip,
    "application/x-bzip2": open_bzip2,
    "application/x-xz": open_xz,
    "application/zstd": open_zstd,
    "application/zip": open_zip,
    "application/x-tar": open_tar,
    "application/warc": open_warc,
    "application/x-arc": open_warc,
}

_HEAD_BYTES = 32 * 1024
"""How much of a member is looked at to tell what it is."""
_NO_LIMITS = ContainerLimits()


def is_container(media_type: str) -> bool:
    """Whether documents of a media type always hold documents."""
    return media_type in OPENERS


def open_container(
    document: Document, content: bytes | BinaryIO, limits: ContainerLimits = _NO_LIMITS
) -> Iterator[Document] | None:
    """A document and its bytes (or a stream of them) -> what it holds, however deep; None for no container.

    Each member has its bytes in `content`. What is lost (damage, a limit, encryption) is a document with
    `refused` set. Containers without members give nothing. Never raises for what is in the bytes; an OSError of
    the stream passes through.
    """
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    opener, _ = _opener(document, stream)
    stream.seek(0)
    return _open(opener, document, stream, Budget(limits), 1) if opener is not None else None


def _opener(document: Document, stream: BinaryIO) -> tuple[Opener | None, bytes]:
    """What opens a document, None where it is no container; and what was read of it to tell that."""
    head = stream.read(_HEAD_BYTES)
    media_type = detect_media_type(head, document.media_type, document_name(document))
    if media_type == JSON:
        head += stream.read(LARGE_BYTES - len(head))
        return (open_json_array if is_large_list(head, document) else None), head
    return OPENERS.get(media_type), head


def _open(opener: Opener, container: Document, stream: BinaryIO, budget: Budget, depth: int) -> Iterator[Document]:
    """All that a container holds; `depth` counts the containers around its members."""
    try:
        for part in opener(container, stream, budget):
            budget.take_member()
            yield from _read(part, budget, depth)
            if budget.spent:
                return
    except Rejected as error:
        yield refused(container, error)


def _read(part: Part, budget: Budget, depth: int) -> Iterator[Document]:
    """One part -> its document, or what it holds where it is a container itself; then what was lost of it."""
    source = MemberStream(part)
    stream = io.BufferedReader(source, _HEAD_BYTES)
    opener, head = _opener(part.document, stream)
    rest: BinaryIO = io.BufferedReader(Again(head, stream), _HEAD_BYTES)
    if opener is None:
        yield from _whole(part.document, rest, source, budget)
    elif depth >= budget.limits.depth:
        yield refused(part.document, Rejected("nested_too_deep", f"more than {depth} containers in each other"))
        return
    else:
        yield from _open(opener, part.document, rest, budget, depth + 1)
    if source.problem is not None:
        yield refused(part.document, source.problem)


def _whole(document: Document, stream: BinaryIO, source: MemberStream, budget: Budget) -> Iterator[Document]:
    """A member that is no container, unless there is too much of it. What came before damage is kept."""
    content = stream.read(budget.limits.member_bytes + 1)
    if len(content) > budget.limits.member_bytes:
        yield refused(document, Rejected("too_large", f"more than {budget.limits.member_bytes} bytes unpacked"))
    elif source.problem is None or (content and source.problem.code == "truncated_container"):
        yield msgspec.structs.replace(document, content=content, content_ref=None, size_bytes=len(content))
