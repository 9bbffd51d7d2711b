"""Pieces of files -> batches in the ledger, with what the source remembers of each file in the same atomic step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from worker.config import Settings
from worker.intake.containers import Piece
from worker.intake.grouping import group
from worker.intake.lines import Position
from worker.intake.receiver import Receiver
from worker.model import Lane, Source


@dataclass(frozen=True, slots=True)
class Parcel:
    """A piece of the file with this number, and the poll-state field of the file with its value from now on.

    Without a field nothing is remembered; the numbers are the caller's own.
    """

    piece: Piece
    field: str | None = None
    value: str = ""
    file: int = 0


def receive_batches(
    parcels: Iterable[Parcel], source: Source, receiver: Receiver, settings: Settings, lane: Lane
) -> Iterator[tuple[Parcel, ...]]:
    """Hand the parcels over batch by batch: each step of the iterator is one batch received."""
    batches = group(
        parcels,
        most=settings.batches.documents,
        most_bytes=settings.batches.bytes,
        size_bytes=lambda parcel: parcel.piece.document.size_bytes,
    )
    for batch in batches:
        remember = {parcel.field: parcel.value for parcel in batch if parcel.field is not None}
        receiver.receive(source, [parcel.piece.document for parcel in batch], lane=lane, remember=remember or None)
        yield batch


class Budget:
    """How long one pull may go on before it hands back to the scheduler, so that no task meets its time limit."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    @property
    def spent(self) -> bool:
        """True when the time is over."""
        return self._clock() >= self._end


def pull_budget(settings: Settings) -> Budget:
    """Half of a task's time limit: the other half is for the batch in hand and a slow disk."""
    return Budget(settings.workers.task_seconds / 2)


def memory_of(signature: str, piece: Piece) -> str:
    """What to remember of a file behind this piece: the signature, and where to go on if there is more."""
    if piece.last:
        return signature
    if piece.position is None:
        return ""
    return f"{signature}@{piece.position.offset}:{piece.position.line}"


def is_complete(memory: str, signature: str) -> bool:
    """True where a file with this signature was read to its end."""
    return memory == signature


def position_in(memory: str, signature: str) -> Position | None:
    """Where reading stopped in the same file, or None where it has to begin anew."""
    known, _, place = memory.partition("@")
    if known != signature or not place:
        return None
    offset, _, line = place.partition(":")
    return Position(int(offset), int(line)) if offset.isdecimal() and line.isdecimal() else None
