"""Bad documents and dying workers: each document has its own fate, its bytes are kept, its neighbours go on."""

from __future__ import annotations

import contextlib
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from tests.desk_support import (
    Office,
    assert_balanced,
    die_in_a_child,
    document,
    office_fixture,
    open_office,
    receive,
    settings_for,
    text_article,
)
from tests.support import wait_until
from worker import pipeline
from worker.dedupe import records
from worker.model import Article, Document, Refusal
from worker.operate.dead import replay
from worker.parse import table
from worker.parse.detect import TEXT
from worker.parse.document import parse_document
from worker.state.codec import unpack_documents, unpack_items
from worker.state.keys import PARSED, RECEIVED

SMALL = {"COPYDESK_LIMITS_INLINE_BYTES": "3000", "COPYDESK_LIMITS_DOCUMENT_BYTES": "20000"}


office = office_fixture(SMALL)


def articles(count: int, poison: int | None = None) -> list[Document]:
    """Documents of which one carries the word that the planted faults look for."""
    texts = [text_article(number) + ("\npoison\n" if number == poison else "") for number in range(count)]
    return [document(text.encode(), f"drop/{number}.txt") for number, text in enumerate(texts)]


def plant(monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    def parse(found: Document, content: bytes) -> list[Article | Refusal]:
        if b"poison" in content:
            fault()
        return parse_document(found, content)

    monkeypatch.setattr(pipeline, "parse_document", parse)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sweep_until_settled(office: Office, dies: Any) -> int:
    """Sweep and answer bells, in a child where `dies` says so, until nothing is in flight; how many children died."""
    desk, deaths = office.desk, 0
    while desk.counters.in_flight():
        wait_until(lambda: office.bells.waiting or pipeline.sweep(desk), "a bell of the sweeper")
        task, _, identifier = office.bells.waiting[0]
        if dies(task, identifier):
            office.bells.waiting.popleft()
            die_in_a_child(partial(getattr(pipeline, task), desk, identifier))
            deaths += 1
            assert_balanced(desk)
        else:
            office.step()
    return deaths


def in_batch(office: Office, batch_id: str, word: bytes) -> bool:
    """Whether a batch that waits holds the word."""
    packed: Any = office.desk.redis.hget(office.desk.keys.batch(batch_id), "documents")
    return packed is not None and any(word in (found.content or b"") for found in unpack_documents(packed))


def test_a_document_that_kills_its_worker_is_buried_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, die)
    batch_id = receive(office.desk, *articles(6, poison=2))
    office.bells.ring("parse", "news", batch_id)

    def dies(task: str, identifier: str) -> bool:
        return task == "parse" and in_batch(office, identifier, b"poison") and not is_last(office, identifier)

    deaths = sweep_until_settled(office, dies)
    assert deaths == 2 + 3, "twice in company, three times alone"
    (letter,) = office.letters().values()
    assert (letter.code, letter.verdict, letter.stage) == ("poison", "dead", "parse")
    assert letter.document.content == text_article(2).encode() + b"\npoison\n"
    assert "3 deliveries" in letter.detail
    assert office.verdicts() == {"stored": 5, "dead": 1}
    events = office.desk.counters.events()
    assert (events["split"], events["redelivered"]) == (1, 5)


def test_an_article_that_kills_its_worker_while_deduping_is_buried_with_its_member(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = records.make_candidate

    def make(found: Article, *rest: Any) -> records.Candidate:
        if found.headline == "Poison":
            die()
        return real(found, *rest)

    monkeypatch.setattr(pipeline, "make_candidate", make)
    rows = [{"headline": name, "body": f"{name} body"} for name in ("Bread", "Poison", "Salt")]
    batch_id = receive(office.desk, document(msgspec.json.encode(rows), "drop/rows.json"))
    pipeline.parse(office.desk, batch_id)

    def dies(task: str, identifier: str) -> bool:
        return task == "dedupe" and poisonous(office, identifier) and not is_last(office, identifier)

    assert sweep_until_settled(office, dies) == 5
    (letter,) = office.letters().values()
    assert (letter.code, letter.stage, letter.document.part) == ("poison", "dedupe", 1)
    assert sorted(str(record.headline) for record in office.queued()) == ["Bread", "Salt"]


def is_last(office: Office, batch_id: str) -> bool:
    """Whether the next delivery is the one that takes the batch apart or buries its only document."""
    values: Any = office.desk.redis.hmget(office.desk.keys.batch(batch_id), "size", "deliveries")
    size, deliveries = map(int, values)
    return deliveries == (3 if size == 1 else 2)


def poisonous(office: Office, batch_id: str) -> bool:
    packed: Any = office.desk.redis.hget(office.desk.keys.batch(batch_id), "articles")
    return bool(packed) and any(item.article.headline == "Poison" for item in unpack_items(packed))


def test_the_only_article_left_of_a_feed_is_buried_as_that_member(office: Office) -> None:
    """Never split, because it was alone from the start: the letter must still not stand for the whole feed."""
    item = b"<item><title>Salt</title><description>Salt body</description></item>"
    feed = b"<rss version='2.0'><channel>" + item + b"</channel></rss>"
    batch_id = receive(office.desk, document(feed, "drop/feed.rss"))
    pipeline.parse(office.desk, batch_id)
    for _ in range(3):
        wait_until(lambda: office.desk.ledger.claim(batch_id, PARSED), "the lease's end")

    def settled() -> bool:
        pipeline.dedupe(office.desk, batch_id)
        return office.desk.counters.in_flight() == 0

    wait_until(settled)
    poison = next(letter for letter in office.desk.letters.find() if letter.code == "poison")
    assert poison.document.part == 0


def test_a_batch_delivered_twice_is_taken_apart(office: Office) -> None:
    batch_id = receive(office.desk, *articles(3))
    for _ in range(2):
        wait_until(lambda: office.desk.ledger.claim(batch_id, RECEIVED), "the lease's end")

    def split() -> bool:
        pipeline.parse(office.desk, batch_id)
        return bool(office.bells.waiting)

    wait_until(split)
    assert [task for task, _, _ in office.bells.rung] == ["parse"] * 3
    office.drain()
    assert office.verdicts() == {"stored": 3}


@pytest.mark.parametrize("error", [ValueError("planted"), RecursionError("planted"), KeyError("\ud800")])
def test_a_parser_that_raises_buries_only_its_document(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = table.PARSERS[TEXT]

    def parse(content: bytes, found: Document) -> Any:
        if b"poison" in content:
            raise error
        return real(content, found)

    monkeypatch.setitem(table.PARSERS, TEXT, parse)
    office.bells.ring("parse", "news", receive(office.desk, *articles(4, poison=1)))
    office.drain()
    assert office.verdicts() == {"stored": 3, "dead": 1}
    (letter,) = office.letters().values()
    assert (letter.code, letter.document.origin) == ("parse_error", "drop/1.txt")
    assert letter.traceback is not None
    assert type(error).__name__ in letter.traceback


def test_a_parser_that_takes_too_long_costs_only_its_document(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office.desk.settings = settings_for(tmp_path, {**SMALL, "COPYDESK_LIMITS_PARSE_SECONDS": "0.05"})

    def spin() -> None:
        while True:
            pass

    plant(monkeypatch, spin)
    office.bells.ring("parse", "news", receive(office.desk, *articles(3, poison=0)))
    office.drain()
    assert office.verdicts() == {"stored": 2, "dead": 1}
    assert office.letters()["0.txt"].code == "parse_timeout"


def test_a_worker_told_to_stop_hands_its_batch_back(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise SystemExit(0)

    batch_id = receive(office.desk, *articles(2, poison=0))
    with monkeypatch.context() as patch:
        plant(patch, stop)
        for _ in range(4):
            with pytest.raises(SystemExit):
                pipeline.parse(office.desk, batch_id)
            assert_balanced(office.desk)
    pipeline.parse(office.desk, batch_id)
    office.drain()
    assert office.verdicts() == {"stored": 2}, "handing back is never held against a batch"


def test_what_the_time_limit_of_tasks_ends_counts_as_a_delivery(
    redis: Redis, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise SystemExit(0)

    assert redis.ping()
    with open_office(server_url, settings_for(tmp_path, SMALL | {"COPYDESK_WORKERS_TASK_SECONDS": "0"})) as office:
        plant(monkeypatch, stop)
        receive(office.desk, *articles(3, poison=1))

        def settled() -> bool:
            pipeline.sweep(office.desk)
            while office.bells.waiting:
                task, _, identifier = office.bells.waiting.popleft()
                with contextlib.suppress(SystemExit):
                    getattr(pipeline, task)(office.desk, identifier)
            return office.desk.counters.in_flight() == 0

        wait_until(settled)
        assert office.verdicts() == {"stored": 2, "dead": 1}
        assert [letter.code for letter in office.letters().values()] == ["poison"]


def test_a_fault_while_deduping_buries_one_article_of_a_batch(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    real = records.make_candidate

    def make(found: Article, *rest: Any) -> records.Candidate:
        if "word2x0" in found.body_text:
            raise ZeroDivisionError("planted")
        return real(found, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "make_candidate", make)
        office.bells.ring("parse", "news", receive(office.desk, *articles(5)))
        office.drain()
    assert office.verdicts() == {"stored": 4, "dead": 1}
    (letter,) = office.letters().values()
    assert (letter.code, letter.stage, letter.document.origin) == ("dedupe_error", "dedupe", "drop/2.txt")
    assert letter.detail == "ZeroDivisionError: planted"
    assert replay(office.desk, [letter]) == 1
    office.drain()
    assert office.verdicts() == {"stored": 5}


BAD = {
    "empty.txt": (b"", "empty_document"),
    "blank.txt": (b" \n\t\r\n", "empty_document"),
    "binary.txt": (bytes(range(256)) * 4, "binary_content"),
    "nul.txt": (b"A headline\n\nSome text\x00with zero bytes.\n" * 3, "binary_content"),
    "picture.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 50, "unsupported_format"),
    "cut.json": (b'{"headline": "cut', "malformed_json"),
    "latin.json": (b'{"headline": "caf\xe9", "body": "caf\xe9"}', "malformed_json"),
    "bomb.rss": (b'<!DOCTYPE r [<!ENTITY a "a">]><rss version="2.0"><channel/></rss>', "entity_declaration"),
    "none.rss": (b'<rss version="2.0"><channel><title>x</title></channel></rss>', "no_entries"),
    "large.txt": (text_article(7, words=2500).encode(), "too_large"),
    "large-binary.bin": (bytes(range(256)) * 20, "binary_content"),
}


def test_bad_input_has_a_code_and_keeps_its_bytes(office: Office, tmp_path: Path) -> None:
    drop = tmp_path / "bad"
    drop.mkdir()
    for name, (content, _) in BAD.items():
        (drop / name).write_bytes(content)
    office.ingest(drop)
    letters = office.letters()
    assert {name: letter.code for name, letter in letters.items()} == {name: code for name, (_, code) in BAD.items()}
    for name, (content, _) in BAD.items():
        assert office.desk.read(letters[name].document) == content, name
    assert letters["large.txt"].document.content_ref is not None
    assert letters["large-binary.bin"].document.content_ref is not None
    assert office.verdicts() == {"rejected": len(BAD)}


def test_malformed_utf8_is_read_with_a_warning_and_its_neighbours_are_whole(office: Office, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.txt").write_bytes(
        text_article(1).encode() + "Ein langer Satz über Zürich.".encode() + b" \xf0\x28\x8c\n"
    )
    (drop / "b.txt").write_text(text_article(2))
    office.ingest(drop)
    assert office.verdicts() == {"stored": 2}
    by_headline = {record.headline: record for record in office.queued()}
    damaged, whole = (by_headline[f"Council meets for the {number}th time"] for number in (1, 2))
    assert set(damaged.warnings) - set(whole.warnings), "the damage is named"
    text = damaged.body_text
    assert "word1x59" in text
    assert not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def test_half_a_surrogate_pair_in_json_does_no_harm(office: Office) -> None:
    body = " ".join(f"word{index}" for index in range(60))
    bad = b'{"id": "a\\ud800", "headline": "Half \\ud83d a pair", "body": "%s \\udc00", "tags": ["\\ud800"]}'
    documents = [document(bad % body.encode(), "a.json"), document(text_article(1).encode(), "b.txt")]
    office.bells.ring("parse", "news", receive(office.desk, *documents))
    office.drain()
    assert office.verdicts() == {"stored": 2}
    assert office.store() == 2


def test_bytes_that_the_spool_has_lost_are_one_documents_loss(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    for number in range(3):
        (drop / f"{number}.txt").write_text(text_article(number, words=500))
    desk = office.desk
    lost: list[str] = []

    def lose_one(*bell: Any) -> None:
        if not lost:
            lost.append(min(path.name for path in desk.spool.directory.iterdir()))
            (desk.spool.directory / lost[0]).unlink()
        office.bells.waiting.append(bell)

    monkeypatch.setattr(office.bells, "ring", lose_one)
    office.ingest(drop)
    assert office.verdicts() == {"stored": 2, "dead": 1}
    (letter,) = office.letters().values()
    assert letter.code == "unreadable"
    assert list(desk.spool.directory.iterdir()) == []
