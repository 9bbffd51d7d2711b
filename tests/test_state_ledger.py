"""The ledger on a real server: leases, deliveries, splitting, spool references, and the balance at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from tests.desk_support import (
    DAY,
    NOW,
    Office,
    assert_balanced,
    document,
    office_fixture,
    receive,
    settings_for,
    spooled,
)
from tests.support import wait_until
from worker.desk import Desk
from worker.errors import StateError
from worker.model import Article, Batch, Refusal
from worker.state.codec import Item
from worker.state.keys import PARSED, RECEIVED, Stage
from worker.state.ledger import Buried, Claim, Ledger, lane_of, new_id

REFUSED = Refusal(verdict="rejected", code="no_article", detail="nothing there")
PATIENT = {"COPYDESK_SWEEPER_LEASE_SECONDS": "600"}


office = office_fixture(PATIENT)


@pytest.fixture
def desk(office: Office) -> Desk:
    return office.desk


@pytest.fixture
def hasty(desk: Desk, tmp_path: Path) -> Ledger:
    """The same ledger for a holder whose leases lapse at once."""
    return Ledger(desk.redis, settings_for(tmp_path, {"COPYDESK_SWEEPER_LEASE_SECONDS": "0.01"}))


def claim(ledger: Ledger, batch_id: str, stage: Stage = RECEIVED) -> Claim:
    found = ledger.claim(batch_id, stage)
    assert found is not None
    return found


def claim_again(ledger: Ledger, batch_id: str, stage: Stage = RECEIVED) -> Claim:
    """The claim after the lease before has lapsed."""
    found: list[Claim] = []

    def try_it() -> bool:
        found.extend(claim for claim in [ledger.claim(batch_id, stage)] if claim)
        return bool(found)

    wait_until(try_it, "the lease's end")
    return found[0]


def article(number: int = 0, member: int | None = None) -> Article:
    words = " ".join(f"word{number}x{index}" for index in range(60))
    return Article(headline=f"Headline {number}", body_text=words, guid=f"g{number}", member=member)


def batch_field(desk: Desk, batch_id: str, name: str) -> bytes | None:
    return cast("bytes | None", desk.redis.hget(desk.keys.batch(batch_id), name))


def held(desk: Desk) -> dict[bytes, bytes]:
    return cast("dict[bytes, bytes]", desk.redis.hgetall(desk.keys.name("spool")))


def test_receiving_a_batch_twice_is_once(desk: Desk) -> None:
    batch = Batch(id=new_id("news"), source_id="s", lane="news", day=DAY, documents=(document(), document(b"y")))
    assert desk.ledger.receive(batch, {"mark": "1"})
    assert not desk.ledger.receive(batch, {"mark": "2"})
    assert desk.counters.totals()["received"] == desk.counters.in_flight() == 2
    assert desk.recall("s") == {"mark": "1"}
    assert desk.ledger.waiting(RECEIVED, "news") == 1
    assert_balanced(desk)


def test_an_empty_batch_only_remembers_and_an_empty_value_forgets(desk: Desk) -> None:
    empty = Batch(id=new_id("news"), source_id="s", lane="news", day=DAY, documents=())
    assert desk.ledger.receive(empty, {"etag": "x", "gone": ""})
    desk.ledger.receive(msgspec.structs.replace(empty, id=new_id("news")), {"etag": ""})
    assert desk.recall("s") == {}
    assert desk.ledger.waiting(RECEIVED, "news") == 0
    assert desk.counters.totals()["received"] == 0


def test_a_batch_comes_back_as_it_went_in(desk: Desk) -> None:
    documents = (document(b"\x00\xff", "a#b", member=3, language="de"), document(b"", "c", replayed_from="l1"))
    batch_id = receive(desk, *documents, lane="backfill")
    assert lane_of(batch_id) == "backfill"
    found = claim(desk.ledger, batch_id)
    assert found.batch == Batch(id=batch_id, source_id="push", lane="backfill", day=DAY, documents=documents)
    assert (found.stage, found.deliveries, found.progress, found.items, found.remaining) == (RECEIVED, 1, 0, (), 2)


def test_ids_sort_by_time_within_a_lane() -> None:
    ids = [new_id("news") for _ in range(50)]
    assert [name[:13] for name in ids] == sorted(name[:13] for name in ids)
    assert len(set(ids)) == 50


def test_a_batch_is_held_by_one(desk: Desk) -> None:
    batch_id = receive(desk, document())
    assert desk.ledger.claim(batch_id, PARSED) is None
    claim(desk.ledger, batch_id)
    assert desk.ledger.claim(batch_id, RECEIVED) is None
    assert batch_field(desk, batch_id, "deliveries") == b"1", "a claim that fails is no delivery"


def test_what_is_settled_or_was_never_there_cannot_be_claimed(desk: Desk) -> None:
    batch_id = receive(desk, document())
    desk.ledger.advance(claim(desk.ledger, batch_id), [], [Buried(0, REFUSED)])
    assert desk.ledger.claim(batch_id, RECEIVED) is None
    assert desk.ledger.claim(batch_id, PARSED) is None
    assert desk.ledger.claim(new_id("news"), RECEIVED) is None
    assert desk.redis.exists(desk.keys.batch(batch_id)) == 0


def test_a_lapsed_lease_is_delivered_again_and_counted(desk: Desk, hasty: Ledger) -> None:
    batch_id = receive(desk, document())
    first = claim(hasty, batch_id)
    second = claim_again(hasty, batch_id)
    assert (first.deliveries, second.deliveries) == (1, 2)
    assert desk.counters.events()["redelivered"] == 1
    assert_balanced(desk)


def test_a_renewed_lease_does_not_lapse(desk: Desk, hasty: Ledger) -> None:
    batch_id = receive(desk, document())
    first = claim(hasty, batch_id)
    assert desk.ledger.renew(first)
    assert desk.ledger.claim(batch_id, RECEIVED) is None
    desk.ledger.hand_back(first)
    assert not desk.ledger.renew(first), "a lease that was given up cannot be renewed"


def test_handing_back_is_no_delivery_and_makes_the_batch_due(desk: Desk) -> None:
    batch_id = receive(desk, document())
    first = claim(desk.ledger, batch_id)
    assert desk.ledger.overdue(RECEIVED, "news", 10) == []
    assert desk.ledger.hand_back(first)
    assert not desk.ledger.hand_back(first)
    assert desk.ledger.overdue(RECEIVED, "news", 10) == [batch_id]
    assert claim(desk.ledger, batch_id).deliveries == 1
    assert "redelivered" not in desk.counters.events()


def test_a_holder_that_lost_its_lease_changes_nothing(desk: Desk, hasty: Ledger) -> None:
    batch_id = receive(desk, document(), document(b"y"))
    late = claim(hasty, batch_id)
    holder = claim_again(desk.ledger, batch_id)
    assert desk.ledger.advance(late, [Item(0, article())], [Buried(1, REFUSED)]) is None
    assert desk.ledger.split(late) == ([], [])
    assert not desk.ledger.hand_back(late)
    assert not desk.ledger.renew(late)
    assert desk.letters.count("rejected") == 0
    assert desk.ledger.advance(holder, [Item(0, article())], [Buried(1, REFUSED)]) == []
    assert desk.letters.count("rejected") == 1
    assert_balanced(desk)


def test_advancing_twice_counts_once(desk: Desk) -> None:
    batch_id = receive(desk, document(), document(b"y"))
    holder = claim(desk.ledger, batch_id)
    found = [Item(0, article(1)), Item(0, article(2)), Item(0, article(3))]
    assert desk.ledger.advance(holder, found, [Buried(1, REFUSED)]) == []
    assert desk.ledger.advance(holder, found, [Buried(1, REFUSED)]) is None
    totals = desk.counters.totals()
    assert (totals["received"], totals["members"], totals["parsed"], totals["rejected"]) == (2, 2, 3, 1)
    assert desk.counters.in_flight() == 3
    assert [(d.stage, d.batches, d.documents) for d in desk.counters.depths() if d.batches] == [("parsed", 1, 3)]
    assert_balanced(desk)


def test_deliveries_start_anew_in_the_next_stage(desk: Desk, hasty: Ledger) -> None:
    batch_id = receive(desk, document())
    claim(hasty, batch_id)
    desk.ledger.advance(claim_again(desk.ledger, batch_id), [Item(0, article())], [])
    assert claim(desk.ledger, batch_id, PARSED).deliveries == 1


def test_articles_buried_while_deduping_are_not_parsed_twice(desk: Desk) -> None:
    batch_id = receive(desk, document())
    items = [Item(0, article(number, number)) for number in range(3)]
    desk.ledger.advance(claim(desk.ledger, batch_id), items, [])
    broken = Refusal(verdict="dead", code="dedupe_error", detail="", member=1)
    desk.ledger.advance(claim(desk.ledger, batch_id, PARSED), [items[0], items[2]], [Buried(0, broken)])
    assert desk.counters.totals()["parsed"] == 3
    assert desk.counters.in_flight() == 2
    assert claim(desk.ledger, batch_id, PARSED).items == (items[0], items[2])
    assert_balanced(desk)


def test_letters_carry_the_document_the_reason_and_the_day(desk: Desk) -> None:
    batch_id = receive(desk, document(b"first"), document(b"\xff\x00 second", "drop/b.bin"))
    refusal = Refusal(verdict="dead", code="parse_error", detail="KeyError: 'x'", traceback="Traceback ...", member=7)
    desk.ledger.advance(claim(desk.ledger, batch_id), [Item(0, article())], [Buried(1, refusal)])
    (letter,) = desk.letters.find()
    assert (letter.verdict, letter.stage, letter.code) == ("dead", "parse", "parse_error")
    assert (letter.detail, letter.traceback, letter.deliveries) == ("KeyError: 'x'", "Traceback ...", 1)
    assert (letter.source_id, letter.lane, letter.day) == ("push", "news", DAY)
    assert letter.document == document(b"\xff\x00 second", "drop/b.bin", only_member=7)


def test_a_reason_that_is_no_valid_text_is_kept_all_the_same(desk: Desk) -> None:
    batch_id = receive(desk, document())
    refusal = Refusal(verdict="dead", code="parse_error", detail="bad \ud800", traceback="\udfff", member="m\ud801")
    assert desk.ledger.advance(claim(desk.ledger, batch_id), [], [Buried(0, refusal)]) == []
    (letter,) = desk.letters.find()
    assert letter.detail == "bad ?"
    assert_balanced(desk)


def test_splitting_a_received_batch_gives_one_for_each_document(desk: Desk) -> None:
    documents = [document(bytes([65 + index]), f"drop/{index}") for index in range(5)]
    batch_id = receive(desk, *documents)
    children, _ = desk.ledger.split(claim(desk.ledger, batch_id))
    assert [claim(desk.ledger, child).batch.documents for child in children] == [(each,) for each in documents]
    assert desk.redis.exists(desk.keys.batch(batch_id)) == 0
    assert desk.ledger.waiting(RECEIVED, "news") == desk.counters.in_flight() == 5
    assert desk.counters.events()["split"] == 1
    assert_balanced(desk)


def test_splitting_a_parsed_batch_gives_one_for_each_article_named_by_its_member(desk: Desk) -> None:
    batch_id = receive(desk, document(b"<rss/>", "feed.xml"), document(b"line", "a.jsonl", member=9))
    items = [Item(0, article(1, 0)), Item(0, article(2, 1)), Item(1, article(3, 9))]
    desk.ledger.advance(claim(desk.ledger, batch_id), items, [])
    children, freed = desk.ledger.split(claim(desk.ledger, batch_id, PARSED))
    assert freed == []
    claims = [claim(desk.ledger, child, PARSED) for child in children]
    assert [(c.batch.documents[0].origin, c.batch.documents[0].part) for c in claims] == [
        ("feed.xml", 0),
        ("feed.xml", 1),
        ("a.jsonl", 9),
    ]
    assert [c.items for c in claims] == [(Item(0, item.article),) for item in items]
    assert desk.counters.in_flight() == 3
    assert_balanced(desk)


def test_children_wait_since_their_parent_came(desk: Desk) -> None:
    batch_id = receive(desk, document(), document(b"y"))
    waiting = desk.keys.waiting(RECEIVED, "news")
    entered: Any = desk.redis.zscore(waiting, batch_id)
    children, _ = desk.ledger.split(claim(desk.ledger, batch_id))
    scores: list[Any] = [desk.redis.zscore(waiting, child) for child in children]
    assert scores == [entered, entered]


def test_overdue_names_a_batch_once_an_interval(desk: Desk, tmp_path: Path) -> None:
    patient = Ledger(desk.redis, settings_for(tmp_path, {"COPYDESK_SWEEPER_AFTER_SECONDS": "600"}))
    ids = [receive(desk, document()) for _ in range(3)]
    fresh = receive(patient, document())
    assert patient.overdue(RECEIVED, "news", 2) == ids[:2], "oldest first"
    assert patient.overdue(RECEIVED, "news", 10) == ids[2:]
    assert patient.overdue(RECEIVED, "news", 10) == [], "put off"
    assert patient.overdue(RECEIVED, "backfill", 10) == []
    assert patient.claim(fresh, RECEIVED) is not None, "a bell that does come is answered all the same"
    assert desk.counters.events()["rescued"] == 3


def test_a_spool_object_is_free_when_its_last_holder_is_gone(desk: Desk) -> None:
    large = spooled(desk, b"large")
    reference = str(large.content_ref)
    batch_id = receive(desk, large)
    assert desk.ledger.holds(reference)
    items = [Item(0, article(number, number)) for number in range(2)]
    refusal = msgspec.structs.replace(REFUSED, member=2)
    assert desk.ledger.advance(claim(desk.ledger, batch_id), items, [Buried(0, refusal)]) == []
    assert held(desk) == {reference.encode(): b"2"}, "the batch and the letter"
    children, freed = desk.ledger.split(claim(desk.ledger, batch_id, PARSED))
    assert freed == []
    assert held(desk) == {reference.encode(): b"3"}, "two children and the letter"
    for child in children:
        claimed = claim(desk.ledger, child, PARSED)
        assert desk.ledger.advance(claimed, [], [Buried(0, REFUSED)]) == [], "the letter holds the bytes"
    letters = list(desk.letters.find())
    assert [desk.letters.purge(letter) for letter in letters] == [None, None, reference]
    assert held(desk) == {}


def test_splitting_gives_back_what_no_child_needs(desk: Desk) -> None:
    done, open_ = spooled(desk, b"done"), spooled(desk, b"open")
    batch_id = receive(desk, done, open_)
    items = [Item(1, article(1)), Item(1, article(2))]
    desk.ledger.advance(claim(desk.ledger, batch_id), items, [])
    _, freed = desk.ledger.split(claim(desk.ledger, batch_id, PARSED))
    assert freed == [done.content_ref]
    assert held(desk) == {str(open_.content_ref).encode(): b"2"}
    assert not desk.ledger.holds(str(done.content_ref))


def test_a_batch_of_another_version_is_kept_and_never_counted_against(desk: Desk) -> None:
    batch_id = receive(desk, document())
    key = desk.keys.batch(batch_id)
    packed: Any = desk.redis.hget(key, "documents")
    desk.redis.hset(key, "documents", b"\x7f" + packed[1:])
    for _ in range(5):
        with pytest.raises(StateError, match="another version"):
            desk.ledger.claim(batch_id, RECEIVED)
    desk.redis.hset(key, "documents", packed)
    found = claim(desk.ledger, batch_id)
    assert found.deliveries == 1, "the worker that can read it gets it as if it were new"
    assert found.batch.documents[0].received_at == NOW
    assert_balanced(desk)


def test_counters_are_booked_by_source_and_on_the_day_of_the_batch(desk: Desk) -> None:
    first = receive(desk, document(), source_id="a|odd")
    receive(desk, document(), document(), source_id="b")
    desk.ledger.advance(claim(desk.ledger, first), [], [Buried(0, REFUSED)])
    for table in (desk.counters.by_source(), desk.counters.by_source(DAY)):
        assert table["a|odd"] | {"received": 1, "rejected": 1} == table["a|odd"]
        assert table["b"]["received"] == 2
    assert desk.counters.by_source("2026-10-31") == {}
    assert desk.counters.dead_today() == 0
