"""`copydesk parse`: files -> lines that say what each document gave. No server, nothing stored.

    paths ──► files ──► a process for each job ──► line per document

A process that dies costs the file it was at, never another one; a document that takes too long is given
up as soon as the interpreter runs again (what hangs inside a C library is bounded by the parsers' own limits).
"""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from worker.errors import Failed, Rejected
from worker.limits import time_limit
from worker.model import Article, Document, Refusal
from worker.parse import parse_document
from worker.parse.containers import ContainerLimits, open_container
from worker.parse.refusals import parse_error, refusal

PARSE_SECONDS = 20.0
"""Wall-clock seconds a document may take before it is given up."""

DOCUMENT_BYTES = 64 * 1024 * 1024
"""Largest file that is read."""

_CONTAINERS = ContainerLimits(member_bytes=DOCUMENT_BYTES)
_AHEAD = 8
"""Files handed out for each process: enough to keep it busy, few enough to lose little on a crash."""

Line = dict[str, Any]


class Reading(msgspec.Struct, frozen=True):
    """How files are read: the limits for each, and what a source would say of them (worker/model.py, Source)."""

    parse_seconds: float = PARSE_SECONDS
    document_bytes: int = DOCUMENT_BYTES
    containers: ContainerLimits = _CONTAINERS
    timezone: str | None = None
    fields: dict[str, str] = {}


_USUAL = Reading()


def parse_paths(paths: Sequence[Path], jobs: int = 1, reading: Reading = _USUAL) -> Iterator[Line]:
    """Files and directories -> `{"input", "member", "outcome", "reason", "record"}` for each document.

    Directories are walked in sorted order without dotfiles and symbolic links; the lines come in the
    order of the files whatever `jobs` is. Each file gives at least one line. A path that does not exist
    gives a line with reason `unreadable`.
    """
    files = (file for path in paths for file in walk(path))
    if jobs <= 1:
        for file in files:
            yield from _lines(file, reading)
        return
    yield from _parse_in_processes(files, jobs, reading)


def walk(path: Path) -> Iterator[Path]:
    """A file -> itself; a directory -> its files in sorted order, without dotfiles and symbolic links."""
    if not path.is_dir():
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.name.startswith(".") or child.is_symlink():
            continue
        if child.is_dir():
            yield from walk(child)
        elif child.is_file():
            yield child


def parse_file(path: Path, reading: Reading = _USUAL) -> list[Line]:
    """A file -> its lines. Never raises on bad input."""
    return list(_lines(path, reading))


def _lines(path: Path, reading: Reading) -> Iterator[Line]:
    origin = str(path)
    try:
        for document in _documents(path, reading):
            for item in _parse_in_time(document, reading.parse_seconds):
                yield _line(origin, item)
    except (Rejected, Failed) as error:
        yield _line(origin, refusal(error))


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
        with time_limit(seconds):
            return parse_document(document, document.content or b"")
    except Failed as error:
        # The alarm rang just outside parse_document.
        return [refusal(error, document.member)]
    except (MemoryError, RecursionError) as error:
        return [parse_error(error, document.member)]


def _parse_in_processes(files: Iterator[Path], jobs: int, reading: Reading) -> Iterator[Line]:
    """Lines in the order of the files; a pool that broke is replaced and its files are tried one by one."""
    pool = _pool(jobs)
    try:
        waiting: list[tuple[Path, Future[list[Line]]]] = []
        while True:
            for file in islice(files, jobs * _AHEAD - len(waiting)):
                waiting.append((file, pool.submit(parse_file, file, reading)))  # noqa: PERF401
            if not waiting:
                return
            file, future = waiting[0]
            try:
                lines = future.result()
            except BrokenProcessPool:
                pool.shutdown(wait=False, cancel_futures=True)
                for victim, _ in waiting:
                    yield from _parse_alone(victim, reading)
                waiting, pool = [], _pool(jobs)
                continue
            waiting.pop(0)
            yield from lines
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _parse_alone(file: Path, reading: Reading) -> list[Line]:
    """A file in a process of its own: if that dies, the file is to blame."""
    with _pool(1) as pool:
        try:
            return pool.submit(parse_file, file, reading).result()
        except BrokenProcessPool:
            return [
                _line(
                    str(file),
                    refusal(Failed("poison", "the process that parsed it died")),
                )
            ]


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


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
