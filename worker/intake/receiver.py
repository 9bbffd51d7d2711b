"""What intake needs from the ledger, and what a pull gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from worker.model import Document, Lane, Source

PAUSE_SECONDS = 5.0
"""How soon a pull that found intake paused looks again."""


class Receiver(Protocol):
    """The ledger as intake sees it.

    Poll state is one hash of text fields per source. Wherever fields are written, an empty value removes
    the field, so that what is no longer needed (a vanished file) does not stay for ever.
    """

    def receive(
        self, source: Source, documents: Sequence[Document], *, lane: Lane, remember: Mapping[str, str] | None = None
    ) -> None:
        """Store the documents as one batch, and `remember` in the poll state, in one atomic step."""

    def recall(self, source_id: str) -> dict[str, str]:
        """The source's poll state; empty for a source never pulled."""

    def note(self, source_id: str, fields: Mapping[str, str]) -> None:
        """Write fields of the poll state without a batch."""

    def run_id(self) -> str:
        """The name of the ledger's present run, asked for before anything is received that is waited for."""

    def wait_until_durable(self, since: str = "") -> None:
        """Return when everything received since the run `since` is on disk.

        Raises StateError where the disk does not keep up, or where that run has ended and may have lost some of it.
        """

    def paused(self) -> str | None:
        """Why intake must pause (back-pressure), or None."""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """A file or directory that gave no bytes: `origin` as in documents, `code` and `detail` as in errors."""

    origin: str
    code: str
    detail: str


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What reading files brought: counts, and what could not be read.

    `files` were read to their end, `documents` handed to the ledger, `waiting` files left for a later pull
    because they still change. `paused` is the reason where back-pressure stopped (or holds) the work;
    `unfinished` is True where the pull stopped before it had seen every file.
    """

    files: int = 0
    documents: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    waiting: int = 0
    paused: str | None = None
    unfinished: bool = False


class PullResult(msgspec.Struct, frozen=True, kw_only=True):
    """One pull of a source: when the next is due, what came, and what is wrong (None where all is well).

    `more` is True where this pull left something that the next one will take: an idle system has none.
    """

    next_due_seconds: float
    documents: int = 0
    problem: str | None = None
    more: bool = False


Progress = Callable[[Pulled], None]
"""Called after every batch, and while paused, with the counts so far."""
