"""JSONL documents on a stream, such as standard input."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from datetime import datetime
from typing import BinaryIO

from worker.config import Settings
from worker.errors import Failed
from worker.intake.containers import Piece
from worker.intake.directory import Tally, ignore_progress, wait_while_paused
from worker.intake.handover import Parcel, receive_batches
from worker.intake.lines import documents_of_lines
from worker.intake.receiver import Progress, Pulled, Receiver, Unreadable
from worker.model import Document, Lane, Source
from worker.state.spool import Spool

ORIGIN = "-"
"""The origin of documents that came on standard input, as on the command line."""


def pull_stream(
    stream: BinaryIO,
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
    """Hand over one document per line, batch by batch, until the stream ends; waits while intake is paused.

    A stream that breaks is counted as unreadable behind what it gave. StateError passes through.
    """
    tally = Tally()
    report = progress or ignore_progress
    wait_while_paused(receiver, tally, report, sleep)
    with closing(_parcels(stream, source, settings, spool, now, tally)) as parcels:
        for batch in receive_batches(parcels, source, receiver, settings, lane or source.lane):
            tally.add(batch)
            report(tally.result())
            wait_while_paused(receiver, tally, report, sleep)
    return tally.result()


def _parcels(
    stream: BinaryIO, source: Source, settings: Settings, spool: Spool, now: datetime, tally: Tally
) -> Generator[Parcel, None, None]:
    template = Document(
        source_id=source.id,
        origin=ORIGIN,
        received_at=now,
        source_name=source.name,
        language=source.language,
        timezone=source.timezone,
        fields=source.fields,
    )
    try:
        for document, position in documents_of_lines(stream, template, settings, spool):
            yield Parcel(Piece(document=document, position=position))
    except OSError as error:
        failed = Failed("unreadable", f"standard input: {error.strerror or error}")
        tally.unreadable.append(Unreadable(origin=ORIGIN, code=failed.code, detail=failed.detail))
