"""An inbox: files somebody drops are claimed, handed over, and moved to `done/` once their documents are on disk.

    inbox/report.txt ──still──► .claimed/<token>/report.txt ──batch, durable──► done/report.txt
                                                            └──unreadable─────► failed/report.txt(.reason.json)

A crash anywhere leaves a file in `.claimed`; the next pull takes it over and hands it in again, which the
ledger recognises as a copy.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from worker.config import Settings
from worker.errors import Failed
from worker.intake.claims import Claims
from worker.intake.containers import Piece, read_documents
from worker.intake.directory import Tally
from worker.intake.files import path_field, unreadable, walk_directory
from worker.intake.handover import Budget, Parcel, memory_of, position_in, pull_budget, receive_batches
from worker.intake.placing import DONE, FAILED, place_done, place_failed
from worker.intake.receiver import Pulled, Receiver
from worker.model import Source
from worker.state.spool import Spool

UNFINISHED_ENDINGS = (
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".tmp", ".temp", ".swp", "~"),
)
"""Names that browsers, FTP clients, rsync and editors give to files that are still being written."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a file looked like at one moment; `changed_at` is its ctime in seconds."""

    inode: int
    size: int
    modified_ns: int
    changed_at: float

    @property
    def signature(self) -> str:
        """As `files.signature`; a rename does not change it."""
        return f"{self.size}:{self.modified_ns}:{self.inode}"


@dataclass
class _Candidate:
    path: Path
    relative: Path
    look: Look
    claimed: bool
    complete: bool = False
    error: Failed | None = None


@dataclass
class _Pull:
    """What one pull works with."""

    source: Source
    receiver: Receiver
    settings: Settings
    spool: Spool
    now: datetime
    inbox: Path
    budget: Budget
    known: dict[str, str]
    tally: Tally = field(default_factory=Tally)
    paused: str | None = None

    @property
    def must_stop(self) -> bool:
        """True where intake is paused or the time is over."""
        self.paused = self.receiver.paused()
        return self.paused is not None or self.budget.spent


def is_still(look: Look, now: float, stable_seconds: float) -> bool:
    """True where nothing has touched the file for `stable_seconds`.

    Only ctime tells: the system sets it at every write, whereas copying tools set mtime to what they like.
    """
    return now - look.changed_at >= stable_seconds


def is_same(first: Look, second: Look) -> bool:
    """True where nothing was written between two looks (a rename in between changes ctime alone)."""
    return first.signature == second.signature


def pull_inbox(source: Source, receiver: Receiver, settings: Settings, spool: Spool, now: datetime) -> Pulled:
    """Take the files that stand still, a group at a time; stop early when paused or long at work.

    StateError passes through (the files stay claimed, the next pull takes them over), and so does OSError where
    the inbox itself cannot be worked in.
    """
    inbox = Path(os.path.abspath(source.path or os.curdir))  # noqa: PTH100 - as in origins
    pull = _Pull(source, receiver, settings, spool, now, inbox, pull_budget(settings), receiver.recall(source.id))
    with Claims(inbox) as claims:
        candidates = _candidates(pull, claims)
        # Asked before the first file is touched: a paused pull claims nothing.
        pull.paused = receiver.paused()
        while pull.paused is None:
            group = list(islice(candidates, settings.batches.documents))
            if not group:
                return pull.tally.result()
            _take(pull, claims, group)
            if pull.must_stop:
                break
    return pull.tally.result(paused=pull.paused, unfinished=True)


def _candidates(pull: _Pull, claims: Claims) -> Iterator[_Candidate]:
    """Files to take: first those a crash left behind, then those that stand still in the inbox."""
    for path, relative in claims.leftovers(pull.tally.fail):
        yield from _judge(pull, path, relative, claimed=True)
    pull.inbox.mkdir(parents=True, exist_ok=True)
    for path in walk_directory(pull.inbox, pull.tally.fail, skip=frozenset((DONE, FAILED))):
        if not path.name.lower().endswith(UNFINISHED_ENDINGS):
            yield from _judge(pull, path, path.relative_to(pull.inbox), claimed=False)


def _judge(pull: _Pull, path: Path, relative: Path, *, claimed: bool) -> Iterator[_Candidate]:
    look = _look(path)
    if look is None:
        return
    if is_still(look, pull.now.timestamp(), pull.settings.inbox.stable_seconds):
        yield _Candidate(path, relative, look, claimed)
    else:
        pull.tally.waiting += 1


def _take(pull: _Pull, claims: Claims, group: list[_Candidate]) -> None:
    """Claim a group of files, hand over their documents, wait for the disk, and only then move the files."""
    taken = [candidate for candidate in group if _claim(pull, claims, candidate)]
    received, since = False, pull.receiver.run_id()
    with closing(_parcels(pull, taken)) as parcels:
        for batch in receive_batches(parcels, pull.source, pull.receiver, pull.settings, pull.source.lane):
            received = True
            pull.tally.add(batch)
            for parcel in batch:
                taken[parcel.file].complete = parcel.piece.last
            if pull.must_stop:
                break
    if received:
        pull.receiver.wait_until_durable(since)
    for candidate in taken:
        _place(pull, candidate)


def _claim(pull: _Pull, claims: Claims, candidate: _Candidate) -> bool:
    """True where the file is ours and nothing was written since the first look."""
    if not candidate.claimed:
        try:
            path = claims.take(candidate.path, candidate.relative)
        except OSError as error:
            pull.tally.fail(candidate.path, unreadable(candidate.path, error))
            return False
        if path is None:
            return False
        candidate.path = path
    return _unchanged(pull, candidate)


def _unchanged(pull: _Pull, candidate: _Candidate) -> bool:
    """Looks again; a file that somebody still writes stays claimed, and the next pull judges it anew."""
    look = _look(candidate.path)
    if look is not None and is_same(candidate.look, look):
        return True
    pull.tally.waiting += 1
    return False


def _parcels(pull: _Pull, taken: list[_Candidate]) -> Generator[Parcel, None, None]:
    for number, candidate in enumerate(taken):
        origin = pull.inbox / candidate.relative
        name, mark = path_field(origin), candidate.look.signature
        start = position_in(pull.known.get(name, ""), mark)
        try:
            for piece in read_documents(
                candidate.path, pull.source, pull.settings, pull.spool, pull.now, origin=origin, start=start
            ):
                yield _parcel(pull, number, piece, name, mark)
        except Failed as error:
            candidate.error = error


def _parcel(pull: _Pull, number: int, piece: Piece, name: str, mark: str) -> Parcel:
    """Only a file that may be left half-way is remembered, and forgotten with its last document."""
    value = "" if piece.last else memory_of(mark, piece)
    if not value and not pull.known.get(name):
        return Parcel(piece, file=number)
    pull.known[name] = value
    return Parcel(piece, name, value, number)


def _place(pull: _Pull, candidate: _Candidate) -> None:
    """Move a file that is dealt with; one that was not read to its end stays claimed for the next pull."""
    try:
        if candidate.error is not None:
            pull.tally.fail(pull.inbox / candidate.relative, candidate.error)
            place_failed(candidate.path, pull.inbox, candidate.relative, candidate.error, pull.now)
        elif candidate.complete and _unchanged(pull, candidate):
            place_done(candidate.path, pull.inbox, candidate.relative)
    except OSError as error:
        pull.tally.fail(candidate.path, unreadable(candidate.path, error))


def _look(path: Path) -> Look | None:
    """None where the file is gone, or no regular file."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    return Look(
        inode=facts.st_ino, size=facts.st_size, modified_ns=facts.st_mtime_ns, changed_at=facts.st_ctime_ns / 1e9
    )
