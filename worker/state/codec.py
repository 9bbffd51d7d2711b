"""Documents and articles as they lie in a batch: one version byte, then zstd over MessagePack.

An unknown version raises StateError and leaves the batch where it is: a newer copydesk wrote it, and a newer
worker will read it.
"""

from __future__ import annotations

import msgspec
import zstandard

from worker.errors import StateError
from worker.model import Article, DeadLetter, Document

VERSION = b"\x01"
_LEVEL = 3
"""zstd's default: the ledger is short-lived, so speed counts more than the last percent."""


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One article of a parsed batch, and the index of the document it came from."""

    document: int
    article: Article


def pack_documents(documents: tuple[Document, ...]) -> bytes:
    """Documents -> bytes."""
    return _pack(documents)


def unpack_documents(data: bytes) -> tuple[Document, ...]:
    """What `pack_documents` made; raises StateError for bytes of another version."""
    return msgspec.msgpack.decode(_body(data), type=tuple[Document, ...])


def pack_items(items: tuple[Item, ...]) -> bytes:
    """Parsed articles -> bytes."""
    return _pack(items)


def unpack_items(data: bytes) -> tuple[Item, ...]:
    """What `pack_items` made; raises StateError for bytes of another version."""
    return msgspec.msgpack.decode(_body(data), type=tuple[Item, ...])


def pack_letter(letter: DeadLetter) -> bytes:
    """Dead letter -> bytes."""
    return _pack(letter)


def unpack_letter(data: bytes) -> DeadLetter:
    """What `pack_letter` made; raises StateError for bytes of another version."""
    return msgspec.msgpack.decode(_body(data), type=DeadLetter)


def _pack(value: object) -> bytes:
    return VERSION + zstandard.ZstdCompressor(level=_LEVEL).compress(msgspec.msgpack.encode(value))


def _body(data: bytes) -> bytes:
    if data[:1] != VERSION:
        raise StateError(f"batch written by another version of copydesk (format {data[:1]!r}); update this worker")
    return zstandard.ZstdDecompressor().decompress(data[1:])
