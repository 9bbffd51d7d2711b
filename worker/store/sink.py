"""What a store must be able to do, and the table from URL scheme to the module that does it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from worker.errors import ConfigurationError
from worker.events import Sighting
from worker.model import Record
from worker.state.queue import Entry

MODULES = {
    "sqlite": "worker.store.sqlite",
}
"""URL scheme -> module with `open_sink(url) -> Sink`; imported on use, so that its libraries may be optional."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry the store will never take, and why."""

    entry: Entry
    reason: str


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a batch: records, sightings and family changes now durable in the store, and entries it refused.

    An entry that was there before counts like a new one: writing twice has the effect of writing once.
    """

    records: int = 0
    sightings: int = 0
    families: int = 0
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record and its position in the order of storing (rises, never changes, may have gaps)."""

    position: int
    record: Record


class Sink(Protocol):
    """A store for records, keyed by (id, version). Opening creates what is missing.

    Every method raises SinkError where the store cannot be reached, is locked or full; then nothing of the call
    may be taken as done. Records come back with `seen_in` filled from the sightings stored for their id.
    """

    def write(self, entries: Sequence[Entry]) -> WriteResult:
        """Upsert the entries; on return all but the refused ones survive a power loss.

        The family of an id, in all its versions, is what the entry says that was sent last, whichever came last.
        """
        ...

    def count(self) -> int:
        """Stored (id, version) pairs."""
        ...

    def missing(self, pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of the (id, version) pairs that are not stored, in the order given."""
        ...

    def newest(self, limit: int) -> list[Record]:
        """The current records (highest version, not withdrawn) stored last, newest first."""
        ...

    def after(self, position: int, limit: int) -> list[StoredRecord]:
        """Up to `limit` versions stored after `position`, in the order of storing; all events."""
        ...

    def last_position(self) -> int:
        """The highest position in use, 0 in an empty store."""
        ...

    def versions(self, record_id: str) -> list[Record]:
        """Every version stored under an id, oldest first; empty where there is none."""
        ...

    def find(self, text: str, limit: int) -> list[Record]:
        """The highest version (also withdrawn) of each record any version of which fits `text`.

        It fits as an id, the beginning of an id, a URL or a canonical URL.
        """
        ...

    def copies(self, record_id: str, limit: int) -> list[Record]:
        """Near copies that were not published but kept beside the record `record_id`, earliest received first.

        Where `record_id` is itself a kept copy's id, that copy alone.
        """
        ...

    def find_copies(self, text: str, limit: int) -> list[Record]:
        """Kept near copies that `text` fits as an id, the beginning of an id, or a URL, in the order of their ids."""
        ...

    def seen_at(self, url: str, limit: int) -> list[Record]:
        """The highest version of each record a copy of which was seen at `url`, published or not."""
        ...

    def sightings(self, record_id: str, limit: int) -> list[Sighting]:
        """Where copies of a record were seen, near ones too (without the copy), earliest first."""
        ...

    def withdrawn(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids whose highest version is a withdrawal."""
        ...

    def close(self) -> None:
        """Give back connections and files; the sink cannot be used afterwards."""
        ...


def open_sink(url: str) -> Sink:
    """The store a URL names (`sqlite:///PATH`), created where it does not exist yet.

    Raises ConfigurationError for a URL no sink understands, SinkError where the store cannot be opened.
    """
    scheme, separator, _ = url.partition(":")
    module = MODULES.get(scheme.partition("+")[0])
    if not separator or module is None:
        known = ", ".join(f"{name}:" for name in sorted(MODULES))
        raise ConfigurationError(
            f"store URL begins with {scheme[:20]!r}, known are {known} (for example sqlite:///records.db)"
        )
    sink: Sink = import_module(module).open_sink(url)
    return sink
