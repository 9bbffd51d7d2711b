"""A client sends a script again when the answer was lost on the way: twice is once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk_support import DAY, Office, document, office_fixture, spooled, text_article
from worker.desk import StageTask
from worker.model import Batch
from worker.state.keys import PARSED, RECEIVED
from worker.state.ledger import new_id
from worker.state.scripts import Scripts

office = office_fixture()


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every script is sent twice, and only the second answer arrives."""
    once = Scripts.run

    def run(self: Scripts, name: str, keys: list[str], arguments: list[Any], pipe: Any = None) -> Any:
        once(self, name, keys, arguments, pipe)
        return once(self, name, keys, arguments, pipe)

    monkeypatch.setattr(Scripts, "run", run)


@pytest.mark.usefixtures("twice")
@pytest.mark.parametrize("stage", [RECEIVED, PARSED])
def test_a_claim_whose_answer_was_lost_is_not_lost_itself(office: Office, stage: Any) -> None:
    batch_id = receive_without_looking(office)
    if stage == PARSED:
        office.bells.ring("parse", "news", batch_id)
        office.step()
    claim = office.desk.ledger.claim(batch_id, stage)
    assert claim is not None
    assert claim.deliveries == 1, "one delivery, whatever the connection did"
    assert office.desk.ledger.claim(batch_id, stage) is None, "nobody else gets it meanwhile"
    assert "redelivered" not in office.desk.counters.events()


@pytest.mark.usefixtures("twice")
def test_a_document_goes_all_the_way_over_a_bad_connection(office: Office) -> None:
    batch_id = receive_without_looking(office)
    tasks: tuple[StageTask, ...] = ("parse", "dedupe")
    for task in tasks:
        # The bell of the next stage is lost with the answer of the step before; the sweeper's part is played here.
        office.bells.ring(task, "news", batch_id)
        office.drain()
    assert office.verdicts() == {"stored": 1}
    assert len(office.queued()) == 1


def test_a_batch_received_again_after_it_was_settled_is_the_same_batch(office: Office) -> None:
    desk = office.desk
    large = spooled(desk, text_article(1).encode())
    batch = Batch(id=new_id("news"), source_id="push", lane="news", day=DAY, documents=(large,))
    assert desk.ledger.receive(batch)
    desk.ring("parse", "news", batch.id)
    office.drain()
    assert not desk.ledger.receive(batch, {"file:a": "1"})
    assert desk.counters.in_flight() == 0
    assert desk.counters.totals()["received"] == 1
    assert office.verdicts() == {"stored": 1}


def receive_without_looking(office: Office) -> str:
    """Receive one article; the answer to the second receive is `known already`."""
    batch = Batch(
        id=new_id("news"),
        source_id="push",
        lane="news",
        day=DAY,
        documents=(document(text_article(1).encode()),),
    )
    office.desk.ledger.receive(batch)
    return batch.id
