"""The writer on a real server and a real file: every entry once in effect, whatever fails in between."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.store_entries import KEYS, publish, record, sighting
from tests.support import PATIENCE_SECONDS, wait_until
from worker.config import Settings, State, Store
from worker.errors import SinkError, StateError
from worker.state.queue import Entry, StorageQueue
from worker.store.sink import Sink, open_sink
from worker.store.writer import Writer

MakeWriter = Callable[..., Writer]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


@pytest.fixture
def sink(path: Path) -> Iterator[Sink]:
    opened = open_sink(f"sqlite:///{path}?timeout=0.05")
    yield opened
    opened.close()


@pytest.fixture
def buried() -> list[tuple[Entry, str]]:
    return []


@pytest.fixture
def make_writer(redis: Redis, sink: Sink, tmp_path: Path, buried: list[tuple[Entry, str]]) -> MakeWriter:
    """Writers of this test's server; claims are looked for in every round, of consumers silent for `idle`."""

    def make(consumer: str = "c", group: str = "store", to: Sink = sink, idle: float = 3600.0) -> Writer:
        settings = Settings(
            data=tmp_path,
            config=tmp_path,
            state=State(durability="none"),
            store=Store(group=group, batch_records=100, claim_idle_seconds=idle),
        )
        queue = StorageQueue(redis, KEYS, group)
        return Writer(queue, to, redis, settings, consumer, lambda entry, reason: buried.append((entry, reason)))

    return make


@contextmanager
def running(writer: Writer) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def stored_ids(sink: Sink) -> list[str]:
    return [stored.record.id for stored in sink.after(0, 10_000)]


def test_records_are_stored_in_order_and_leave_the_queue(redis: Redis, sink: Sink, make_writer: MakeWriter) -> None:
    names = [f"r{n:04}" for n in range(1130)]
    publish(redis, *(record(name) for name in names), sighting("r0000"))
    writer = make_writer()
    assert writer.run_once() == 1131
    assert stored_ids(sink) == names
    assert sink.versions("r0000")[0].seen_in == (sighting().seen_in,)
    assert redis.xlen(KEYS.stream) == 0
    progress = writer.progress()
    assert (progress.status, progress.records, progress.sightings, progress.refused) == ("running", 1130, 1, 0)
    assert writer.run_once() == 0


def test_nothing_is_written_before_the_server_has_it_on_disk(
    redis: Redis, sink: Sink, make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_stuck(*_: object) -> None:
        raise StateError("the server did not write to disk")

    publish(redis, record("a"))
    writer = make_writer()
    with monkeypatch.context() as patch:
        patch.setattr("worker.store.writer.wait_until_durable", disk_is_stuck)
        with pytest.raises(StateError):
            writer.run_once()
        assert sink.count() == 0
    assert writer.run_once() == 1
    assert sink.count() == 1


def test_the_writer_waits_for_a_real_fsync(redis: Redis, sink: Sink, tmp_path: Path) -> None:
    publish(redis, record("a"))
    settings = Settings(data=tmp_path, config=tmp_path)
    writer = Writer(StorageQueue(redis, KEYS, "store"), sink, redis, settings, "c", lambda *_: None)
    assert writer.run_once() == 1
    assert int(redis.hget(KEYS.events, "durable_waits") or 0) == 1
    assert stored_ids(sink) == ["a"]


KILLED_AFTER_COMMIT = """
import os, signal, sys
from pathlib import Path
from worker.config import Settings, State
from worker.state.connection import connect
from worker.state.keys import Keys
from worker.state.queue import StorageQueue
from worker.store.sink import open_sink
from worker.store.writer import Writer

class Killed(StorageQueue):
    def acknowledge(self, entries):
        os.kill(os.getpid(), signal.SIGKILL)

url, sink_url, here = sys.argv[1:]
redis = connect(url)
settings = Settings(data=Path(here), config=Path(here), state=State(durability="none"))
Writer(Killed(redis, Keys(), "store"), open_sink(sink_url), redis, settings, "c", print).run_once()
"""


@pytest.mark.parametrize(("consumer", "idle"), [("c", 3600.0), ("another", 0.0)], ids=["comes back", "is replaced"])
def test_a_writer_killed_between_commit_and_acknowledgement_leaves_nothing_twice(
    redis: Redis, server_url: str, path: Path, sink: Sink, make_writer: MakeWriter, consumer: str, idle: float
) -> None:
    names = [f"r{n}" for n in range(50)]
    publish(redis, *(record(name) for name in names), sighting("r1"))
    arguments = [server_url, f"sqlite:///{path}", str(path.parent)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_COMMIT, *arguments], check=False, timeout=PATIENCE_SECONDS
    )
    assert killed.returncode == -signal.SIGKILL
    assert stored_ids(sink) == names
    assert redis.xpending(KEYS.stream, "store")["pending"] == redis.xlen(KEYS.stream) == 51

    writer = make_writer(consumer, idle=idle)
    assert writer.run_once() + writer.run_once() == 51
    assert stored_ids(sink) == names
    assert len(sink.versions("r1")[0].seen_in) == 1
    assert redis.xlen(KEYS.stream) == 0


def test_two_groups_each_get_everything(redis: Redis, sink: Sink, tmp_path: Path, make_writer: MakeWriter) -> None:
    other = open_sink(f"sqlite:///{tmp_path / 'other.db'}")
    first, second = make_writer(), make_writer(group="archive", to=other)
    assert first.run_once() == second.run_once() == 0
    publish(redis, record("a"), record("b"))
    assert first.run_once() == 2
    assert redis.xlen(KEYS.stream) == 2
    assert second.run_once() == 2
    assert redis.xlen(KEYS.stream) == 0
    assert stored_ids(sink) == stored_ids(other) == ["a", "b"]
    other.close()


def test_two_writers_of_one_group_share_the_work(redis: Redis, sink: Sink, path: Path, make_writer: MakeWriter) -> None:
    other = open_sink(f"sqlite:///{path}")
    with running(make_writer("one")), running(make_writer("two", to=other)):
        publish(redis, *(record(f"r{n}") for n in range(400)))
        wait_until(lambda: redis.xlen(KEYS.stream) == 0, "an empty queue")
    assert sorted(stored_ids(sink)) == sorted(f"r{n}" for n in range(400))
    other.close()


def test_entries_of_a_dead_consumer_are_claimed(redis: Redis, sink: Sink, make_writer: MakeWriter) -> None:
    queue = StorageQueue(redis, KEYS, "store")
    queue.create_group()
    publish(redis, record("a"), record("b"))
    queue.read_new("dead", 10, block_ms=0)
    assert make_writer("patient").run_once() == 0
    writer = make_writer("heir", idle=0.0)
    assert writer.run_once() == 2
    assert writer.progress().claimed == 2
    assert stored_ids(sink) == ["a", "b"]
    assert redis.xlen(KEYS.stream) == 0


def test_a_refused_record_is_buried_and_does_not_stop_the_others(
    redis: Redis, sink: Sink, make_writer: MakeWriter, buried: list[tuple[Entry, str]]
) -> None:
    broken = {"event": "create", "id": "x", "version": 1, "record": b"{"}
    _, second, _, fourth = publish(redis, record("a"), broken, record("b"), record("c", version=0))
    writer = make_writer()
    assert writer.run_once() == 4
    assert stored_ids(sink) == ["a", "b"]
    assert [entry.entry_id for entry, _ in buried] == [second, fourth]
    assert all(reason for _, reason in buried)
    assert writer.progress().refused == 2
    assert redis.xlen(KEYS.stream) == 0


def test_a_refused_record_that_cannot_be_buried_stays_in_the_queue(
    redis: Redis, sink: Sink, tmp_path: Path, make_writer: MakeWriter, buried: list[tuple[Entry, str]]
) -> None:
    def no_grave(*_: object) -> None:
        raise StateError("no answer")

    publish(redis, record("a", version=0))
    settings = Settings(data=tmp_path, config=tmp_path, state=State(durability="none"))
    writer = Writer(StorageQueue(redis, KEYS, "store"), sink, redis, settings, "c", no_grave)
    with pytest.raises(StateError):
        writer.run_once()
    assert redis.xlen(KEYS.stream) == 1
    assert make_writer().run_once() == 1
    assert len(buried) == 1


def test_what_may_not_be_buried_stays_in_the_queue(
    redis: Redis, sink: Sink, tmp_path: Path, buried: list[tuple[Entry, str]]
) -> None:
    publish(redis, record("a"), record("b", version=0))
    settings = Settings(data=tmp_path, config=tmp_path, state=State(durability="none"))
    asked: list[tuple[int, int]] = []

    def too_many(refused: int, written: int) -> str:
        asked.append((refused, written))
        return "too many"

    def bury(entry: Entry, reason: str) -> None:
        buried.append((entry, reason))

    queue = StorageQueue(redis, KEYS, "store")
    writer = Writer(queue, sink, redis, settings, "c", bury, may_bury=too_many)
    with pytest.raises(SinkError, match="refuses too much: too many"):
        writer.run_once()
    assert (asked, buried, redis.xlen(KEYS.stream)) == ([(1, 1)], [], 2)
    assert Writer(queue, sink, redis, settings, "c", bury).run_once() == 2
    assert len(buried) == 1
    assert stored_ids(sink) == ["a"]


def test_a_locked_store_acknowledges_nothing(redis: Redis, path: Path, sink: Sink, make_writer: MakeWriter) -> None:
    publish(redis, record("a"))
    writer = make_writer()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SinkError):
            writer.run_once()
        assert redis.xpending(KEYS.stream, "store")["pending"] == 1
        other.execute("ROLLBACK")
    assert writer.run_once() == 1
    assert stored_ids(sink) == ["a"]
    assert redis.xlen(KEYS.stream) == 0


def test_a_running_writer_says_that_it_waits_and_goes_on_alone(
    redis: Redis, path: Path, sink: Sink, make_writer: MakeWriter
) -> None:
    writer = make_writer()
    with closing(sqlite3.connect(path, isolation_level=None)) as other, running(writer):
        other.execute("BEGIN IMMEDIATE")
        publish(redis, record("a"))
        wait_until(lambda: writer.progress().failures >= 2, "a second failure")
        assert writer.progress().status == "waiting"
        assert "locked" in writer.progress().detail
        other.execute("ROLLBACK")
        wait_until(lambda: redis.xlen(KEYS.stream) == 0, "an empty queue")
        assert stored_ids(sink) == ["a"]
        wait_until(lambda: writer.progress().status == "running", "the writer being well again")
    assert writer.progress().status == "stopped"


def test_a_stopped_writer_ends_while_the_store_is_away(
    redis: Redis, path: Path, make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.store.writer.FIRST_DELAY_SECONDS", 3600.0)
    writer = make_writer()
    publish(redis, record("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with running(writer):
            wait_until(lambda: writer.progress().status == "waiting", "the failure")
    assert redis.xlen(KEYS.stream) == 1


def test_a_server_that_lost_the_group_gets_it_again(redis: Redis, sink: Sink, make_writer: MakeWriter) -> None:
    writer = make_writer()
    with running(writer):
        wait_until(lambda: writer.progress().status == "running", "the first round")
        redis.flushall()
        publish(redis, record("a"))
        wait_until(lambda: stored_ids(sink) == ["a"], "the record in the store")


def test_entries_deleted_before_they_were_acknowledged_are_counted(
    redis: Redis, sink: Sink, make_writer: MakeWriter
) -> None:
    queue = StorageQueue(redis, KEYS, "store")
    queue.create_group()
    added = publish(redis, record("a"), record("b"), record("c"), record("d"))
    queue.read_new("c", 2, block_ms=0)
    queue.read_new("dead", 2, block_ms=0)
    redis.xdel(KEYS.stream, added[0], added[2])
    writer = make_writer(idle=0.0)
    assert writer.run_once() + writer.run_once() == 2
    assert stored_ids(sink) == ["b", "d"]
    assert redis.hget(KEYS.events, "stream_deleted_unacknowledged") == b"2"
    assert writer.progress().deleted == 2
    assert redis.xpending(KEYS.stream, "store")["pending"] == 0


def test_an_idle_writer_deletes_what_others_only_acknowledged(redis: Redis, make_writer: MakeWriter) -> None:
    other = StorageQueue(redis, KEYS, "other")
    other.create_group()
    publish(redis, record("a"))
    writer = make_writer(idle=0.0)
    assert writer.run_once() == 1
    (read,) = other.read_new("c", 1, block_ms=0)
    redis.xack(KEYS.stream, "other", read.entry_id)
    assert redis.xlen(KEYS.stream) == 1
    assert writer.run_once() == 0
    assert redis.xlen(KEYS.stream) == 0


def test_a_round_is_bounded_and_the_rest_comes_next(
    redis: Redis, sink: Sink, make_writer: MakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.store.writer.ROUND_BYTES", 1)
    publish(redis, *(record(f"r{n}") for n in range(300)))
    writer = make_writer()
    assert (writer.run_once(), writer.run_once(), writer.run_once()) == (250, 50, 0)
    assert sink.count() == 300
