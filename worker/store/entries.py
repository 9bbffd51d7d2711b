"""Stream entry -> Record, Sighting or FamilyChange, pure."""

from __future__ import annotations

import json
import re
from typing import TypeVar

import msgspec

from worker.events import FamilyChange, Sighting
from worker.model import Record
from worker.state.queue import Entry

_Value = TypeVar("_Value")
_ENTRY_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


Value = Record | Sighting | FamilyChange
_RECORD: tuple[bytes, type[Value]] = (b"record", Record)
_KINDS: dict[bytes, tuple[bytes, type[Value]]] = {
    b"seen": (b"sighting", Sighting),
    b"family": (b"family", FamilyChange),
}
"""Event -> the field that carries something else than a record, and what it is."""


def decode_entry(entry: Entry) -> Value:
    """What an entry carries: a Sighting for the event `seen`, a FamilyChange for `family`, a Record for every other.

    Raises ValueError, with a message for the dead letter, where the entry carries none of them.
    """
    field, kind = _KINDS.get(entry.fields.get(b"event", b""), _RECORD)
    data = entry.fields.get(field)
    if data is None:
        raise ValueError(f"the entry has no field {field.decode()!r}")
    return _decode(data, kind)


def first_sent(entry: Entry) -> str:
    """The id of an entry; of one that was refused and replayed, that of the first time."""
    first = entry.fields.get(b"first_entry", b"").decode("ascii", "replace")
    return first if _ENTRY_ID.fullmatch(first) else entry.entry_id


def entry_order(entry: Entry) -> str:
    """A text that sorts as entries were first sent."""
    milliseconds, _, number = first_sent(entry).partition("-")
    return f"{milliseconds:0>20}-{number:0>20}"


def _decode(data: bytes, kind: type[_Value]) -> _Value:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a {kind.__name__.lower()}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as first:
        try:
            return msgspec.json.decode(_without_lone_surrogates(data), type=kind)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise ValueError(f"malformed JSON: {first}") from first


def _without_lone_surrogates(data: bytes) -> bytes:
    r"""JSON whose strings hold half of a surrogate pair (`\ud83d` alone) or invalid UTF-8, with U+FFFD there.

    Other writers' JSON libraries let them through; no database takes them.
    """
    value = json.loads(data.decode("utf-8", "replace"))
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
