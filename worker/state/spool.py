"""Large documents wait on disk: the ledger carries a reference, the bytes lie here.

An object is written under a temporary name, flushed to the disk and renamed, so a reference that exists
names whole bytes. Every `put` gives a new reference, also for equal bytes: each has one owner, and deleting
one can never take the bytes of another.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from worker.errors import Failed, StateError

CHUNK_BYTES = 1 << 20
"""How much of a document is in memory while it is copied."""
SCHEME = "spool:"
_REFERENCE = re.compile(r"spool:([0-9a-f]{16}-[0-9a-f]{32})")
_UNFINISHED = ".unfinished-"


class Readable(Protocol):
    """Anything bytes can be read from piece by piece."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""


class Spool:
    """Documents in one directory, which is made on the first `put`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, content: bytes | Readable) -> str:
        """Bytes or a stream -> a new reference `spool:<digest>-<unique>`; the bytes are on disk on return.

        Raises StateError where the spool cannot take them; what reading the stream raises passes through.
        """
        unfinished = self.directory / f"{_UNFINISHED}{uuid.uuid4().hex}"
        try:
            with _as_state_error("open"):
                self.directory.mkdir(parents=True, exist_ok=True)
                target = unfinished.open("xb")
            try:
                digest = _copy(content, target)
            finally:
                # What a full disk refused is still in the buffer, and is refused again here.
                with _as_state_error("close"):
                    target.close()
            name = f"{digest[:16]}-{uuid.uuid4().hex}"
            with _as_state_error("finish"):
                unfinished.rename(self.directory / name)
                _flush_directory(self.directory)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        return SCHEME + name

    def open(self, ref: str) -> BinaryIO:
        """The object as a binary stream; raises Failed("unreadable") where it is missing or unreadable."""
        try:
            return self._path(ref).open("rb")
        except OSError as error:
            raise Failed("unreadable", f"{ref}: {error.strerror}") from error

    def read(self, ref: str) -> bytes:
        """The whole object; raises Failed("unreadable") where it is missing or unreadable."""
        with self.open(ref) as stream:
            try:
                return stream.read()
            except OSError as error:
                raise Failed("unreadable", f"{ref}: {error.strerror}") from error

    def size(self, ref: str) -> int:
        """The object's size in bytes; raises Failed("unreadable") where it is missing."""
        try:
            return self._path(ref).stat().st_size
        except OSError as error:
            raise Failed("unreadable", f"{ref}: {error.strerror}") from error

    def delete(self, ref: str) -> None:
        """Remove the object; one that is gone already is no error. Raises StateError where it cannot be removed."""
        with _as_state_error("delete"):
            self._path(ref).unlink(missing_ok=True)

    def references_older_than(self, seconds: float) -> Iterator[str]:
        """References written at least that long ago: those without an owner are garbage."""
        for path in self._older_than(seconds):
            if _REFERENCE.fullmatch(SCHEME + path.name):
                yield SCHEME + path.name

    def remove_unfinished(self, seconds: float) -> int:
        """Remove what crashed writers left at least that long ago; how many there were."""
        paths = [path for path in self._older_than(seconds) if path.name.startswith(_UNFINISHED)]
        with _as_state_error("clean"):
            for path in paths:
                path.unlink(missing_ok=True)
        return len(paths)

    def _older_than(self, seconds: float) -> Iterator[Path]:
        limit = time.time() - seconds
        if not self.directory.is_dir():
            return
        for path in self.directory.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= limit:
                    yield path

    def _path(self, ref: str) -> Path:
        match = _REFERENCE.fullmatch(ref)
        if not match:
            raise Failed("unreadable", f"{ref!r} is no spool reference")
        return self.directory / match[1]


def _copy(content: bytes | Readable, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in [content] if isinstance(content, bytes) else _chunks(content):
        digest.update(chunk)
        with _as_state_error("write"):
            target.write(chunk)
    with _as_state_error("flush"):
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _chunks(stream: Readable) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _as_state_error(step: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"the spool cannot {step} {error.filename or 'an object'}: {error.strerror}") from error
