"""The JSON Schema of what consumers get."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.model import Record


def record_schema() -> dict[str, Any]:
    """The record's JSON Schema (draft 2020-12), as published in docs/record.schema.json."""
    schema = msgspec.json.schema(Record)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "copydesk record", **schema}
