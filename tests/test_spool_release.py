"""Large bytes outlive the ledger's need for them until the disk knows that nobody needs them."""

from __future__ import annotations

import pytest

from tests.desk_support import Office, office_fixture, receive, spooled, text_article
from worker import pipeline
from worker.errors import StateError

office = office_fixture()


def test_bytes_stay_where_the_disk_does_not_keep_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that lost its last second brings the batch back: it must find its bytes."""

    def too_slow() -> None:
        raise StateError("the server did not write to disk")

    large = spooled(office.desk, text_article(1).encode())
    batch_id = receive(office.desk, large)
    pipeline.parse(office.desk, batch_id)
    monkeypatch.setattr(office.desk, "wait_until_durable", too_slow)
    with pytest.raises(StateError):
        pipeline.dedupe(office.desk, batch_id)
    assert office.verdicts() == {"stored": 1}
    assert office.desk.read(large) == text_article(1).encode()


def test_bytes_are_freed_when_the_last_verdict_is_given(office: Office) -> None:
    large = spooled(office.desk, text_article(1).encode())
    pipeline.parse(office.desk, receive(office.desk, large))
    assert office.desk.read(large)
    office.drain()
    assert office.verdicts() == {"stored": 1}
    assert list(office.desk.spool.directory.iterdir()) == []
