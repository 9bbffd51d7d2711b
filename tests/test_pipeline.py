"""The whole line in one process: files in, verdicts and records out, whatever happens to the bells."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.desk_support import NOW, Office, office_fixture, text_article
from worker import pipeline
from worker.desk import SilentBells
from worker.intake.directory import pull_paths
from worker.model import Source
from worker.state.keys import PARSED, RECEIVED

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>County</title><link>https://county.example/</link>{items}</channel></rss>"""
ITEM = """<item><title>Item {n} of the day</title><link>https://county.example/{n}</link><guid>tag:{n}</guid>
<description>{body}</description></item>"""


office = office_fixture({"COPYDESK_BATCHES_DOCUMENTS": "4"})


def feed(numbers: range) -> str:
    body = " ".join(f"of{{n}}word{index}" for index in range(20))
    items = "".join(ITEM.format(n=number, body=body.format(n=number)) for number in numbers)
    return FEED.format(items=items)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """Files of several formats: good, copied, changed and broken."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "01.txt").write_text(text_article(1))
    (drop / "02-copy.txt").write_text(text_article(1))
    body = " ".join(f"mill{index}" for index in range(60))
    (drop / "03.json").write_text(json.dumps({"id": "m1", "headline": "The mill turns", "body": body}))
    (drop / "04-changed.json").write_text(json.dumps({"id": "m1", "headline": "The mill turns", "body": body + " now"}))
    paragraphs = "".join(f"<p>{' '.join(f'roof{part}x{index}' for index in range(30))}.</p>" for part in range(4))
    (drop / "05.html").write_text(
        f"<!DOCTYPE html><html lang='en'><head><title>Storm strips roof</title></head>"
        f"<body><article><h1>Storm strips roof</h1>{paragraphs}</article></body></html>"
    )
    (drop / "06.rss").write_text(feed(range(3)))
    (drop / "07-empty.txt").write_text(" \n\t")
    (drop / "08-broken.json").write_text('{"headline": "cut off')
    (drop / "09.pdf").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    return drop


def outcome(office: Office) -> tuple[dict[str, int], list[tuple[object, ...]]]:
    """Verdicts, and what distinguishes the records in the queue."""
    records = [(r.source_id, r.id, r.version, r.headline, r.content_hash, r.supersedes) for r in office.queued()]
    return office.verdicts(), sorted(records)


def test_files_become_records_and_letters(office: Office, drop: Path) -> None:
    office.ingest(drop)
    assert office.verdicts() == {"stored": 6, "updated": 1, "duplicate": 1, "rejected": 3}
    assert {name: letter.code for name, letter in office.letters().items()} == {
        "07-empty.txt": "empty_document",
        "08-broken.json": "malformed_json",
        "09.pdf": "unsupported_format",
    }
    assert office.store() == 7
    stored = {(record.id, record.version) for record in office.sink.newest(100)}
    assert len(stored) == 6
    report = office.reconcile()
    assert report.balanced, report.problems
    assert (report.received, report.members, report.sink_records) == (9, 2, 7)


def test_ingesting_twice_stores_nothing_new(office: Office, drop: Path) -> None:
    office.ingest(drop)
    before = office.queued()
    office.ingest(drop)
    assert office.queued() == before
    verdicts = office.verdicts()
    assert (verdicts["stored"], verdicts["updated"], verdicts["duplicate"]) == (6, 1, 1 + 8)


def test_a_watched_directory_is_read_once(office: Office, drop: Path) -> None:
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(drop)))
    assert pipeline.tick(office.desk) == 1
    office.drain()
    assert office.verdicts() == {"stored": 6, "updated": 1, "duplicate": 1, "rejected": 3}
    office.due_now("drop")
    assert pipeline.tick(office.desk) == 1
    office.drain()
    assert office.desk.counters.totals()["received"] == 9


def test_a_member_of_a_feed_that_was_updated_is_the_next_version(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "county.rss"
    path.write_text(feed(range(3)))
    office.ingest(path)
    path.write_text(feed(range(3)).replace("of1word3", "changed"))
    office.ingest(path)
    assert office.verdicts() == {"stored": 3, "updated": 1, "duplicate": 2}
    (update,) = [record for record in office.queued() if record.version == 2]
    assert (update.url, update.event) == ("https://county.example/1", "update")


@pytest.mark.parametrize("seed", range(3))
def test_bells_delivered_twice_and_out_of_order_give_the_same(office: Office, tmp_path: Path, seed: int) -> None:
    drop = tmp_path / "many"
    drop.mkdir()
    for number in range(30):
        (drop / f"{number:02}.txt").write_text(text_article(number))
    (drop / "feed.rss").write_text(feed(range(9)))
    (drop / "empty.txt").write_bytes(b"")
    desk, bells = office.desk, office.bells
    source = desk.sources.ensure(Source(id="push", kind="push"))
    pull_paths([drop], source, desk, desk.settings, desk.spool, NOW)
    shuffle = random.Random(seed)
    while bells.waiting:
        twice = [bell for bell in bells.waiting for _ in range(2)]
        shuffle.shuffle(twice)
        bells.waiting.clear()
        bells.waiting.extend(twice)
        for _ in twice:
            office.step()
            if shuffle.random() < 0.3:
                bells.waiting.extend(shuffle.sample(bells.rung, 2))
        if desk.counters.in_flight() == 0:
            break
    disorderly = outcome(office)
    assert disorderly[0] == {"stored": 39, "rejected": 1}
    desk.redis.flushall()
    bells.waiting.clear()
    office.ingest(drop)
    assert outcome(office) == disorderly


def test_lost_bells_are_rung_again_by_the_sweep(office: Office, drop: Path) -> None:
    desk = office.desk
    source = desk.sources.ensure(Source(id="push", kind="push"))
    pull_paths([drop], source, desk, desk.settings, desk.spool, NOW)
    office.bells.waiting.clear()
    while desk.counters.in_flight():
        assert pipeline.sweep(desk) > 0
        for _ in range(len(office.bells.waiting)):
            office.step()
        office.bells.waiting.clear()
    assert office.verdicts() == {"stored": 6, "updated": 1, "duplicate": 1, "rejected": 3}
    assert desk.counters.events()["rescued"] > 0
    assert pipeline.sweep(desk) == 0


def test_the_sweep_does_not_ring_for_what_a_bell_waits_for(office: Office, drop: Path) -> None:
    desk = office.desk
    source = desk.sources.ensure(Source(id="push", kind="push"))
    pull_paths([drop], source, desk, desk.settings, desk.spool, NOW)
    waiting = len(office.bells.waiting)
    assert waiting == desk.ledger.waiting(RECEIVED, "news") > 1
    assert pipeline.sweep(desk) == 0
    office.bells.waiting.pop()
    assert pipeline.sweep(desk) == 1


def test_a_broker_that_is_away_costs_only_the_bell(office: Office, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(office.bells, "ring", away)
        office.ingest(drop)
        pipeline.sweep(office.desk)
    assert office.desk.counters.in_flight() == 9
    while pipeline.sweep(office.desk):
        office.drain()
    assert office.desk.counters.in_flight() == 0


def test_lanes_do_not_mix(office: Office, drop: Path) -> None:
    office.ingest(drop, lane="backfill")
    assert {lane for _, lane, _ in office.bells.rung} == {"backfill"}
    assert {record.lane for record in office.queued()} == {"backfill"}
    assert office.desk.ledger.waiting(PARSED, "news") == 0


def test_a_look_without_bells_leaves_the_ringing_to_the_sweep(office: Office, drop: Path) -> None:
    desk = office.desk
    source = desk.sources.ensure(Source(id="push", kind="push"))
    desk.bells = SilentBells()
    pull_paths([drop], source, desk, desk.settings, desk.spool, NOW)
    assert not office.bells.rung
    desk.bells = office.bells
    assert pipeline.sweep(desk) == desk.ledger.waiting(RECEIVED, "news")


def test_a_bell_for_nothing_does_nothing(office: Office, drop: Path) -> None:
    office.ingest(drop)
    before = outcome(office)
    for task, lane, identifier in list(office.bells.rung):
        office.bells.waiting.append((task, lane, identifier))
    office.drain()
    pipeline.pull(office.desk, "no-such-source")
    assert outcome(office) == before
