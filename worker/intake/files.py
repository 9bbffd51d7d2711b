"""Files as documents: which ones there are, and their bytes.

Only regular files are ever read. Inside a directory, names that begin with a dot, symbolic links, FIFOs,
devices and sockets are passed over; a path somebody names is taken at its word, so a link is followed there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from worker.config import Settings
from worker.errors import Failed
from worker.model import Document, Source
from worker.state.spool import Spool

Report = Callable[[Path, Failed], None]
"""Told of each path that could not be looked at."""
FILE_FIELD = "file:"
"""What the fields of the poll state that remember files begin with."""
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNREPRESENTABLE = re.compile(r"[\\\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|x[0-9a-f]{2})")


def walk(paths: Iterable[Path], report: Report) -> Iterator[Path]:
    """Absolute paths of the files named and of those in the directories named, each directory in name order.

    A named path that is missing and a directory that cannot be listed are told to `report`, and the walk goes on.
    """
    for path in paths:
        named = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps ".." in the origin
        try:
            named = named.resolve(strict=True) if named.is_symlink() else named
            if not stat.S_ISDIR(named.lstat().st_mode):
                yield named
                continue
        except (OSError, ValueError, RuntimeError) as error:
            report(named, unreadable(named, error))
            continue
        yield from walk_directory(named, report)


def walk_directory(directory: Path, report: Report, skip: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Regular files below a directory, in name order; `skip` are names directly in it that are passed over."""
    # A stack of its own: how deep directories nest is the sender's choice, Python's recursion limit is not.
    stack = [iter([entry for entry in _list(directory, report) if entry.name not in skip])]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
        elif entry.is_dir(follow_symlinks=False):
            stack.append(iter(_list(Path(entry.path), report)))
        else:
            yield Path(entry.path)


def _list(directory: Path, report: Report) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            taken = [entry for entry in entries if not entry.name.startswith(".") and _is_file_or_directory(entry)]
    except OSError as error:
        report(directory, unreadable(directory, error))
        return []
    return sorted(taken, key=lambda entry: entry.name)


def _is_file_or_directory(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def open_regular(path: Path) -> BinaryIO:
    """The file opened for reading, never a link and never waiting; raises Failed("unreadable")."""
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Failed("unreadable", f"{origin_text(path)}: not a regular file")
    return open(descriptor, "rb")  # noqa: PTH123 - a descriptor


def read_file(
    path: Path, source: Source, settings: Settings, spool: Spool, now: datetime, *, origin: Path | None = None
) -> Document:
    """One file -> one document; above `limits.inline_bytes` its bytes go to the spool piece by piece.

    `origin` is the path to name where the file was moved since. Raises Failed("unreadable") where the file
    cannot be read, StateError where the spool cannot take it.
    """
    with open_regular(path) as stream, reading(path):
        head = stream.read(settings.limits.inline_bytes + 1)
        return take_bytes(document_of(source, origin or path, now), head, stream, settings, spool)


def take_bytes(document: Document, head: bytes, stream: BinaryIO, settings: Settings, spool: Spool) -> Document:
    """The document with its bytes: `head` alone where that is all, otherwise the whole stream in the spool."""
    if len(head) <= settings.limits.inline_bytes:
        return msgspec.structs.replace(document, content=head, size_bytes=len(head))
    stream.seek(0)
    ref = spool.put(stream)
    return msgspec.structs.replace(document, content_ref=ref, size_bytes=spool.size(ref))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever the system says while a file is read, as Failed("unreadable")."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


def document_of(source: Source, origin: Path | str, now: datetime) -> Document:
    """A document of a source without its bytes yet; `origin` is a path, or what names it already (a URL)."""
    return Document(
        source_id=source.id,
        origin=origin if isinstance(origin, str) else origin_text(origin),
        received_at=now,
        source_name=source.name,
        language=source.language,
        timezone=source.timezone,
        fields=source.fields,
    )


def keep_inline_or_spool(document: Document, settings: Settings, spool: Spool) -> Document:
    """The document as it may travel: content above `limits.inline_bytes` moved to the spool, the size filled in."""
    if document.content is None:
        return document
    size = len(document.content)
    if size <= settings.limits.inline_bytes:
        return msgspec.structs.replace(document, size_bytes=size)
    return msgspec.structs.replace(document, content=None, content_ref=spool.put(document.content), size_bytes=size)


def origin_text(path: Path) -> str:
    r"""The absolute path as text that fits into JSON: bytes that are no UTF-8 stand as `\xNN`, a backslash as `\\`."""
    return _UNREPRESENTABLE.sub(_escape, os.path.abspath(path))  # noqa: PTH100 - ".." is folded, links are kept


def origin_path(text: str) -> Path:
    """The path that `origin_text` wrote."""
    return Path(_ESCAPED.sub(lambda found: "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16)), text))


def _escape(found: re.Match[str]) -> str:
    return "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]) - 0xDC00:02x}"


def signature(path: Path) -> str:
    """Size, time of change and inode: what tells an unchanged file. Raises Failed("unreadable")."""
    try:
        facts = path.lstat()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return f"{facts.st_size}:{facts.st_mtime_ns}:{facts.st_ino}"


def path_field(path: Path) -> str:
    """The field of the poll state that remembers a file: a digest, since names may be long and no text."""
    return FILE_FIELD + hashlib.sha256(os.fsencode(path)).hexdigest()[:24]


def unreadable(path: Path, error: Exception) -> Failed:
    """The error of this package for whatever the system said about a path."""
    return Failed("unreadable", f"{origin_text(path)}: {getattr(error, 'strerror', None) or error}")
