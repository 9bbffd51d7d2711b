"""Versions of one article: what is an update, and what is only the same file read again."""

from __future__ import annotations

import json

import pytest

from tests.desk_support import Office, document, office_fixture, receive
from worker.state.remembered import latest_versions

office = office_fixture()


def push(office: Office, *texts: int, updated: str | None = None) -> None:
    """One article under one guid, with the texts of these numbers in this order."""
    for text in texts:
        row = {"id": "mill", "headline": "The mill turns", "body": f"turn {text} " * 30}
        if updated:
            row["updated_at"] = updated
        receive_and_drain(office, json.dumps(row).encode())


def receive_and_drain(office: Office, content: bytes) -> None:
    office.bells.ring("parse", "news", receive(office.desk, document(content, "drop/mill.json")))
    office.drain()


def test_reading_earlier_texts_again_makes_no_version(office: Office) -> None:
    push(office, 1, 2, 3)
    push(office, 1, 2, 3)
    assert office.verdicts() == {"stored": 1, "updated": 2, "duplicate": 3}
    push(office, 4)
    assert [record.version for record in office.queued()] == [1, 2, 3, 4]


def test_going_back_to_an_earlier_text_is_an_update_where_its_time_says_so(office: Office) -> None:
    push(office, 1, updated="2026-10-01T08:00:00Z")
    push(office, 2, updated="2026-10-01T09:00:00Z")
    push(office, 1, updated="2026-10-01T10:00:00Z")
    assert office.verdicts() == {"stored": 1, "updated": 2}
    push(office, 2, updated="2026-10-01T09:00:00Z")
    assert office.verdicts() == {"stored": 1, "updated": 2, "duplicate": 1}


@pytest.mark.parametrize("versions", [1, 127, 128, 129, 255, 256, 300])
def test_the_latest_version_is_read_back_whatever_its_size(office: Office, versions: int) -> None:
    push(office, *range(versions))
    ((_, version),) = latest_versions(office.desk.redis, office.desk.keys)
    assert version == versions == office.verdicts().get("updated", 0) + 1
    push(office, max(0, versions - 2), versions - 1)
    assert len(office.queued()) == versions
