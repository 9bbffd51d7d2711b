"""Golden pairs: each file under data/parse beside what it must give (`.expect.json`, the named fields only)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from worker.model import Document
from worker.parse.document import parse_document

DATA = Path(__file__).parent / "data" / "parse"
CASES = sorted(path for path in DATA.rglob("*") if path.is_file() and not path.name.endswith(".expect.json"))
RECEIVED = datetime(2025, 6, 1, tzinfo=UTC)


def parse(path: Path) -> list[dict[str, Any]]:
    document = Document(source_id="golden", origin=path.name, received_at=RECEIVED)
    found: list[dict[str, Any]] = json.loads(msgspec.json.encode(parse_document(document, path.read_bytes())))
    return found


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_gives_what_is_expected(path: Path) -> None:
    expected = json.loads(path.with_name(f"{path.name}.expect.json").read_text(encoding="utf-8"))
    found = parse(path)
    named = [{key: item.get(key) for key in want} for want, item in zip(expected, found, strict=True)]
    assert named == expected


def test_every_field_set_has_its_origin() -> None:
    article = parse(DATA / "feed" / "rss_full_text.rss")[0]
    derived = {"media_type", "encoding", "extraction", "provenance", "warnings", "feed", "member"}
    flags = {"identity_guid", "identity_url", "withdrawn"}
    unset: tuple[object, ...] = (None, "", [], {})
    set_fields = {key for key, value in article.items() if value not in unset} - derived - flags
    assert set_fields == set(article["provenance"])


def test_body_html_holds_nothing_active() -> None:
    markup = parse(DATA / "html" / "scripts_and_handlers.html")[0]["body_html"]
    assert "evil" not in markup
    assert "<p>" in markup
