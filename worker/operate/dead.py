"""Dead letters: replay and purge."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from worker import __version__
from worker.desk import Desk
from worker.model import DeadLetter, Document
from worker.secrets import mask
from worker.state.letters import Filter
from worker.state.queue import Entry
from worker.state.receipts import today
from worker.store.entries import first_sent

log = structlog.get_logger()

RECORD_MEDIA_TYPE = "application/vnd.copydesk.record+json"
STORE_STAGE = "store"
BELL_STAGE = "bell"
"""Stage of letters that hold a refused message of a queue: no document, so nothing to replay."""
DROP_OBJECTS = 100
"""Spool objects that are deleted after one wait for the server's disk."""
PRESSURE_SECONDS = 0.5
"""Between two looks at a high-water mark while a replay waits for it."""
STORE_LETTER = "store-"
"""Begins the id of a letter of the store; the id of its entry follows."""
UNBOOKED_STAGES = (STORE_STAGE, BELL_STAGE)
"""Letters of these stages are no document of the ledger's books."""


def bury_refused(desk: Desk, entry: Entry, reason: str) -> None:
    """Keep a record that the store refused as a dead letter of stage `store`. Twice is once."""
    carried = (entry.fields.get(name) for name in (b"record", b"sighting", b"family"))
    data = next(filter(None, carried), None) or msgspec.json.encode(_text(entry.fields))
    document = Document(
        source_id=_source_of(data),
        origin=entry.fields.get(b"id", b"").decode("utf-8", "replace"),
        received_at=datetime.now(UTC),
        content=data,
        size_bytes=len(data),
        media_type=RECORD_MEDIA_TYPE,
        member=entry.fields.get(b"event", b"").decode("utf-8", "replace"),
    )
    _bury(desk, f"{STORE_LETTER}{first_sent(entry)}", STORE_STAGE, "sink_error", reason, document)


def bury_message(desk: Desk, queue: str, body: bytes, content_type: str | None, reason: str) -> None:
    """Keep a message of a Celery queue that is no bell of this version. Twice is once."""
    name = f"queue:{queue}"
    document = Document(
        source_id=name,
        origin=name,
        received_at=datetime.now(UTC),
        content=body,
        size_bytes=len(body),
        media_type=content_type,
    )
    digest = hashlib.blake2b(name.encode() + body, digest_size=10).hexdigest()
    _bury(desk, f"bell-{digest}", BELL_STAGE, "foreign_message", reason, document)
    log.error("message_refused", queue=queue, content_type=content_type, reason=reason)


def _bury(desk: Desk, letter_id: str, stage: str, code: str, reason: str, document: Document) -> None:
    desk.letters.add(
        DeadLetter(
            id=letter_id,
            verdict="dead",
            stage=stage,
            code=code,
            detail=mask(reason),
            source_id=document.source_id,
            lane="news",
            day=today(),
            at=datetime.now(UTC),
            document=document,
            software_version=__version__,
        )
    )


def as_message(text: str, decoded: Any) -> Any:
    """What a queue of the state server held, decoded; what is no message becomes one that holds the text."""
    if isinstance(decoded, dict) and "delivery_tag" in (decoded.get("properties") or ()):
        return decoded
    if isinstance(decoded, list) and len(decoded) == 3 and isinstance(decoded[0], dict):
        # An unacknowledged message with its queue.
        return decoded
    tag = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return {
        "body": text,
        "content-type": "application/octet-stream",
        "content-encoding": "utf-8",
        "headers": {},
        "properties": {"delivery_tag": tag, "delivery_info": {"exchange": "", "routing_key": "unknown"}},
    }


def is_replayable(letter: DeadLetter) -> bool:
    """True where there is something to put back."""
    return letter.stage != BELL_STAGE


def replay(
    desk: Desk,
    letters: Iterable[DeadLetter],
    per_second: float | None = None,
    report: Callable[[int, str | None], object] = lambda _count, _waits: None,
) -> int:
    """Put documents back into the line (records back into the storage queue); returns how many.

    As many as the lane backfill may bring in: near a high-water mark it waits, and `report` is told why. `report` gets
    the count so far after each letter.
    """
    count = 0
    for letter in filter(is_replayable, letters):
        while (reason := desk.pressure.paused("backfill")) is not None:
            report(count, reason)
            time.sleep(PRESSURE_SECONDS)
        count += _replay_record(desk, letter) if letter.stage == STORE_STAGE else _replay_document(desk, letter)
        report(count, None)
        if per_second:
            time.sleep(1 / per_second)
    return count


def purge(desk: Desk, letters: Iterable[DeadLetter], report: Callable[[int], object] = lambda _: None) -> int:
    """Forget letters and their bytes; returns how many. `report` gets the count so far after each letter."""
    count = 0
    freed: list[str] = []
    try:
        for letter in letters:
            reference = desk.letters.purge(letter)
            freed += [reference] if reference else []
            count += 1
            report(count)
            if len(freed) >= DROP_OBJECTS:
                desk.drop_spooled(freed)
                freed = []
    finally:
        # Also of what was forgotten before Ctrl-C.
        desk.drop_spooled(freed)
    return count


def refused_records(desk: Desk) -> set[tuple[str, int]]:
    """(id, version) of every record that the store refused and whose letter is still kept."""
    letters = desk.letters.find(Filter(verdict="dead", stage=STORE_STAGE))
    return {(letter.document.origin, _version_of(letter.document.content or b"")) for letter in letters}


def _replay_document(desk: Desk, letter: DeadLetter) -> int:
    batch_id = desk.letters.replay(letter)
    if batch_id is None:
        return 0
    # A hundred thousand of them queue behind a feed's next entry, not before it.
    desk.ring("parse", desk.queue_lane(letter.source_id, letter.lane), batch_id)
    return 1


def _replay_record(desk: Desk, letter: DeadLetter) -> int:
    content = letter.document.content or b""
    event = str(letter.document.member)
    fields: dict[str, bytes | str | int] = {"event": event, "id": letter.document.origin}
    # What was told of its family meanwhile holds for it too.
    fields["first_entry"] = letter.id.removeprefix(STORE_LETTER)
    if event == "seen":
        fields["sighting"] = content
    elif event == "family":
        fields["family"] = content
    else:
        fields |= {"version": _version_of(content), "record": content}
    return int(desk.letters.requeue(letter, fields))


def _version_of(data: bytes) -> int:
    try:
        return int(msgspec.json.decode(data).get("version", 1))
    except (msgspec.DecodeError, AttributeError, TypeError, ValueError, OverflowError):
        return 1


def _source_of(data: bytes) -> str:
    try:
        return str(msgspec.json.decode(data).get("source_id") or "unknown")
    except (msgspec.DecodeError, AttributeError, ValueError):
        return "unknown"


def _text(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in fields.items()}
