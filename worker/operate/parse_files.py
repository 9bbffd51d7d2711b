"""`copydesk parse`: files -> lines that say what each document gave. No server, nothing stored.

    paths ──► files ──► a process for each job ──► line per document

A document that takes too long is given up; where that fails because it hangs inside a C library, its process is killed
and the others go on (worker/operate/parse_processes.py).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from worker.errors import Failed, Rejected
from worker.intake.files import walk_directory
from worker.limits import cpu_time_limit
from worker.model import Article, Document, Refusal
from worker.operate.parse_processes import Begun, Found, Line, Step, parse_in_processes
from worker.parse.containers import ContainerLimits, open_container
from worker.parse.document import parse_document
from worker.parse.refusals import parse_error, refusal

PARSE_SECONDS = 20.0
"""Seconds of CPU time a document may take before it is given up."""

WALL_FACTOR, GRACE_SECONDS = 3.0, 10.0
"""A document may take so many times its CPU time of wall time, and so much more, before its process is killed."""

DOCUMENT_BYTES = 64 * 1024 * 1024
"""Largest file that is read."""

_CONTAINERS = ContainerLimits(member_bytes=DOCUMENT_BYTES)


class Reading(msgspec.Struct, frozen=True):
    """How files are read: the limits for each, and what a source would say of them (worker/model.py, Source)."""

    parse_seconds: float = PARSE_SECONDS
    document_bytes: int = DOCUMENT_BYTES
    containers: ContainerLimits = _CONTAINERS
    timezone: str | None = None
    fields: dict[str, str] = {}


_USUAL = Reading()


def parse_paths(paths: Sequence[Path], jobs: int = 0, reading: Reading = _USUAL) -> Iterator[Line]:
    """Files and directories -> `{"input", "member", "outcome", "reason", "record"}` for each document.

    Directories are walked in sorted order without dotfiles and symbolic links; the lines come in the
    order of the files whatever `jobs` is. Each file gives at least one line. A path that does not exist
    gives a line with reason `unreadable`. With `jobs` 0 all is parsed in this process, which code that hangs
    in a C library then hangs too.
    """
    files = (file for path in paths for file in walk(path))
    read = partial(read_file, reading=reading)
    if jobs:
        yield from parse_in_processes(files, jobs, read, _blame, WALL_FACTOR * reading.parse_seconds + GRACE_SECONDS)
        return
    for file in files:
        for step in read(file):
            if isinstance(step, Found):
                yield from step.lines


def walk(path: Path) -> Iterator[Path]:
    """A file -> itself; a directory -> its files as `walk_directory` finds them, then what could not be listed.

    Paths stay relative where `path` is. Reading a directory that could not be listed tells why.
    """
    if not path.is_dir():
        yield path
        return
    unlisted: list[Path] = []
    yield from walk_directory(path, lambda directory, _: unlisted.append(directory))
    yield from unlisted


def read_file(path: Path, passed_over: int = 0, reading: Reading = _USUAL) -> Iterator[Step]:
    """A file -> the steps of reading its documents, without the first so many. Never raises on bad input."""
    origin = str(path)
    try:
        for document in islice(_documents(path, reading), passed_over, None):
            yield Begun(document.member)
            yield Found([_line(origin, item) for item in _parse_in_time(document, reading.parse_seconds)])
    except (Rejected, Failed) as error:
        yield Found([_line(origin, refusal(error))])


def _documents(path: Path, reading: Reading) -> Iterator[Document]:
    """What is in a container of any size, or the file itself where it is none or holds nothing.

    Raises Rejected `too_large` and Failed `unreadable`.
    """
    document = Document(
        source_id="parse",
        origin=str(path),
        received_at=datetime.now(UTC),
        timezone=reading.timezone,
        fields=reading.fields,
    )
    empty = True
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Failed("unreadable", "not a regular file")
        with path.open("rb") as stream:
            for member in open_container(document, stream, reading.containers) or ():
                empty = False
                yield member
            if not empty:
                return
            if status.st_size > reading.document_bytes:
                raise Rejected("too_large", f"{status.st_size} bytes, the limit is {reading.document_bytes}")
            stream.seek(0)
            content = stream.read()
    except OSError as error:
        raise Failed("unreadable", str(error)) from error
    yield msgspec.structs.replace(document, content=content, size_bytes=len(content))


def _parse_in_time(document: Document, seconds: float) -> list[Article | Refusal]:
    try:
        with cpu_time_limit(seconds):
            return parse_document(document, document.content or b"")
    except Failed as error:
        # The alarm rang just outside parse_document.
        return [refusal(error, document.member)]
    except (MemoryError, RecursionError) as error:
        return [parse_error(error, document.member)]


def _blame(path: Path, member: int | str | None, code: str) -> Line:
    """The line for a document that cost the process it was parsed in."""
    return _line(str(path), refusal(Failed(code), member))


def _line(origin: str, item: Article | Refusal) -> Line:
    if isinstance(item, Article):
        record: dict[str, Any] | None = msgspec.to_builtins(item)
        outcome, reason = "article", None
    else:
        facts = {} if item.article is None else msgspec.to_builtins(item.article)
        record = {**facts, **({"feed": item.feed} if item.feed is not None else {})} or None
        outcome, reason = "rejected", item.code
    return {
        "input": origin,
        "member": item.member,
        "outcome": outcome,
        "reason": reason,
        "record": record,
    }
