"""A zip archive that lost its directory (cut off while it was sent): its members, one behind the other.

Each member begins with a header of its own (APPNOTE.TXT 4.3.7), so what was sent can be read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from worker.errors import Rejected
from worker.model import Document
from worker.parse.unpacking import PIECE_BYTES, Budget, Part, is_system_file, member_of

_HEADER = struct.Struct("<4sHHHHHIIIHH")
_SIGNATURE = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800


class _Header(NamedTuple):
    name: str
    flags: int
    method: int
    packed: int


def salvage_zip(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
    """The members from the beginning of the stream up to the first that cannot be told from the rest."""
    while (header := _read_header(stream)) is not None:
        start = stream.tell()
        member = member_of(document, header.name)
        known = not header.flags & _SIZES_FOLLOW
        if header.name.endswith("/") or is_system_file(header.name):
            pass
        elif header.flags & _ENCRYPTED:
            yield Part(member, problem=Rejected("encrypted_member"))
        elif header.method == _DEFLATED:
            yield Part(member, _inflated(stream, budget, header.packed if known else None))
        elif header.method == _STORED and known:
            yield Part(member, _stored(stream, header.packed))
        if known:
            stream.seek(start + header.packed)
        elif not _find_next(stream):
            return


def _read_header(stream: BinaryIO) -> _Header | None:
    raw = stream.read(_HEADER.size)
    if len(raw) < _HEADER.size or not raw.startswith(_SIGNATURE):
        return None
    _, _, flags, method, _, _, _, packed, _, name_size, extra_size = _HEADER.unpack(raw)
    name = stream.read(name_size)
    stream.seek(extra_size, 1)
    return _Header(name.decode("utf-8" if flags & _UTF8 else "cp437", "replace"), flags, method, packed)


def _inflated(stream: BinaryIO, budget: Budget, packed: int | None) -> Iterator[bytes]:
    engine = zlib.decompressobj(wbits=-15)
    read = unpacked = 0
    piece = b""
    while not engine.eof:
        waiting = engine.unconsumed_tail
        if not waiting and len(piece) < PIECE_BYTES:
            waiting = stream.read(PIECE_BYTES if packed is None else min(PIECE_BYTES, packed - read))
            read += len(waiting)
            if not waiting:
                raise Rejected("truncated_container", f"ends early, after {unpacked} bytes")
        try:
            piece = engine.decompress(waiting, PIECE_BYTES)
        except zlib.error as error:
            raise Rejected("truncated_container", f"damaged after {unpacked} bytes: {error}") from error
        unpacked += len(piece)
        budget.take_bytes(len(piece), unpacked, read)
        yield piece
    stream.seek(-len(engine.unused_data), 1)


def _stored(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = stream.read(min(PIECE_BYTES, size))
        if not piece:
            raise Rejected("truncated_container", f"ends early, {size} bytes before its end")
        size -= len(piece)
        yield piece


def _find_next(stream: BinaryIO) -> bool:
    """Move to the next header behind a member whose size was not said before it."""
    overlap = len(_SIGNATURE) - 1
    while piece := stream.read(PIECE_BYTES):
        found = piece.find(_SIGNATURE)
        if found >= 0:
            stream.seek(found - len(piece), 1)
            return True
        if len(piece) <= overlap:
            return False
        stream.seek(-overlap, 1)
    return False
