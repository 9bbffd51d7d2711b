"""What operators ask: does it balance, what became of this document, how is it going, is it done?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.desk_support import DAY, Office, document, office_fixture, receive, text_article
from worker import pipeline
from worker.model import Source
from worker.operate.explain import explain
from worker.operate.feeds import why
from worker.operate.idle import unstored, what_waits
from worker.operate.status import snapshot
from worker.state.keys import RECEIVED

office = office_fixture()


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    drop = tmp_path / "drop"
    drop.mkdir()
    for number in range(3):
        (drop / f"{number}.txt").write_text(text_article(number))
    row = {"headline": "The mill turns", "url": "https://mill.example/turns", "body": "round and round " * 20}
    (drop / "mill.json").write_text(json.dumps(row))
    (drop / "empty.txt").write_bytes(b"")
    return drop


def test_a_settled_system_balances(office: Office, drop: Path) -> None:
    office.ingest(drop)
    before = office.reconcile()
    assert before.balanced, "what lies in the storage queue is accounted for"
    assert (before.backlog_entries, before.sink_records) == (4, 0)
    office.store()
    after = office.reconcile()
    assert after.balanced
    assert (after.received, after.verdicts["stored"], after.verdicts["rejected"]) == (5, 4, 1)
    assert (after.backlog_entries, after.sink_records, after.remembered, after.in_flight) == (0, 4, 4, 0)
    assert after.as_dict()["balanced"] is True


def test_work_in_flight_balances_too(office: Office) -> None:
    receive(office.desk, document(), document(b"y"))
    parsed = receive(office.desk, *[document(text_article(n).encode(), f"{n}.txt") for n in range(3)])
    pipeline.parse(office.desk, parsed)
    report = office.reconcile()
    assert report.balanced, report.problems
    assert report.in_flight == 5


def test_a_row_that_vanished_from_the_sink_is_named(office: Office, drop: Path) -> None:
    office.ingest(drop)
    office.store()
    (victim,) = [record for record in office.sink.newest(10) if record.headline == "The mill turns"]
    engine = create_engine(office.desk.settings.sink_url)
    with engine.begin() as connection:
        table = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%body_text%' LIMIT 1")
        ).scalar_one()
        connection.execute(text(f'DELETE FROM "{table}" WHERE id = :id'), {"id": victim.id})
    engine.dispose()
    report = office.reconcile()
    assert not report.balanced
    assert (report.missing, report.missing_named) == (1, [f"{victim.id}:1"])
    assert "neither in the sink nor in the storage queue" in report.problems[0]


def test_an_entry_that_vanished_from_the_queue_is_named(office: Office, drop: Path) -> None:
    office.ingest(drop)
    (first, *_) = office.queued()
    rows: Any = office.desk.redis.xrange(office.desk.keys.stream, count=1)
    office.desk.redis.xdel(office.desk.keys.stream, rows[0][0])
    office.store()
    report = office.reconcile()
    assert report.missing_named == [f"{first.id}:1"]


def test_an_entry_deleted_before_it_was_acknowledged_is_reported(office: Office, drop: Path) -> None:
    office.ingest(drop)
    office.desk.redis.hincrby(office.desk.keys.events, "stream_deleted_unacknowledged", 2)
    assert any("2 entries vanished" in problem for problem in office.reconcile().problems)


@pytest.mark.parametrize(("counter", "by"), [("received", 1), ("stored", 1), ("rejected", -1)])
def test_a_counter_that_was_tampered_with_is_found(office: Office, drop: Path, counter: str, by: int) -> None:
    office.ingest(drop)
    office.desk.redis.hincrby(office.desk.keys.name("counts", "total"), f"push|{counter}", by)
    report = office.reconcile()
    assert report.unaccounted == (by if counter == "received" else -by)
    assert any("unaccounted" in problem for problem in report.problems)


def test_a_batch_that_vanished_is_found(office: Office) -> None:
    batch_id = receive(office.desk, document(), document(b"y"))
    office.desk.redis.delete(office.desk.keys.batch(batch_id))
    report = office.reconcile()
    assert any("0 documents lie in batches, but 2 are booked" in problem for problem in report.problems)


def test_explain_by_path_url_and_id(office: Office, drop: Path) -> None:
    office.ingest(drop)
    office.store()
    by_path = explain(office.desk, office.sink, str(drop / "mill.json"))
    assert [row["verdict"] for row in by_path["receipts"]] == ["stored"]
    assert [row["headline"] for row in by_path["records"]] == ["The mill turns"]
    record_id = by_path["receipts"][0]["reference"]
    for name in ("https://mill.example/turns", record_id, record_id[:10]):
        assert [row["id"] for row in explain(office.desk, office.sink, name)["records"]] == [record_id]
    nothing = explain(office.desk, office.sink, "https://nowhere.example/")
    assert (nothing["records"], nothing["receipts"], nothing["letters"]) == ([], [], [])


def test_explain_shows_why_a_document_was_refused(office: Office, drop: Path) -> None:
    office.ingest(drop)
    office.store()
    found = explain(office.desk, office.sink, str(drop / "empty.txt"))
    assert [(row["verdict"], row["detail"]) for row in found["receipts"]] == [("rejected", "empty_document")]
    (letter,) = found["letters"]
    assert letter["code"] == "empty_document"
    assert letter["id"] == found["receipts"][0]["reference"]
    assert explain(office.desk, office.sink, letter["id"])["letters"] == [letter]


def test_explain_knows_what_was_refused_by_an_address_with_a_key(office: Office) -> None:
    asked = "https://county.example/page?api_key=Tr0ub4dor"
    office.bells.ring("parse", "news", receive(office.desk, document(b"\x00\x01\x02", asked)))
    office.drain()
    story = explain(office.desk, office.sink, asked)
    assert [letter["code"] for letter in story["letters"]] == ["binary_content"]
    assert len(story["receipts"]) == 1


def test_a_feed_is_told_of_without_the_keys_of_its_address(office: Office) -> None:
    url = "https://reader:Tr0ub4dor@county.example/feed?api_key=Tr0ub4dor"
    office.desk.sources.add(Source(id="paid", kind="feed", url=url))
    assert why(office.desk, "paid")["place"] == "https://county.example/feed?api_key=***"


def test_explain_leads_from_a_copy_to_what_it_is_a_copy_of(office: Office, drop: Path) -> None:
    office.ingest(drop / "0.txt")
    (drop / "copy.txt").write_text(text_article(0))
    other = Source(id="other", kind="push")
    office.ingest(drop / "copy.txt", source=other)
    office.store()
    found = explain(office.desk, office.sink, str(drop / "copy.txt"))
    assert [row["verdict"] for row in found["receipts"]] == ["duplicate"]
    (head,) = found["records"]
    assert head["source_id"] == "push"
    assert [seen["source_id"] for seen in head["seen_in"]] == ["other"]


def test_explain_finds_the_members_of_a_file(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"id": str(n), "headline": f"Row {n}", "body": f"row {n} " * 30} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    office.ingest(path)
    office.store()
    assert len(explain(office.desk, office.sink, str(path))["records"]) == 3
    one = explain(office.desk, office.sink, f"{path}#1")
    assert len(one["records"]) == len(one["receipts"]) == 1


def test_a_snapshot_counts_everything_once(office: Office, drop: Path) -> None:
    office.ingest(drop)
    receive(office.desk, document(), lane="backfill")
    shot = snapshot(office.desk)
    assert json.loads(json.dumps(shot)) == shot, "plain values"
    assert (shot["counters"]["received"], shot["in_flight"], shot["imbalance"]) == (6, 1, 0)
    assert shot["letters"] == {"dead": 0, "rejected": 1}
    (busy,) = [row for row in shot["stages"] if row["batches"]]
    assert (busy["stage"], busy["lane"], busy["documents"]) == ("received", "backfill", 1)
    assert shot["storage_queue"]["records"] == 4
    assert (shot["sources"], shot["sources_in_trouble"], shot["paused"]) == (1, [], {})
    office.store()
    (group,) = snapshot(office.desk)["storage_queue"]["groups"]
    assert (group["lag"], group["pending"]) == (0, 0)


def test_sources_in_trouble_say_why(office: Office, tmp_path: Path) -> None:
    for name in ("gone", "late", "fine"):
        office.desk.sources.add(Source(id=name, kind="directory", path=str(tmp_path / name)))
    pipeline.pull(office.desk, "gone")
    office.desk.sources.reschedule("late", -500)
    office.desk.sources.reschedule("fine", 500)
    trouble = {row["id"]: row["problem"] for row in snapshot(office.desk)["sources_in_trouble"]}
    assert set(trouble) == {"gone", "late"}
    assert "No such file" in trouble["gone"]
    assert trouble["late"].startswith("late by ")


def test_rates_count_the_last_full_minutes(office: Office) -> None:
    for minutes_ago, count in ((0, 50), (1, 30), (5, 10), (6, 70)):
        office.desk.redis.hset(office.desk.keys.minute(minutes_ago), "stored", count)
    assert office.desk.counters.per_minute(5)["stored"] in (8.0, 16.0), "8 unless a minute ended meanwhile"


def test_idle_names_what_waits_in_order(office: Office, drop: Path) -> None:
    desk = office.desk
    assert what_waits(desk) is None
    desk.sources.add(Source(id="drop", kind="directory", path=str(drop)))
    assert what_waits(desk, since=1.0) == "source drop"
    pipeline.pull(desk, "drop")
    assert what_waits(desk, since=1.0) == "5 documents in flight"
    office.drain()
    assert what_waits(desk, since=1.0) == unstored(desk) == "4 records for the store"
    office.store()
    assert what_waits(desk, since=1.0) is None
    assert what_waits(desk, since=desk.redis.time()[0] + 60) == "source drop", "not pulled since then"


def test_a_disabled_or_a_push_source_is_never_waited_for(office: Office, drop: Path) -> None:
    office.desk.sources.add(Source(id="off", kind="directory", path=str(drop), enabled=False))
    office.desk.sources.ensure(Source(id="push", kind="push"))
    assert what_waits(office.desk, since=1.0) is None


def test_a_pull_that_left_something_is_waited_for(office: Office, drop: Path) -> None:
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(drop)))
    pipeline.pull(office.desk, "drop")
    office.drain()
    office.store()
    office.desk.note("drop", {"more": "1"})
    assert what_waits(office.desk, since=1.0) == "source drop"


def test_depths_are_by_stage_and_lane(office: Office) -> None:
    receive(office.desk, document(), document(b"y"), lane="backfill")
    depths = {(depth.stage, depth.lane): depth for depth in office.desk.counters.depths()}
    assert len(depths) == 4
    assert depths[RECEIVED, "backfill"].documents == 2
    assert depths[RECEIVED, "backfill"].oldest_seconds >= 0
    assert depths[RECEIVED, "news"].oldest_seconds == 0
    assert office.desk.counters.by_source(DAY)["push"]["received"] == 2
