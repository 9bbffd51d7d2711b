"""The JSON Schemas of what consumers get."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.events import FamilyChange
from worker.model import Record


def record_schema() -> dict[str, Any]:
    """The record's JSON Schema (draft 2020-12), as published in docs/record.schema.json."""
    return _schema(Record, "copydesk record")


def family_schema() -> dict[str, Any]:
    """That of the event `family`, as published in docs/family.schema.json."""
    return _schema(FamilyChange, "copydesk family")


def _schema(kind: type[msgspec.Struct], title: str) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **msgspec.json.schema(kind)}
