"""The server's clock is stepped back: what was due is due again at once, and no lease lasts until it has caught up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.desk_support import Office, document, office_fixture, receive
from worker import pipeline
from worker.model import Source
from worker.state.keys import RECEIVED
from worker.state.sources import POLLS

HOUR_SECONDS = 3600.0


office = office_fixture()


def step_back(office: Office) -> None:
    """All that the server wrote down before is of a clock that was an hour ahead."""
    desk = office.desk
    desk.clock.mind()
    desk.redis.incrbyfloat(desk.keys.name("clock"), HOUR_SECONDS)
    for key in (desk.keys.name(POLLS), desk.keys.due(RECEIVED, "news")):
        members: Any = desk.redis.zrange(key, 0, -1)
        for member in members:
            desk.redis.zincrby(key, HOUR_SECONDS, member)
    for batch in desk.redis.scan_iter(f"{desk.keys.name('batch')}:*"):
        if desk.redis.hexists(batch, "lease_until"):
            desk.redis.hincrbyfloat(batch, "lease_until", HOUR_SECONDS)


def test_a_source_does_not_wait_until_the_clock_has_caught_up(office: Office, tmp_path: Path) -> None:
    office.desk.sources.add(Source(id="watched", kind="directory", path=str(tmp_path)))
    step_back(office)
    assert office.desk.sources.pop_due() == []
    pipeline.tick(office.desk)
    assert office.desk.sources.all()[0].called


def test_a_batch_of_a_dead_worker_does_not_wait_either(office: Office) -> None:
    batch_id = receive(office.desk, document(b"Some text"))
    assert office.desk.ledger.claim(batch_id, RECEIVED) is not None
    assert office.desk.ledger.claim(batch_id, RECEIVED) is None, "leased"
    step_back(office)
    again = office.desk.ledger.claim(batch_id, RECEIVED)
    assert again is not None
    assert again.deliveries == 2


def test_a_clock_that_goes_on_moves_nothing(office: Office) -> None:
    assert office.desk.clock.mind() == 0.0
    assert office.desk.clock.mind() == 0.0
