"""One document under gzip, bzip2, xz or zstd: unpacked in steps, so that no bomb is ever unpacked whole."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import brotli
import msgspec
import zstandard

from worker.errors import Rejected
from worker.model import Document
from worker.parse.unpacking import PIECE_BYTES, Again, Budget, Opener, Part, pieces_of

_XZ_MEMORY_BYTES = 128 * 1024 * 1024
"""Memory xz may use: `xz -9` needs 65 MiB, a hostile header asks for gigabytes."""
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024
"""Largest window (`zstd --long=27`, the most that its own command takes without being told)."""
_ZSTD_STEP_BYTES = 512
"""How much zstd is fed in one step: it has no limit of its own, and 4 bytes may stand for a block of 128 KiB."""
_DAMAGE = (zlib.error, OSError, ValueError, lzma.LZMAError, zstandard.ZstdError, brotli.error)
_PADDING = b"\x00\r\n"
"""Bytes that tapes and transfers put behind a stream, and no frame begins with."""
_SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zstd", ".lzma")
_ARCHIVE_SUFFIXES = {".tgz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".tzst": ".tar"}


class Engine(Protocol):
    """A decompressor of one frame, as the standard library's are."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Zlib:
    """zlib's decompressor with the interface of the others: it keeps what it has not read itself."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class _Zstd:
    """zstandard's decompressor, fed so little at once that what it gives stays small."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
        self._waiting = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._waiting

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        self._waiting += data
        while self._waiting and not self._inner.eof:
            step, self._waiting = self._waiting[:_ZSTD_STEP_BYTES], self._waiting[_ZSTD_STEP_BYTES:]
            if unpacked := self._inner.decompress(step):
                return unpacked
        return b""


class _Brotli:
    """brotli's decompressor with the interface of the others; as a content coding it has no frames to follow."""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self._waiting = b""

    @property
    def eof(self) -> bool:
        finished: bool = self._inner.is_finished()
        return finished

    @property
    def unused_data(self) -> bytes:
        return b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        self._waiting += data
        if not self._inner.can_accept_more_data():
            data = b""
        else:
            data, self._waiting = self._waiting, b""
        unpacked: bytes = self._inner.process(data, output_buffer_limit=max_length)
        return unpacked


def _deflate() -> Engine:
    return _Zlib(wbits=zlib.MAX_WBITS)


def _raw_deflate() -> Engine:
    return _Zlib(wbits=-zlib.MAX_WBITS)


def _gzip() -> Engine:
    return _Zlib(wbits=16 + zlib.MAX_WBITS)


def _xz() -> Engine:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)


def decompressed(stream: BinaryIO, start: Callable[[], Engine], budget: Budget) -> Iterator[bytes]:
    """A compressed stream of one or more frames -> its bytes in pieces.

    Zeros and other bytes behind the last frame are passed over, as gzip does. Raises Rejected
    `truncated_container` where the stream ends early or is damaged, and `expansion_limit`.
    """
    engine, waiting, begun = start(), b"", False
    packed = unpacked = 0
    while True:
        try:
            piece = engine.decompress(waiting, PIECE_BYTES)
        except _DAMAGE as error:
            if unpacked and not begun:
                return
            raise Rejected("truncated_container", f"damaged after {unpacked} bytes: {error}") from error
        begun, waiting = begun or bool(waiting), b""
        if piece:
            unpacked += len(piece)
            budget.take_bytes(len(piece), unpacked, packed)
            yield piece
        if engine.eof:
            waiting, engine, begun = engine.unused_data.lstrip(_PADDING), start(), False
        if not waiting and not piece:
            waiting = stream.read(PIECE_BYTES)
            packed += len(waiting)
            if not waiting:
                break
            waiting = waiting if begun else waiting.lstrip(_PADDING)
    if begun or not packed:
        raise Rejected("truncated_container", f"ends early, after {unpacked} bytes")


def opener(start: Callable[[], Engine]) -> Opener:
    """An opener for a kind of compression; `start` makes a decompressor for one frame."""

    def open_compressed(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
        member = document.member
        inner = msgspec.structs.replace(
            document,
            content=None,
            content_ref=None,
            member=without_suffix(member) if isinstance(member, str) else member,
        )
        yield Part(inner, decompressed(stream, start, budget))

    return open_compressed


def without_suffix(name: str) -> str:
    """`page.html.gz` -> `page.html`, `batch.tgz` -> `batch.tar`; other names as they are."""
    stem, dot, suffix = name.rpartition(".")
    if dot + suffix.lower() in _SUFFIXES and stem:
        return stem
    return stem + _ARCHIVE_SUFFIXES[dot + suffix.lower()] if dot + suffix.lower() in _ARCHIVE_SUFFIXES else name


open_gzip = opener(_gzip)
open_bzip2 = opener(bz2.BZ2Decompressor)
open_xz = opener(_xz)
open_zstd = opener(_Zstd)


def decode_content(stream: BinaryIO, coding: str, budget: Budget) -> Iterator[bytes]:
    """HTTP's Content-Encoding undone (RFC 9110, 8.4); what is not so coded although it says so passes as it is."""
    head = stream.read(2)
    start = _CODINGS.get(coding)
    if start is _gzip and head != _GZIP_MAGIC:
        start = None
    if start is _deflate and (len(head) < 2 or head[0] & 0x0F != 8 or int.from_bytes(head, "big") % 31):
        start = _raw_deflate
    whole: BinaryIO = io.BufferedReader(Again(head, stream), PIECE_BYTES)
    return decompressed(whole, start, budget) if start is not None and head else pieces_of(whole)


_GZIP_MAGIC = b"\x1f\x8b"
_CODINGS: dict[str, Callable[[], Engine]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
