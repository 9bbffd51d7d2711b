"""Stream entry -> Record or Sighting, pure."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from worker.model import Record, Sighting
from worker.state.queue import Entry

_Value = TypeVar("_Value")


def decode_entry(entry: Entry) -> Record | Sighting:
    """What an entry carries: a Sighting for the event `seen`, a Record for every other.

    Raises ValueError, with a message for the dead letter, where the entry carries neither.
    """
    is_sighting = entry.fields.get(b"event") == b"seen"
    field = b"sighting" if is_sighting else b"record"
    data = entry.fields.get(field)
    if data is None:
        raise ValueError(f"the entry has no field {field.decode()!r}")
    return _decode(data, Sighting) if is_sighting else _decode(data, Record)


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
