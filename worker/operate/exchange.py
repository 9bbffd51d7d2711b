"""Dead letters as a file: one JSON object a line, with the bytes, for another system or for later.

{"format": "copydesk.dead-letter", "format_version": 1, "letter": {"id", "verdict", "stage", "code", "detail",
"source_id", "lane", "day", "at", "traceback", "software_version", "deliveries",
"document": {"origin", "media_type", "received_at", "content" (base64), "history", ...}}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from worker.desk import Desk
from worker.errors import ConfigurationError, Failed
from worker.intake.files import keep_inline_or_spool
from worker.model import DeadLetter, Document
from worker.operate.dead import UNBOOKED_STAGES
from worker.secrets import mask

FORMAT_VERSION = 1


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file."""

    format: Literal["copydesk.dead-letter"] = "copydesk.dead-letter"
    format_version: int = FORMAT_VERSION
    letter: DeadLetter


def export_letters(desk: Desk, letters: Iterable[DeadLetter]) -> Iterator[bytes]:
    """A line for each letter, its bytes inside; a letter whose bytes the spool has lost goes without them."""
    for letter in letters:
        try:
            content = desk.read(letter.document)
        except Failed:
            content = b""
        document = msgspec.structs.replace(_without_keys(letter.document), content=content, content_ref=None)
        yield msgspec.json.encode(Envelope(letter=msgspec.structs.replace(letter, document=document))) + b"\n"


def import_letters(
    desk: Desk, lines: Iterable[bytes], report: Callable[[int], object] = lambda _: None
) -> tuple[int, int]:
    """Take letters in; (taken, already here). Raises ConfigurationError at the first line that is none.

    What came before such a line was taken in: the same file again adds only the rest. `report` gets the number taken so
    far after each line.
    """
    taken = known = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        letter = _read(line, number)
        document = keep_inline_or_spool(letter.document, desk.settings, desk.spool)
        letter = msgspec.structs.replace(letter, document=document)
        if desk.letters.take_in(letter, booked=letter.stage not in UNBOOKED_STAGES):
            taken += 1
        else:
            known += 1
            desk.drop_spooled([document.content_ref] if document.content_ref else [])
        report(taken)
    return taken, known


def _without_keys(document: Document) -> Document:
    """The document without the keys that its addresses ask with: a file may travel far."""
    http, entry = document.http, document.entry
    return msgspec.structs.replace(
        document,
        origin=mask(document.origin),
        http=http and msgspec.structs.replace(http, url=mask(http.url)),
        entry=entry and msgspec.structs.replace(entry, url=mask(entry.url)),
    )


def _read(line: bytes, number: int) -> DeadLetter:
    try:
        envelope = msgspec.json.decode(line, type=Envelope)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"line {number} is no exported dead letter: {error}") from error
    if envelope.format_version > FORMAT_VERSION:
        version = envelope.format_version
        raise ConfigurationError(f"line {number} was written by a later copydesk (format {version}): update this one")
    if envelope.letter.document.content is None:
        raise ConfigurationError(f"line {number} has no content")
    document = msgspec.structs.replace(envelope.letter.document, content_ref=None)
    return msgspec.structs.replace(envelope.letter, document=document)
