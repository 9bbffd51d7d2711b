"""The samples show what their README says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from worker.operate.parse_files import parse_paths
from worker.operate.parse_processes import Line

SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, Any], Line]:
    return {(Path(line["input"]).name, line["member"]): line for line in parse_paths([SAMPLES])}


def record(found: dict[tuple[str, Any], Line], start: str, member: int | None = None) -> dict[str, Any]:
    return next(line["record"] for (name, at), line in found.items() if name.startswith(start) and at == member)


def test_only_the_broken_ones_are_refused(found: dict[tuple[str, Any], Line]) -> None:
    refused = {key: line["reason"] for key, line in found.items() if line["outcome"] != "article"}
    assert refused == {
        ("22-wire.jsonl", 3): "malformed_json",
        ("23-truncated.json", None): "malformed_json",
        ("24-not-a-text.txt", None): "binary_content",
    }


def test_they_come_in_many_languages(found: dict[tuple[str, Any], Line]) -> None:
    tags = {line["record"]["language"].split("-")[0] for line in found.values() if line["outcome"] == "article"}
    assert tags == {"en", "de", "fr", "es", "zh", "ar", "ru", "ja", "pt", "it"}


def test_each_has_enough_words_to_be_recognised(found: dict[tuple[str, Any], Line]) -> None:
    for line in found.values():
        if line["outcome"] == "article":
            body, spaceless = line["record"]["body_text"], line["record"]["language"] in ("zh", "ja")
            assert len(body) >= 200 if spaceless else len(body.split()) >= 60, line["input"]


def test_copies_have_one_text(found: dict[tuple[str, Any], Line]) -> None:
    bodies = Counter(line["record"]["body_text"] for line in found.values() if line["outcome"] == "article")
    assert sorted(count for count in bodies.values() if count > 1) == [3, 4]


def test_updates_share_their_address_and_change_their_text(found: dict[tuple[str, Any], Line]) -> None:
    for before, after in (("05-", "06-"), ("16-", "17-")):
        old, new = record(found, before), record(found, after)
        assert old["canonical_url"] == new["canonical_url"]
        assert old["body_text"] != new["body_text"]
        assert old["updated_at"] < new["updated_at"]


def test_the_demo_form_gives_all_its_parts(found: dict[tuple[str, Any], Line]) -> None:
    article = record(found, "01-")
    assert article["headline"] == "Island Ferries Cut to Four Crossings a Day"
    assert article["subheadline"] == "Cracks in the engine mounts keep two of three boats in the dock until spring."
    assert article["syndicated_from"] == "soundpost.example"
    assert [person["name"] for person in article["authors"]] == ["Petra Lindqvist"]
    assert article["source_name"] == "Calder Sound News"
    assert article["published_at"] is None
    assert article["body_text"].count("\n\n") == 3
