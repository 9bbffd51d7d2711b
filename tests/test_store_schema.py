"""The record's JSON Schema in docs/ is the one of the model, and records obey it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.store_entries import record
from worker.model import encode
from worker.store.schema import record_schema

SCHEMA = Path(__file__).parent.parent / "docs" / "record.schema.json"


def test_the_published_schema_is_the_models() -> None:
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(record_schema())), "run the command in docs/storage-queue.md"


def test_a_record_obeys_the_schema_and_half_a_record_does_not() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    published = json.loads(encode(record("a")))
    validator.validate(published)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"id": published["id"]})
