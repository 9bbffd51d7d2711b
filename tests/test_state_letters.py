"""Dead letters: found by filter, replayed with their history, purged with their bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.desk_support import (
    DAY,
    Office,
    assert_balanced,
    document,
    office_fixture,
    receive,
    spooled,
    text_article,
)
from tests.store_entries import entry, sighting
from worker import pipeline
from worker.desk import Desk
from worker.model import DeadLetter, Refusal
from worker.operate.dead import bury_refused, purge, replay
from worker.state.keys import RECEIVED
from worker.state.ledger import Buried
from worker.state.letters import Filter
from worker.state.pressure import Pressure

FEED = """<rss version="2.0"><channel><title>County</title>{}</channel></rss>"""
ITEM = "<item><title>{0}</title><guid>tag:{0}</guid><description>{0} {1}</description></item>"


MOST_IN_FLIGHT, FAIR = 20, 7
office = office_fixture()


@pytest.fixture
def desk(office: Office) -> Desk:
    return office.desk


def bury(desk: Desk, *refusals: Refusal, source_id: str = "push") -> list[DeadLetter]:
    """One batch of as many documents, all refused; its letters."""
    documents = [document(b"%d" % number, f"drop/{number}", source_id=source_id) for number in range(len(refusals))]
    before = {letter.id for letter in desk.letters.find()}
    claim = desk.ledger.claim(receive(desk, *documents, source_id=source_id), RECEIVED)
    assert claim is not None
    desk.ledger.advance(claim, [], [Buried(number, refusal) for number, refusal in enumerate(refusals)])
    return [letter for letter in desk.letters.find() if letter.id not in before]


def refusal(code: str = "no_article", **facts: Any) -> Refusal:
    return Refusal(**{"verdict": "rejected", "code": code, "detail": code, **facts})


def test_filters_are_met_all_at_once(desk: Desk) -> None:
    bury(desk, refusal(), refusal("malformed_json"), refusal("parse_error", verdict="dead"), source_id="a")
    bury(desk, refusal(), source_id="b")

    def found(**wanted: Any) -> int:
        return len(list(desk.letters.find(Filter(**wanted))))

    assert found() == 4
    assert (found(verdict="dead"), found(verdict="rejected")) == (1, 3)
    assert (found(code="no_article"), found(source_id="a"), found(stage="parse"), found(stage="dedupe")) == (2, 3, 4, 0)
    assert found(code="no_article", source_id="b", verdict="rejected") == 1
    assert found(code="no_article", verdict="dead") == 0
    now = datetime.now(UTC)
    assert (found(since=now - timedelta(hours=1)), found(until=now - timedelta(hours=1))) == (4, 0)
    assert (desk.letters.count("dead"), desk.letters.count("rejected")) == (1, 3)


def test_newest_come_first_and_a_limit_holds(desk: Desk) -> None:
    for number in range(4):
        bury(desk, refusal(detail=str(number)))
    assert [letter.detail for letter in desk.letters.find(limit=3)] == ["3", "2", "1"]
    assert desk.letters.get("no such letter") is None


def test_replaying_while_reading_leaves_none_out(desk: Desk) -> None:
    letters = bury(desk, *[refusal() for _ in range(450)])
    assert len(letters) == 450
    assert replay(desk, desk.letters.find(Filter())) == 450
    assert desk.letters.count("rejected") == 0
    assert desk.counters.in_flight() == 450
    assert_balanced(desk)


def test_pages_leave_none_out_and_name_none_twice(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.state.letters.PAGE_IDS", 3)
    for size in (1, 10, 2, 1):
        bury(desk, *[refusal() for _ in range(size)])
    found = [letter.id for letter in desk.letters.find()]
    assert len(found) == len(set(found)) == 14
    assert replay(desk, desk.letters.find()) == 14
    assert list(desk.letters.find()) == []


def test_letters_are_read_while_they_are_worked_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.state.letters.PAGE_IDS", 2)
    monkeypatch.setattr("worker.state.letters.PAGE_LETTERS", 1)
    letters = [bury(desk, refusal())[0] for _ in range(4)]
    reading = desk.letters.find()
    assert next(reading).id == letters[3].id
    purge(desk, letters[:2])
    assert [letter.id for letter in reading] == [letters[2].id], "what is gone meanwhile was not read before"


def with_marks(desk: Desk) -> Desk:
    """The desk with low marks."""
    marks = msgspec.structs.replace(desk.settings.pressure, in_flight_documents=MOST_IN_FLIGHT, fair_documents=FAIR)
    desk.settings = msgspec.structs.replace(desk.settings, pressure=marks)
    desk.pressure = Pressure(desk.redis, desk.settings)
    return desk


def test_a_replay_of_many_waits_for_the_marks_and_says_why(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.state.pressure.CACHE_SECONDS", 0.0)
    monkeypatch.setattr("worker.operate.dead.PRESSURE_SECONDS", 0.0)
    desk = with_marks(office.desk)
    reasons: list[str] = []
    bury(desk, *[refusal() for _ in range(3 * MOST_IN_FLIGHT)])

    def report(_count: int, waits: str | None) -> None:
        if waits is not None:
            reasons.append(waits)
            office.drain()
        assert desk.counters.in_flight() <= MOST_IN_FLIGHT

    assert replay(desk, list(desk.letters.find()), report=report) == 3 * MOST_IN_FLIGHT
    assert "documents in flight" in reasons[0]
    assert_balanced(desk)


def test_a_replay_of_many_queues_behind_other_work(office: Office) -> None:
    letters = bury(office.desk, *[refusal() for _ in range(FAIR + 3)])
    replay(with_marks(office.desk), letters)
    lanes = [lane for task, lane, _ in office.bells.rung if task == "parse"]
    assert lanes == ["news"] * FAIR + ["backfill"] * 3


def test_what_was_purged_before_an_interruption_leaves_no_bytes_behind(desk: Desk) -> None:
    for number in range(2):
        claim = desk.ledger.claim(receive(desk, spooled(desk, b"x" * 100, f"{number}.txt")), RECEIVED)
        assert claim is not None
        desk.ledger.advance(claim, [], [Buried(0, refusal())])

    def interrupt(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(desk, desk.letters.find(), interrupt)
    assert desk.letters.count("rejected") == 1
    assert len(list(desk.spool.directory.iterdir())) == 1


def test_a_replay_keeps_the_account_and_the_history(office: Office) -> None:
    desk = office.desk
    (first,) = bury(desk, refusal())
    assert replay(desk, [first]) == 1
    assert replay(desk, [first]) == 0, "twice is once"
    assert desk.letters.get(first.id) is None
    totals = desk.counters.totals()
    assert (totals["received"], totals["rejected"], desk.counters.in_flight()) == (1, 0, 1)
    assert desk.counters.by_source(DAY)["push"]["rejected"] == 0
    assert_balanced(desk)
    assert desk.counters.events()["replayed"] == 1
    waiting: Any = desk.redis.zrange(desk.keys.waiting(RECEIVED, "news"), 0, -1)
    claim = desk.ledger.claim(waiting[0].decode(), RECEIVED)
    assert claim is not None
    again = claim.batch.documents[0]
    assert again == msgspec.structs.replace(first.document, replayed_from=first.id, history=again.history)
    assert [(burial.letter_id, burial.at, burial.code) for burial in again.history] == [
        (first.id, first.at, first.code)
    ]
    desk.ledger.advance(claim, [], [Buried(0, refusal("malformed_json"))])
    (second,) = desk.letters.find()
    assert second.document.replayed_from == first.id
    assert_balanced(desk)


def test_a_document_that_is_sound_now_is_stored_by_its_replay(office: Office) -> None:
    claim = office.desk.ledger.claim(receive(office.desk, document(text_article(1).encode())), RECEIVED)
    assert claim is not None
    office.desk.ledger.advance(claim, [], [Buried(0, refusal("parse_error", verdict="dead"))])
    replay(office.desk, office.desk.letters.find())
    office.drain()
    assert office.verdicts() == {"stored": 1}


def test_a_member_of_a_feed_is_replayed_alone(office: Office) -> None:
    items = "".join(ITEM.format(name, "word " * 20) for name in ("Bread", "Salt", "Wine"))
    claim = office.desk.ledger.claim(receive(office.desk, document(FEED.format(items).encode(), "feed.rss")), RECEIVED)
    assert claim is not None
    office.desk.ledger.advance(claim, [], [Buried(0, refusal("parse_error", verdict="dead", member=1))])
    assert replay(office.desk, office.desk.letters.find()) == 1
    office.drain()
    assert [record.headline for record in office.queued()] == ["Salt"]
    assert office.verdicts() == {"stored": 1}
    assert office.desk.counters.totals()["members"] == 0


def test_purging_frees_the_spool(desk: Desk) -> None:
    large = spooled(desk, b"large")
    claim = desk.ledger.claim(receive(desk, large), RECEIVED)
    assert claim is not None
    desk.ledger.advance(claim, [], [Buried(0, refusal())])
    letters = list(desk.letters.find())
    assert [desk.read(letter.document) for letter in letters] == [b"large"]
    purge(desk, letters)
    purge(desk, letters)
    assert list(desk.spool.directory.iterdir()) == []
    assert not desk.ledger.holds(str(large.content_ref))
    assert list(desk.letters.find()) == []
    assert desk.counters.totals()["rejected"] == 1, "what was rejected stays counted"
    assert_balanced(desk)


def test_a_replayed_large_document_is_freed_when_it_is_settled(office: Office) -> None:
    large = spooled(office.desk, text_article(1).encode())
    claim = office.desk.ledger.claim(receive(office.desk, large), RECEIVED)
    assert claim is not None
    office.desk.ledger.advance(claim, [], [Buried(0, refusal())])
    replay(office.desk, office.desk.letters.find())
    assert office.desk.ledger.holds(str(large.content_ref))
    office.drain()
    assert office.verdicts() == {"stored": 1}
    assert list(office.desk.spool.directory.iterdir()) == []


def test_the_sweep_purges_rejected_letters_that_are_old(desk: Desk) -> None:
    large = spooled(desk, b"large")
    claim = desk.ledger.claim(receive(desk, large), RECEIVED)
    assert claim is not None
    desk.ledger.advance(claim, [], [Buried(0, refusal())])
    (old,) = desk.letters.find()
    bury(desk, refusal(), refusal("parse_error", verdict="dead"))
    ancient = old.at.timestamp() - 31 * 86_400
    aged = [letter for letter in desk.letters.find() if letter.id == old.id or letter.verdict == "dead"]
    for letter in aged:
        desk.redis.zadd(desk.keys.name("letters", letter.verdict), {letter.id: ancient})
    pipeline.sweep(desk)
    assert desk.letters.get(old.id) is None
    assert (desk.letters.count("rejected"), desk.letters.count("dead")) == (1, 1), "dead ones are kept"
    assert list(desk.spool.directory.iterdir()) == []


def test_a_record_the_store_refuses_is_buried_and_replayed_to_the_queue(office: Office) -> None:
    office.bells.ring("parse", "news", receive(office.desk, document(text_article(1).encode())))
    office.drain()
    (before,) = office.queued()
    rows: Any = office.desk.redis.xrange(office.desk.keys.stream)
    ((_, fields),) = rows
    fields[b"record"] = fields[b"record"].replace(b'"word_count":', b'"word_count":"many","was":')
    office.desk.redis.delete(office.desk.keys.stream)
    office.desk.redis.xadd(office.desk.keys.stream, fields)
    office.store()
    (letter,) = office.desk.letters.find(Filter(stage="store"))
    assert (letter.code, letter.source_id, letter.document.origin) == ("sink_error", "push", before.id)
    assert letter.document.content == fields[b"record"]
    report = office.reconcile()
    assert report.balanced, report.problems
    assert (report.missing, report.buried) == (0, 1)
    assert replay(office.desk, [letter, letter]) == 1
    assert office.desk.redis.xlen(office.desk.keys.stream) == 1
    office.store()
    assert [again.document.content for again in office.desk.letters.find(Filter(stage="store"))] == [fields[b"record"]]


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b'{"id": "\xff"}', b"[]", b"7", b'{"version": "x"}', b'{"version":1e999}']
)
def test_whatever_a_refused_entry_holds_it_is_kept_and_replayed(office: Office, data: bytes) -> None:
    refused = entry({"event": "create", "id": "r1", "version": 1, "record": data})
    bury_refused(office.desk, refused, "no record")
    bury_refused(office.desk, refused, "no record")
    (letter,) = office.desk.letters.find()
    assert (letter.source_id, letter.detail) == ("unknown", "no record")
    assert replay(office.desk, [letter]) == 1
    assert office.desk.redis.xlen(office.desk.keys.stream) == 1


def test_a_refused_sighting_is_replayed_as_one(office: Office) -> None:
    refused = entry(sighting("r1"))
    bury_refused(office.desk, refused, "not now")
    replay(office.desk, office.desk.letters.find())
    rows: Any = office.desk.redis.xrange(office.desk.keys.stream)
    assert [fields for _, fields in rows] == [refused.fields | {b"first_entry": refused.entry_id.encode()}]
