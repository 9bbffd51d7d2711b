"""What polls give, to those who write it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.model import Document, Source
from worker.state.hosts import HostLease


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll gave: a document where there is one, and what to remember in the same step.

    `learned` are fields of the poll state (an empty value removes its field). `host_rest_seconds` is how long the host
    wants to be left alone, where it said so. `more` is True where steps are left, which are due at once.
    """

    source: Source
    next_due_seconds: float
    learned: Mapping[str, str] = field(default_factory=dict)
    document: Document | None = None
    problem: str | None = None
    host_rest_seconds: float | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A feed that is no longer in hand, and the leases that go back with it, each with its host's rest (None: usual).

    `polled` is None for one that was put off: then `problem` may say why.
    """

    source: Source
    due_seconds: float
    polled: Polled | None = None
    problem: str | None = None
    leases: tuple[tuple[HostLease, float | None], ...] = ()
