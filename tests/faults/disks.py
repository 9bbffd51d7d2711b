"""Small disks that fill up: tmpfs mounts, made and removed by the scenario (needs root)."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

FILLER = ".filler"
CHUNK_BYTES = 65_536


@contextlib.contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of this size at the path, gone afterwards."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        # Lazily: a process that ends late may still have a file open there.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path) -> int:
    """Somebody else's file takes all the room there is; its size in bytes."""
    path = disk / FILLER
    with path.open("ab", buffering=0) as filler:
        for size in (CHUNK_BYTES, 1):
            with contextlib.suppress(_Full), _full_is_no_error():
                while True:
                    filler.write(os.urandom(size))
    return path.stat().st_size


def free(disk: Path) -> None:
    """The file goes."""
    (disk / FILLER).unlink(missing_ok=True)


class _Full(Exception):
    """No room is left."""


@contextlib.contextmanager
def _full_is_no_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _Full from error
