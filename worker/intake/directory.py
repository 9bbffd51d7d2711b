"""Files read in place: a directory that is watched, and paths somebody names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from worker.config import Settings
from worker.errors import Failed
from worker.intake.containers import read_documents
from worker.intake.files import FILE_FIELD, origin_text, path_field, signature, walk
from worker.intake.handover import Parcel, is_complete, memory_of, position_in, pull_budget, receive_batches
from worker.intake.receiver import PAUSE_SECONDS, Progress, Pulled, Receiver, Unreadable
from worker.model import Lane, Source
from worker.state.spool import Spool


@dataclass
class Tally:
    """Counts of one pull while it runs."""

    files: int = 0
    documents: int = 0
    waiting: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    def fail(self, path: Path, error: Failed) -> None:
        """Note a path that cannot be read."""
        self.unreadable.append(Unreadable(origin=origin_text(path), code=error.code, detail=error.detail))

    def add(self, batch: tuple[Parcel, ...]) -> None:
        """Note a batch that was received."""
        self.documents += len(batch)
        self.files += sum(parcel.piece.last for parcel in batch)

    def result(self, *, paused: str | None = None, unfinished: bool = False) -> Pulled:
        """The counts so far, frozen."""
        return Pulled(
            files=self.files,
            documents=self.documents,
            unreadable=tuple(self.unreadable),
            waiting=self.waiting,
            paused=paused,
            unfinished=unfinished or paused is not None,
        )


def pull_directory(
    source: Source,
    receiver: Receiver,
    settings: Settings,
    spool: Spool,
    now: datetime,
    progress: Progress | None = None,
) -> Pulled:
    """Hand over the files that are new or changed since they were last read; stop early when paused or long at work.

    A file's signature is remembered with the batch that holds its last document, so whatever ends a pull, the
    next one goes on there (in a JSONL file behind the last line received). A file that cannot be read is
    reported and tried again by every pull. StateError and ConfigurationError pass through.
    """
    tally, budget = Tally(), pull_budget(settings)
    known = receiver.recall(source.id)
    seen: set[str] = set()
    reason = receiver.paused()
    if reason is not None:
        return tally.result(paused=reason)
    with closing(_changed(source, known, seen, settings, spool, now, tally)) as parcels:
        for batch in receive_batches(parcels, source, receiver, settings, source.lane):
            tally.add(batch)
            if progress is not None:
                progress(tally.result())
            reason = receiver.paused()
            if reason is not None or budget.spent:
                return tally.result(paused=reason, unfinished=True)
    if not tally.unreadable:
        _forget_vanished(source, receiver, known, seen)
    return tally.result()


def pull_paths(
    paths: Iterable[Path],
    source: Source,
    receiver: Receiver,
    settings: Settings,
    spool: Spool,
    now: datetime,
    *,
    lane: Lane | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Hand over every file named, and those in directories named, whatever was read before.

    What cannot be read is counted with its reason and never stops the rest. While intake is paused this waits
    and tells `progress`. StateError passes through.
    """
    tally = Tally()
    report = progress or ignore_progress
    wait_while_paused(receiver, tally, report, sleep)
    with closing(_all(paths, source, settings, spool, now, tally)) as parcels:
        for batch in receive_batches(parcels, source, receiver, settings, lane or source.lane):
            tally.add(batch)
            report(tally.result())
            wait_while_paused(receiver, tally, report, sleep)
    return tally.result()


def ignore_progress(_: Pulled) -> None:
    """The progress callback of those who do not care."""


def wait_while_paused(receiver: Receiver, tally: Tally, progress: Progress, sleep: Callable[[float], None]) -> None:
    """Return when intake is not paused; `progress` is told the reason at every look."""
    while (reason := receiver.paused()) is not None:
        progress(tally.result(paused=reason))
        sleep(PAUSE_SECONDS)


def _changed(
    source: Source,
    known: dict[str, str],
    seen: set[str],
    settings: Settings,
    spool: Spool,
    now: datetime,
    tally: Tally,
) -> Generator[Parcel, None, None]:
    """Parcels of new and changed files; the fields of all files met are added to `seen`."""
    for path in walk([Path(source.path or os.curdir)], tally.fail):
        name = path_field(path)
        seen.add(name)
        try:
            # Taken before reading: what is written meanwhile makes the next pull read the file again.
            mark = signature(path)
            memory = known.get(name, "")
            if is_complete(memory, mark):
                continue
            for piece in read_documents(path, source, settings, spool, now, start=position_in(memory, mark)):
                yield Parcel(piece, name, memory_of(mark, piece))
        except Failed as error:
            tally.fail(path, error)


def _all(
    paths: Iterable[Path], source: Source, settings: Settings, spool: Spool, now: datetime, tally: Tally
) -> Generator[Parcel, None, None]:
    for path in walk(paths, tally.fail):
        try:
            for piece in read_documents(path, source, settings, spool, now):
                yield Parcel(piece)
        except Failed as error:
            tally.fail(path, error)


def _forget_vanished(source: Source, receiver: Receiver, known: dict[str, str], seen: set[str]) -> None:
    vanished = {name: "" for name, value in known.items() if name.startswith(FILE_FIELD) and value and name not in seen}
    if vanished:
        receiver.note(source.id, vanished)
