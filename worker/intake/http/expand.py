"""Content codings: bodies expanded piece by piece, never more than a step's worth beyond the limit: pure.

Accepted is one coding of gzip, br and zstd. A zstd window is at most 8 MB (RFC 9659), a brotli window 16 MB.
"""

from __future__ import annotations

import zlib
from typing import Protocol

import brotli
from backports import zstd

from worker.errors import FetchError

ACCEPT_ENCODING = "gzip, br, zstd"
STEP_BYTES = 65_536
"""Most that one step of a decompressor gives."""
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
_GZIP_START = b"\x1f"
_DAMAGE = (zlib.error, brotli.error, zstd.ZstdError, EOFError)


class Expander(Protocol):
    """Takes the bytes of one body as they come."""

    def expand(self, chunk: bytes) -> list[bytes]:
        """What the chunk gives; raises FetchError("too_large") beyond the limit, ("network") for damage."""

    def finish(self) -> None:
        """The body has ended; raises FetchError("network") where it ended in the middle."""


class Count:
    """Counts what came out, up to the limit."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.total = 0

    def add(self, size: int) -> None:
        """Raises FetchError("too_large") beyond the limit."""
        self.total += size
        if self.total > self.most_bytes:
            raise FetchError("too_large", f"expands to more than {self.most_bytes} bytes")


class Plain:
    """No coding."""

    def __init__(self, most_bytes: int) -> None:
        self._count = Count(most_bytes)

    def expand(self, chunk: bytes) -> list[bytes]:
        self._count.add(len(chunk))
        return [chunk]

    def finish(self) -> None:
        """Nothing can be missing."""


class Gzip:
    """One gzip member or several; what follows the last and is no member is padding."""

    def __init__(self, most_bytes: int) -> None:
        self._count = Count(most_bytes)
        self._inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._started = self._padding = False

    def expand(self, chunk: bytes) -> list[bytes]:
        out: list[bytes] = []
        rest = chunk
        while (rest or self._inflater.unconsumed_tail) and not self._padding:
            if self._inflater.eof:
                self._padding = not rest.startswith(_GZIP_START)
                if self._padding:
                    break
                self._inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            piece = self._inflater.decompress(rest, STEP_BYTES)
            self._started = True
            self._count.add(len(piece))
            out.append(piece)
            rest = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        return out

    def finish(self) -> None:
        if self._started and not self._inflater.eof:
            raise FetchError("network", "gzip ends in the middle")


class Brotli:
    """One brotli stream."""

    def __init__(self, most_bytes: int) -> None:
        self._count = Count(most_bytes)
        self._inner = brotli.Decompressor()
        self._started = False

    def expand(self, chunk: bytes) -> list[bytes]:
        self._started = self._started or bool(chunk)
        out = [self._inner.process(chunk, output_buffer_limit=STEP_BYTES)]
        self._count.add(len(out[0]))
        while not self._inner.can_accept_more_data():
            out.append(self._inner.process(b"", output_buffer_limit=STEP_BYTES))
            self._count.add(len(out[-1]))
        return out

    def finish(self) -> None:
        if self._started and not self._inner.is_finished():
            raise FetchError("network", "br ends in the middle")


class Zstd:
    """One zstd frame or several."""

    def __init__(self, most_bytes: int) -> None:
        self._count = Count(most_bytes)
        self._inner = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
        self._started = False

    def expand(self, chunk: bytes) -> list[bytes]:
        out: list[bytes] = []
        rest = chunk
        while rest or not (self._inner.needs_input or self._inner.eof):
            if self._inner.eof:
                self._inner = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
            self._started = True
            out.append(self._inner.decompress(rest, STEP_BYTES))
            self._count.add(len(out[-1]))
            rest = self._inner.unused_data if self._inner.eof else b""
        return out

    def finish(self) -> None:
        if self._started and not self._inner.eof:
            raise FetchError("network", "zstd ends in the middle")


class Guarded:
    """An expander whose damage is a FetchError."""

    def __init__(self, coding: str, inner: Expander) -> None:
        self._coding = coding
        self._inner = inner

    def expand(self, chunk: bytes) -> list[bytes]:
        try:
            return self._inner.expand(chunk)
        except _DAMAGE as error:
            raise FetchError("network", f"broken {self._coding}: {error}") from error

    def finish(self) -> None:
        self._inner.finish()


_CODINGS: dict[str, type[Gzip | Brotli | Zstd]] = {"gzip": Gzip, "x-gzip": Gzip, "br": Brotli, "zstd": Zstd}


def expander_for(codings: list[bytes], most_bytes: int) -> Expander:
    """The expander for a body with these Content-Encoding headers; raises FetchError("network") for another coding.

    More than one coding is refused: nobody needs two, and they multiply what a small body can cost.
    """
    names = [name.strip().lower() for header in codings for name in header.decode("latin-1").split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return Plain(most_bytes)
    if len(names) > 1 or names[0] not in _CODINGS:
        raise FetchError("network", f"answers in the encoding {', '.join(names)[:60]!r}, which was not asked for")
    return Guarded(names[0], _CODINGS[names[0]](most_bytes))
