"""What a command that works through many things says meanwhile, and when it is interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import typer

SAY_SECONDS = 2.0
"""Between two lines on standard error."""


class Progress:
    """Counts what is done, and says so every `SAY_SECONDS` on standard error (`done`: "replayed", say)."""

    def __init__(self, done: str) -> None:
        self.count = 0
        self._done = done
        self._said_at = time.monotonic()
        self._waits: str | None = None

    def __call__(self, count: int, waits: str | None = None) -> None:
        """So many until now; `waits` says why it does not go on at present."""
        self.count = count
        now = time.monotonic()
        if now - self._said_at < SAY_SECONDS and (waits is None) == (self._waits is None):
            return
        self._said_at, self._waits = now, waits
        typer.echo(f"{self._done} {count:,}" + (f"; waits: {waits}" if waits else " ..."), err=True)


@contextlib.contextmanager
def progress(done: str, if_interrupted: str) -> Iterator[Progress]:
    """Count during the block. Ctrl-C says how far it came and what to do, and ends the command with 130."""
    counted = Progress(done)
    try:
        yield counted
    except KeyboardInterrupt:
        typer.echo(f"interrupted: {done} {counted.count:,}; {if_interrupted}", err=True)
        raise typer.Exit(130) from None
