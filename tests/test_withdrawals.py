"""A withdrawn record is followed by the copy that was seen first, once, whatever is killed in between."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from tests.desk_support import NOW, Office, die_in_a_child, document, office_fixture, receive
from tests.test_cli_dedupe import HARBOUR, REWRITTEN
from worker.dedupe.exact_copies import WARNING
from worker.operate.explain import explain
from worker.operate.families import split
from worker.state.families import Families, Family
from worker.state.queue import StorageQueue
from worker.store import writer
from worker.store.withdrawals import publish_next_copy

office = office_fixture({"COPYDESK_STORE_CLAIM_IDLE_SECONDS": "0"})
NEAR = f"ELN (Agency) - {REWRITTEN}"


def push(office: Office, source: str, body: str, hours: int, status: str = "usable", number: int = 1) -> None:
    """An article goes as far as the storage queue."""
    uri = f"tag:{source}:{number}"
    item = {"uri": uri, "type": "text", "pubstatus": status, "headline": f"Gates {source}", "body_text": body}
    stamped = item | {"versioncreated": f"2026-11-01T{10 + hours}:00:00Z", "byline": f"By Ada {source.upper()}orn"}
    content, at = json.dumps(stamped).encode(), NOW + timedelta(hours=hours)
    sent = document(content, f"wire/{uri}.json", source_id=source, received_at=at)
    office.bells.ring("parse", "news", receive(office.desk, sent, source_id=source))
    office.drain()


def send(office: Office, source: str, body: str, hours: int, status: str = "usable", number: int = 1) -> None:
    push(office, source, body, hours, status, number)
    office.store()


def kill(office: Office, source: str, hours: int) -> None:
    send(office, source, HARBOUR, hours, "canceled")


def published(office: Office) -> list[str]:
    return sorted(record.source_id for record in office.sink.newest(10))


def family(office: Office, record_id: str) -> Family:
    found = Families(office.desk.redis, office.desk.settings).show(record_id)
    assert found is not None
    return found


def test_the_earliest_kept_copy_is_published_in_the_place_of_a_withdrawn_record(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", NEAR, 1)
    send(office, "c", f"ELN (Wire) - {REWRITTEN}\n\n(Reporting by Wire)", 2)
    (head,) = office.sink.newest(10)
    assert [copy.source_id for copy in office.sink.copies(head.id, 10)] == ["b", "c"]

    kill(office, "a", 3)
    assert published(office) == ["b"]
    heir = office.sink.newest(1)[0]
    assert (heir.family_id, heir.matched_id) == (head.id, head.id)
    assert [copy.source_id for copy in office.sink.copies(head.id, 10)] == ["c"]
    assert office.reconcile().balanced

    send(office, "d", f"ELN (Post) - {REWRITTEN}", 4)
    assert published(office) == ["b"], "a further copy is the heir's"
    assert family(office, head.id).head_id == heir.id


def test_an_exact_copy_is_published_with_the_text_of_the_withdrawn_record(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    (head,) = office.sink.newest(10)
    send(office, "b", HARBOUR.upper(), 1)
    kill(office, "a", 2)
    (heir,) = office.sink.newest(10)
    assert (heir.source_id, heir.guid, heir.headline, heir.raw_ref) == ("b", "tag:b:1", "Gates b", "wire/tag:b:1.json")
    assert [author.name for author in heir.authors] == ["Ada Born"]
    assert heir.received_at == NOW + timedelta(hours=1)
    assert heir.body_text == head.body_text
    assert (heir.family_id, heir.relation, heir.matched_id, heir.version) == (head.id, "exact", head.id, 1)
    assert WARNING in heir.warnings
    assert heir.provenance["body_text"] == f"record {head.id} version 1"
    assert (family(office, head.id).head_id, office.reconcile().balanced) == (heir.id, True)
    (receipt,) = explain(office.desk, office.sink, heir.id)["receipts"]
    assert [receipt[name] for name in ("verdict", "relation", "matched_id")] == ["duplicate", "exact", head.id]

    send(office, "b", HARBOUR.upper(), 1)
    send(office, "c", HARBOUR, 3)
    assert published(office) == ["b"], "it is known, and another copy is a copy of it"
    send(office, "b", f"{HARBOUR} The port will reopen in May.", 4)
    assert [record.version for record in office.sink.versions(heir.id)] == [1, 2], "its publisher's next version"
    assert published(office) == ["b"]


def test_a_publisher_withdraws_its_text_at_all_its_addresses(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "a", HARBOUR, 1, number=2)
    kill(office, "a", 2)
    assert published(office) == []
    send(office, "b", HARBOUR, 3)
    assert published(office) == ["b"]
    kill(office, "b", 4)
    assert published(office) == [], "nor is it at a's other address"


def test_near_and_exact_copies_follow_in_the_order_in_which_they_were_seen(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    for hours, (source, body) in enumerate({"b": HARBOUR, "c": NEAR, "d": HARBOUR, "e": NEAR + " End"}.items(), 1):
        send(office, source, body, hours)
    followed = []
    for hours, source in enumerate("abcde", 6):
        kill(office, source, hours)
        followed.append(published(office))
    assert followed == [["b"], ["c"], ["d"], ["e"], []]
    assert office.reconcile().balanced


def test_a_copy_that_came_before_the_writer_did_leads_and_the_seen_one_follows_it(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", HARBOUR, 1)
    push(office, "a", HARBOUR, 2, "canceled")
    send(office, "c", HARBOUR, 3)
    assert published(office) == ["c"]
    kill(office, "c", 4)
    assert published(office) == ["b"]


@pytest.mark.parametrize("body", [HARBOUR, NEAR], ids=["exact", "near"])
def test_a_copy_that_its_own_publisher_took_back_follows_nobody(office: Office, body: str) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", body, 1)
    kill(office, "b", 2)
    kill(office, "a", 3)
    assert published(office) == []
    assert office.reconcile().balanced


def test_writers_that_act_at_once_publish_one_follower(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    for source, body in {"b": HARBOUR, "c": NEAR, "d": HARBOUR}.items():
        send(office, source, body, 1)
    (head,) = office.sink.newest(10)
    push(office, "a", HARBOUR, 2, "canceled")
    families = Families(office.desk.redis, office.desk.settings)
    withdrawal = office.desk.redis.xlen(office.desk.keys.stream)
    with ThreadPoolExecutor(8) as pool:
        named = list(pool.map(lambda _: publish_next_copy(families, office.sink, head.id), range(16)))
    assert len(set(named) - {None}) == 1
    assert office.desk.redis.xlen(office.desk.keys.stream) == withdrawal + 2, "the follower, and its family"


def test_each_follower_has_the_text_that_it_copied(office: Office) -> None:
    corrected = HARBOUR.replace("38 million", "39 million")
    send(office, "a", HARBOUR, 0)
    send(office, "b", HARBOUR, 1)
    send(office, "a", corrected, 2)
    send(office, "c", NEAR, 3)
    send(office, "d", NEAR, 4)
    (head,) = office.sink.newest(10)
    assert [seen.source_id for seen in head.seen_in] == ["b", "c", "d"]
    followed = []
    for source in "abc":
        kill(office, source, 5)
        (follower,) = office.sink.newest(10)
        words = [word for word in ("corroded", "rusted", "38 million", "39 million") if word in follower.body_text]
        followed.append((follower.source_id, words))
    assert followed == [("b", ["corroded", "38 million"]), *((source, ["rusted", "38 million"]) for source in "cd")]


@pytest.mark.parametrize("body", [HARBOUR, NEAR], ids=["exact", "near"])
def test_a_withdrawal_that_is_read_again_publishes_nothing_more(office: Office, body: str) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", body, 1)
    send(office, "c", body, 1)
    (head,) = office.sink.newest(10)
    kill(office, "a", 2)
    families = Families(office.desk.redis, office.desk.settings)
    assert publish_next_copy(families, office.sink, head.id) is None
    office.store()
    assert published(office) == ["b"]
    assert office.sink.count() == 3


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before(_: Callable[..., object]) -> Callable[..., object]:
    return die


def after(publish: Callable[..., object]) -> Callable[..., object]:
    def act(*arguments: object) -> None:
        publish(*arguments)
        die()

    return act


@pytest.mark.parametrize("moment", [before, after])
@pytest.mark.parametrize("body", [HARBOUR, NEAR], ids=["exact", "near"])
def test_a_writer_that_dies_beside_the_publication_leaves_exactly_one_follower(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    moment: Callable[[Callable[..., object]], Callable[..., object]],
) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", body, 1)
    send(office, "c", body, 2)
    push(office, "a", HARBOUR, 3, "canceled")

    def dies() -> None:
        monkeypatch.setattr(writer, "publish_next_copy", moment(publish_next_copy))
        office.store()

    die_in_a_child(dies)
    office.store()
    assert published(office) == ["b"]
    assert office.reconcile().balanced
    creates = [stored.record.source_id for stored in office.sink.after(0, 10) if stored.record.event == "create"]
    assert creates == ["a", "b"]


def test_a_copy_that_another_writer_stores_late_follows_all_the_same(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    push(office, "b", HARBOUR, 1)
    queue = StorageQueue(office.desk.redis, office.desk.keys, office.desk.settings.store.group)
    (late,) = queue.read_new("another", 1, 0)
    assert late.fields[b"event"] == b"seen"
    push(office, "a", HARBOUR, 2, "canceled")
    (withdrawal,) = queue.read_new("third", 1, 0)
    office.sink.write([withdrawal])
    assert (
        publish_next_copy(Families(office.desk.redis, office.desk.settings), office.sink, late.fields[b"id"].decode())
        is None
    )
    queue.acknowledge([withdrawal])
    office.store()
    assert published(office) == ["b"]


def test_what_an_older_copydesk_saw_is_not_published(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", HARBOUR, 1)
    with closing(sqlite3.connect(office.desk.settings.data / "records.db")) as store, store:
        store.execute("UPDATE seen_in SET facts = NULL")
    kill(office, "a", 2)
    assert published(office) == [], "the place alone does not tell whether its text was the same"


def test_dropped_copies_whose_head_is_split_off_get_another(office: Office) -> None:
    send(office, "a", HARBOUR, 0)
    send(office, "b", NEAR, 1)
    send(office, "c", f"{NEAR} End", 2)
    (head,) = office.sink.newest(10)
    split(office.desk, office.sink, head.id)
    office.store()
    assert published(office) == ["a", "b"]
    first, second = sorted(office.sink.newest(10), key=lambda record: record.source_id)
    assert (first.family_id, family(office, second.id).head_id) == (first.id, second.id)
    assert second.family_id == family(office, second.id).family_id != first.id
    assert office.reconcile().balanced
