"""Where an inbox's files end up: `done/`, or `failed/` beside the reason. Nothing is ever overwritten."""

from __future__ import annotations

import contextlib
import os
import uuid
from datetime import datetime
from itertools import count
from pathlib import Path

import msgspec

from worker.errors import Failed
from worker.intake.files import origin_text

DONE, FAILED = "done", "failed"
REASON_SUFFIX = ".reason.json"
NAME_BYTES = 255
"""Longest file name of the usual file systems (NAME_MAX, limits.h)."""


def place_done(path: Path, inbox: Path, relative: Path) -> Path:
    """Move a file to `done/<relative path>`, with a number in its name where that is taken; OSError passes through."""
    return _move(path, _reserve(_directory(inbox / DONE, relative), relative.name))


def place_failed(path: Path, inbox: Path, relative: Path, error: Failed, now: datetime) -> Path:
    """Move a file to `failed/<relative path>` beside `<name>.reason.json`; OSError passes through."""
    directory = _directory(inbox / FAILED, relative)
    target = _reserve(directory, relative.name)
    reason = _reserve(directory, target.name, REASON_SUFFIX)
    facts = {
        "code": error.code,
        "detail": error.detail,
        "at": now,
        "original_name": origin_text(inbox / relative),
    }
    reason.write_bytes(msgspec.json.encode(facts) + b"\n")
    try:
        return _move(path, target)
    except OSError:
        reason.unlink(missing_ok=True)
        raise


def _move(path: Path, target: Path) -> Path:
    try:
        return path.replace(target)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _directory(base: Path, relative: Path) -> Path:
    directory = (base / relative).parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        # A file stands where this path needs a directory.
        directory = (base / uuid.uuid4().hex / relative).parent
        directory.mkdir(parents=True)
    return directory


def _reserve(directory: Path, name: str, suffix: str = "") -> Path:
    """A path of a new, empty file: `name`, `name.1`, `name.2`, ... before its extension."""
    stem, dot, extension = name.rpartition(".")
    if not stem or suffix:
        stem, dot, extension = name, "", ""
    for number in count():
        numbered = f".{number}" if number else ""
        ending = f"{numbered}{dot}{extension}{suffix}"
        room = max(NAME_BYTES - len(os.fsencode(ending)), 1)
        target = directory / f"{os.fsdecode(os.fsencode(stem)[:room])}{ending}"
        with contextlib.suppress(FileExistsError):
            target.touch(exist_ok=False)
            return target
    raise AssertionError("count() has no end")
