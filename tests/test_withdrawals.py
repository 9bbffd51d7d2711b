"""A withdrawn record is followed by the earliest copy that was kept beside it, once."""

from __future__ import annotations

import json
from datetime import timedelta

from tests.desk_support import NOW, Office, document, office_fixture, receive
from tests.test_cli_dedupe import HARBOUR, REWRITTEN
from worker.state.families import Families
from worker.store.withdrawals import publish_next_copy

office = office_fixture()


def send(office: Office, source: str, uri: str, body: str, hours: int, status: str = "usable") -> None:
    item = {"uri": uri, "type": "text", "pubstatus": status, "headline": f"Gates {source}", "body_text": body}
    content = json.dumps(item | {"versioncreated": f"2026-11-01T{10 + hours}:00:00Z"}).encode()
    sent = document(content, f"wire/{uri}.json", source_id=source, received_at=NOW + timedelta(hours=hours))
    office.bells.ring("parse", "news", receive(office.desk, sent, source_id=source))
    office.drain()
    office.store()


def test_the_earliest_kept_copy_is_published_in_the_place_of_a_withdrawn_record(office: Office) -> None:
    send(office, "a", "tag:a:1", HARBOUR, 0)
    send(office, "b", "tag:b:1", f"ELN (Agency) - {REWRITTEN}", 1)
    send(office, "c", "tag:c:1", f"ELN (Wire) - {REWRITTEN}\n\n(Reporting by Wire)", 2)
    (head,) = office.sink.newest(10)
    assert [copy.source_id for copy in office.sink.copies(head.id, 10)] == ["b", "c"]

    send(office, "a", "tag:a:1", HARBOUR, 3, "canceled")
    assert [record.source_id for record in office.sink.newest(10)] == ["b"]
    heir = office.sink.newest(1)[0]
    assert (heir.family_id, heir.matched_id) == (head.id, head.id)
    assert [copy.source_id for copy in office.sink.copies(head.id, 10)] == ["c"]
    assert office.reconcile().balanced

    families = Families(office.desk.redis, office.desk.settings)
    send(office, "d", "tag:d:1", f"ELN (Post) - {REWRITTEN}", 4)
    assert [record.source_id for record in office.sink.newest(10)] == ["b"], "a further copy is the heir's"
    family = families.show(head.id)
    assert family is not None
    assert family.head_id == heir.id


def test_a_withdrawal_that_is_read_again_publishes_nothing_more(office: Office) -> None:
    send(office, "a", "tag:a:1", HARBOUR, 0)
    send(office, "b", "tag:b:1", f"ELN (Agency) - {REWRITTEN}", 1)
    (head,) = office.sink.newest(10)
    send(office, "a", "tag:a:1", HARBOUR, 2, "canceled")
    families = Families(office.desk.redis, office.desk.settings)
    publish_next_copy(families, office.sink, head.id)
    office.store()
    assert [record.source_id for record in office.sink.newest(10)] == ["b"]
    assert office.sink.count() == 3


def test_nothing_follows_where_no_copy_was_kept(office: Office) -> None:
    send(office, "a", "tag:a:1", HARBOUR, 0)
    send(office, "a", "tag:a:1", HARBOUR, 1, "canceled")
    assert office.sink.newest(10) == []
    assert office.reconcile().balanced
