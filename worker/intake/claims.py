"""Whose file is it: claims on the files of an inbox.

    inbox/.claimed/<token>/<relative path>

A puller makes a directory of its own and holds a lock (flock) on it for as long as it pulls; it claims a file by
renaming it into there. The kernel drops the lock when the process ends, however it ends: so a claim directory
whose lock can be taken has lost its owner, and whoever takes the lock takes the files over. No clock, lease or
process id has to be trusted. Several hosts on one inbox need a file system on which flock works between them
(NFSv4 does).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.intake.files import Report, walk_directory

CLAIMED = ".claimed"
_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Claims:
    """The claims of one pull; a context manager that lets go of them at its end. OSError passes through."""

    def __init__(self, inbox: Path) -> None:
        self.directory = inbox / CLAIMED
        self._held: dict[Path, int] = {}
        self._own: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._held:
            directory, descriptor = self._held.popitem()
            _remove_empty(directory)
            os.close(descriptor)
        self._own = None

    def leftovers(self, report: Report) -> Iterator[tuple[Path, Path]]:
        """(path, path relative to the inbox) of files whose claimer is gone; they are ours from here on."""
        if not self.directory.is_dir():
            return
        for directory in sorted(self.directory.iterdir()):
            if directory not in self._held and self._hold(directory):
                for path in walk_directory(directory, report):
                    yield path, path.relative_to(directory)

    def take(self, path: Path, relative: Path) -> Path | None:
        """Claim a file: its new path, or None where somebody was faster."""
        target = self._own_directory() / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            # The same name came again within one pull: the next pull takes it.
            return None
        try:
            path.rename(target)
        except FileNotFoundError:
            return None
        return target

    def _own_directory(self) -> Path:
        while self._own is None:
            directory = self.directory / uuid.uuid4().hex
            directory.mkdir(parents=True)
            # Another puller may look between these two lines, and take the empty directory for abandoned.
            if self._hold(directory):
                self._own = directory
        return self._own

    def _hold(self, directory: Path) -> bool:
        try:
            descriptor = os.open(directory, _OPEN_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(directory, descriptor):
                self._held[directory] = descriptor
                return True
        except BlockingIOError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return False


def _is_same(directory: Path, descriptor: int) -> bool:
    """False where the directory was removed between opening and locking it."""
    try:
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove_empty(directory: Path) -> None:
    for parent, _, _ in os.walk(directory, topdown=False):
        # A file that still changes, or could not be moved, stays: then so does its directory.
        with contextlib.suppress(OSError):
            os.rmdir(parent)  # noqa: PTH106 - os.walk gives text
