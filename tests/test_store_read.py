"""Reading records back: the newest, the stream of new ones, and looking one up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.store_entries import entry, record, sighting
from tests.support import PATIENCE_SECONDS
from worker.store import read
from worker.store.sink import Sink, open_sink


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    opened = open_sink(f"sqlite:///{tmp_path / 'records.db'}")
    yield opened
    opened.close()


def test_newest_come_first_with_where_they_were_seen(sink: Sink) -> None:
    sink.write([entry(record("a")), entry(record("b")), entry(sighting("b"))])
    newest = read.newest(sink, 10)
    assert [stored.id for stored in newest] == ["b", "a"]
    assert [seen.source_id for seen in newest[0].seen_in] == ["courier"]


def test_follow_gives_every_version_from_a_position_on(sink: Sink) -> None:
    sink.write([entry(record(f"r{n:03}")) for n in range(450)])
    sink.write([entry(record("r000", version=2, event="update"))])
    followed = list(islice(read.follow(sink, threading.Event(), after=0), 451))
    assert [stored.id for stored in followed] == [f"r{n:03}" for n in range(450)] + ["r000"]
    assert followed[-1].version == 2


def test_follow_waits_for_what_comes_and_ends_when_told(sink: Sink) -> None:
    stop = threading.Event()
    sink.write([entry(record("before"))])
    following = read.follow(sink, stop, after=sink.last_position(), poll_seconds=0.01)
    writer = threading.Thread(target=sink.write, args=([entry(record("later"))],))
    writer.start()
    assert next(following).id == "later"
    writer.join()
    stop.set()
    assert list(following) == []


def test_follow_starts_at_the_end_unless_told_otherwise(sink: Sink) -> None:
    sink.write([entry(record("before"))])
    stop = threading.Event()
    stop.set()
    assert list(read.follow(sink, stop)) == []
    followed: list[str] = []
    stop = threading.Event()

    def collect() -> None:
        followed.extend(stored.id for stored in islice(read.follow(sink, stop, poll_seconds=0.01), 1))

    started = threading.Thread(target=collect)
    started.start()
    # What is written before the follower took its position is not followed; so write until something is.
    number = 0
    while started.is_alive() and number < 10_000:
        number += 1
        sink.write([entry(record(f"later{number}"))])
    started.join(PATIENCE_SECONDS)
    stop.set()
    assert followed
    assert followed[0].startswith("later")


def test_lookup_by_id_beginning_and_url(sink: Sink) -> None:
    sink.write([entry(record("abc")), entry(record("abcd")), entry(record("abcd", version=2, event="update"))])
    assert [stored.id for stored in read.lookup(sink, "abc")] == ["abc"]
    assert [(stored.id, stored.version) for stored in read.lookup(sink, "ab")] == [("abc", 1), ("abcd", 2)]
    assert [stored.id for stored in read.lookup(sink, " https://gazette.example/abcd ")] == ["abcd"]
    assert read.lookup(sink, "https://gazette.example/none") == []
    assert [stored.version for stored in read.versions(sink, "abcd")] == [1, 2]
    assert read.versions(sink, "none") == []
