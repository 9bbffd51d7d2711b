"""Frames of wires sent as lines: header, text and trailer of each message in a transmission.

Control characters of both ANPA 1312 and IPTC 7901: SOH before the header, STX before the text, ETX
after it, EOT at the end; SYN and DEL fill.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from worker.clean.dates import Dated, parse_date
from worker.parse.draft import Draft

_TEXT = re.compile("\x02(?P<text>[^\x02\x03\x04]*)(?:\x03(?P<trailer>[^\x01\x02\x04]*))?\x04?")
_HEAD_CHARACTERS, _TRAILER_CHARACTERS = 2_000, 200
_FILL = re.compile("[\x00\x01\x04\x16\x7f]")
_TRAILER = re.compile(r"\s*\d{6}\s*(?:[A-Z]{3,4}\s+)?[A-Za-zäé]{3,4}\.?\s+\d{2}\s*")
_ZONE = "GMT|UTC|EST|EDT|CST|CDT|MST|MDT|PST|PDT|CET|CEST|MEZ|MESZ|BST"
# 131137 GMT Nov 13: day, hour and minute, zone, month, year (IPTC 7901).
_DAY_TIME = re.compile(
    rf"\b(\d\d)([01]\d|2[0-3])([0-5]\d)\s*({_ZONE})?\s*([A-Za-zäé]{{3,4}})\.?\s+(\d\d)\b", re.IGNORECASE
)
# AP-WF-02-10-16 0423GMT: month, day, year, hour and minute, zone (ANPA 1312).
_MONTH_DAY = re.compile(rf"-(\d\d)-(\d\d)-(\d\d)\s+([01]\d|2[0-3])([0-5]\d)\s*({_ZONE})\b")
_MONTHS = {
    **{
        name: number
        for number, name in enumerate(
            ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
        )
    },
    "mär": 3,
    "mrz": 3,
    "mai": 5,
    "okt": 10,
    "dez": 12,
    "fév": 2,
    "avr": 4,
    "aoû": 8,
    "déc": 12,
    "ene": 1,
    "abr": 4,
    "ago": 8,
    "dic": 12,
    "mag": 5,
    "gen": 1,
    "giu": 6,
    "lug": 7,
    "set": 9,
    "ott": 10,
    "juin": 6,
    "juil": 7,
}

_NO_LIMIT = datetime(9000, 1, 1, tzinfo=UTC)


class Message(msgspec.Struct, frozen=True):
    """One message: its parts without control characters, line ends as newlines."""

    head: str
    text: str
    trailer: str


def split_messages(text: str) -> list[Message]:
    """A transmission -> its messages. Text without control characters is one message of the same parts."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found: list[Message] = []
    end = 0
    for match in _TEXT.finditer(text):
        head = text[max(end, match.start() - _HEAD_CHARACTERS) : match.start()]
        found.append(_message(head, match["text"], (match["trailer"] or "")[:_TRAILER_CHARACTERS]))
        end = match.end()
    return found or [_unframed(_FILL.sub("", text).strip())]


def _message(head: str, text: str, trailer: str) -> Message:
    return Message(_FILL.sub("", head).strip(), _FILL.sub("", text), _FILL.sub("", trailer).strip())


def _unframed(text: str) -> Message:
    head, _, rest = text.partition("\n")
    body, _, last = rest.rstrip().rpartition("\n")
    return Message(head, body, last) if _TRAILER.fullmatch(last[:_TRAILER_CHARACTERS]) else Message(head, rest, "")


def set_transmitted(draft: Draft, message: Message, origin: str) -> None:
    """Set published_at from the moment of transmission in the trailer."""
    for found in _moments(message.trailer):
        draft.set_published_read(found, origin)


def _moments(trailer: str) -> Iterator[Dated]:
    if found := _DAY_TIME.search(trailer):
        day, hour, minute, zone, name, year = found.groups()
        month = _MONTHS.get(name.lower()) or _MONTHS.get(name.lower()[:3])
        if month:
            yield _dated(f"20{year}-{month:02}-{day}", hour, minute, zone)
    if found := _MONTH_DAY.search(trailer):
        month_number, day, year, hour, minute, zone = found.groups()
        yield _dated(f"20{year}-{month_number}-{day}", hour, minute, zone)


def _dated(day: str, hour: str, minute: str, zone: str | None) -> Dated:
    # Whether it is plausible is judged when it is set.
    return parse_date(f"{day} {hour}:{minute} {zone or ''}".strip(), _NO_LIMIT)
