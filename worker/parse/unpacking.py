"""What all containers share: the parts they are made of, the limits, and what is said where one breaks.

An opener gives `Part`s: a document without its bytes yet, and the bytes in pieces as they are unpacked. Pieces
end early by raising `Rejected`; what was read until then is kept. Nothing is ever unpacked beyond the limits.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from worker.errors import Rejected
from worker.model import Document, Refusal

PIECE_BYTES = 64 * 1024
"""How much is read, and at most unpacked, in one step."""

_RATIO_FROM_BYTES = 10_000_000
"""Below this much a high ratio is harmless (an empty spreadsheet, a log of one line)."""
_NAME_CHARACTERS = 500
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_SYSTEM_FILES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


class ContainerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for one container with all that is nested in it; sizes are of unpacked bytes.

    `ratio` is unpacked to packed bytes of one compressed stream (text reaches 5 to 30, deflate's bombs 1,000).
    """

    member_bytes: int = 50_000_000
    total_bytes: int = 20_000_000_000
    ratio: float = 200.0
    members: int = 1_000_000
    depth: int = 5


class Part(msgspec.Struct, frozen=True):
    """A member as its container lists it: its document, and its bytes in pieces or why it has none."""

    document: Document
    pieces: Iterator[bytes] = iter(())
    problem: Rejected | None = None


class Budget:
    """What one container may still unpack. `spent` once it is used up: nothing more is opened."""

    def __init__(self, limits: ContainerLimits) -> None:
        self.limits = limits
        self.spent = False
        self._members = 0
        self._bytes = 0

    def take_member(self) -> None:
        """Count a member; raises Rejected `too_many_members`."""
        self._members += 1
        if self._members > self.limits.members:
            self.spent = True
            raise Rejected("too_many_members", f"more than {self.limits.members} members")

    def take_bytes(self, size: int, unpacked: int, packed: int) -> None:
        """Count `size` more bytes of a stream that gave `unpacked` from `packed`; raises `expansion_limit`."""
        self._bytes += size
        if self._bytes > self.limits.total_bytes:
            self.spent = True
            raise Rejected("expansion_limit", f"unpacks to more than {self.limits.total_bytes} bytes")
        if unpacked > _RATIO_FROM_BYTES and unpacked > packed * self.limits.ratio:
            raise Rejected("expansion_limit", f"unpacks to more than {self.limits.ratio:g} times its size")


Opener = Callable[[Document, BinaryIO, Budget], Iterator[Part]]
"""A container's document, its bytes and the budget -> its parts, each read before the next is asked for."""


class MemberStream(io.RawIOBase):
    """The pieces of a part as a stream that never raises: it ends early, and `problem` says why."""

    def __init__(self, part: Part) -> None:
        self.problem = part.problem
        self._pieces = part.pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Up to `len(buffer)` bytes, at least one before the end."""
        view = memoryview(buffer)
        while not self._rest and self.problem is None:
            try:
                piece = next(self._pieces, None)
            except Rejected as error:
                # A new one: the traceback would keep all that was unpacked so far in memory.
                self.problem = Rejected(error.code, error.detail)
                self._pieces = iter(())
                break
            if piece is None:
                break
            self._rest = piece
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class Again(io.RawIOBase):
    """A stream whose beginning was read already, from its beginning."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        piece = self._head[: len(view)] or self._stream.read(len(view))
        self._head = self._head[len(view) :]
        view[: len(piece)] = piece
        return len(piece)


def pieces_of(stream: BinaryIO) -> Iterator[bytes]:
    """A stream -> its bytes in pieces."""
    while piece := stream.read(PIECE_BYTES):
        yield piece


def part_name(document: Document, name: int | str) -> int | str:
    """A part of a document (an index from 0, a path) as `member` names it."""
    return name if document.member is None else f"{document.member}/{name}"


def member_of(document: Document, name: str) -> Document:
    """The document of a member that its container calls `name`."""
    return msgspec.structs.replace(
        document,
        content=None,
        content_ref=None,
        size_bytes=0,
        member=part_name(document, clean_name(name)),
        media_type=None,
        encoding_declared=None,
    )


def refused(document: Document, error: Rejected) -> Document:
    """A document that stands for what a container lost: parsing it gives the refusal and nothing else."""
    said = Refusal(verdict="rejected", code=error.code, detail=error.detail, member=document.member)
    return msgspec.structs.replace(document, content=b"", content_ref=None, size_bytes=0, refused=said)


def clean_name(name: str) -> str:
    """A member's name as a relative path that can be shown: no `..`, no drive, no control characters."""
    parts = _DRIVE.sub("", name.replace("\\", "/")).split("/")
    path = "/".join(part for part in parts if part.strip() not in ("", ".", ".."))
    return _UNPRINTABLE.sub("_", path)[-_NAME_CHARACTERS:] or "unnamed"


def is_system_file(name: str) -> bool:
    """Whether a member is hidden or an operating system's own, as the walk of a directory passes over."""
    parts = clean_name(name).split("/")
    return any(part.startswith(".") or part.lower() in _SYSTEM_FILES for part in parts)
