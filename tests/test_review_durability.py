"""A server that is killed and comes back without its last second: nothing has left the house that it forgot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.desk_support import Office, open_office, settings_for, spooled, text_article
from worker import pipeline
from worker.errors import StateError
from worker.intake.directory import ignore_progress, pull_directory
from worker.intake.inbox import pull_inbox
from worker.intake.receiver import Pulled
from worker.model import Source
from worker.state.durability import run_id
from worker.state.queue import Entry, StorageQueue
from worker.state.server import EmbeddedServer, embedded_url
from worker.store.writer import Writer


@dataclass
class Forgetful:
    """A server of its own whose power can be cut: the tail of its file that was not yet on disk is gone then."""

    server: EmbeddedServer
    office: Office
    durable: int = 0

    @property
    def file(self) -> Path:
        """The part of the append-only file that grows."""
        (path,) = (self.server.directory / "appendonlydir").glob("*.incr.aof")
        return path

    def settle(self) -> None:
        """All that was written so far survives."""
        self.office.desk.wait_until_durable()
        self.durable = self.file.stat().st_size

    def cut(self) -> None:
        """Kill the server, lose the tail, start it again."""
        assert self.server.process is not None
        self.server.process.kill()
        self.server.process.wait()
        os.truncate(self.file, self.durable)
        assert self.server.restart_if_dead()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Forgetful]:
    settings = settings_for(tmp_path, {"COPYDESK_STATE_DURABILITY": "always", "COPYDESK_INBOX_STABLE_SECONDS": "0"})
    with EmbeddedServer(settings.data) as server, open_office(embedded_url(settings.data), settings) as office:
        yield Forgetful(server, office)


def once_before(call: Callable[..., object], first: Callable[[], None]) -> Callable[..., object]:
    """`call`, with `first` done before its first call."""
    pending = [first]

    def both(*arguments: object) -> object:
        while pending:
            pending.pop()()
        return call(*arguments)

    return both


def test_a_file_is_not_put_away_where_the_server_forgot_it(
    house: Forgetful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = house.office.desk
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.txt").write_text(text_article(1))
    source = Source(id="drop", kind="directory", path=str(inbox), claim=True)
    house.settle()
    monkeypatch.setattr(desk, "wait_until_durable", once_before(desk.wait_until_durable, house.cut))

    def pull() -> None:
        pull_inbox(source, desk, desk.settings, desk.spool, datetime.now(UTC) + timedelta(seconds=1))

    with pytest.raises(StateError, match="started again"):
        pull()
    assert desk.counters.in_flight() == 0, "the server knows nothing of it"
    assert not (inbox / "done").exists()
    pull()
    house.office.bells.waiting.popleft()  # the bell of the batch that was forgotten
    house.office.drain()
    assert house.office.verdicts() == {"stored": 1}
    assert (inbox / "done" / "a.txt").exists()


def test_nothing_is_stored_that_the_server_forgot(house: Forgetful, monkeypatch: pytest.MonkeyPatch) -> None:
    office, desk = house.office, house.office.desk
    queue = StorageQueue(desk.redis, desk.keys, desk.settings.store.group)
    queue.create_group()
    house.settle()
    desk.redis.xadd(desk.keys.stream, {"event": "create", "id": "00", "version": 1, "record": "{}"})
    writer = Writer(queue, office.sink, desk.redis, desk.settings, "test", lambda *_: None)
    gather = writer._gather

    def gather_and_cut(block_ms: int) -> list[Entry]:
        entries = gather(block_ms)
        house.cut()
        return entries

    monkeypatch.setattr(writer, "_gather", gather_and_cut)
    with pytest.raises(StateError, match="started again"):
        writer.run_once()
    assert office.sink.count() == 0
    monkeypatch.undo()
    assert writer.run_once() == 0, "the server remembers no such entry"


def test_large_bytes_stay_where_the_server_forgot_the_verdict(
    house: Forgetful, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, desk = house.office, house.office.desk
    large = spooled(desk, text_article(1).encode())
    desk.receive(Source(id="push", kind="push"), [large], lane="news")
    office.step()
    house.settle()
    monkeypatch.setattr(desk, "wait_until_durable", once_before(desk.wait_until_durable, house.cut))
    _, _, batch_id = office.bells.waiting[0]
    office.drain()
    assert desk.counters.in_flight() == 1, "the batch is back"
    assert desk.read(large) == text_article(1).encode()
    pipeline.dedupe(desk, batch_id)
    assert office.verdicts() == {"stored": 1}
    assert list(desk.spool.directory.iterdir()) == []


def test_a_directory_is_read_again_from_where_the_server_remembers_it(house: Forgetful, tmp_path: Path) -> None:
    office, desk = house.office, house.office.desk
    desk.settings = msgspec.structs.replace(
        desk.settings, batches=msgspec.structs.replace(desk.settings.batches, documents=2)
    )
    lines = [
        msgspec.json.encode({"guid": str(number), "headline": f"Story {number}", "body_text": text_article(number)})
        for number in range(6)
    ]
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "a.jsonl").write_bytes(b"\n".join(lines))
    source = Source(id="archive", kind="directory", path=str(tmp_path / "archive"))

    def pull(progress: Callable[[Pulled], None] = ignore_progress) -> Pulled:
        return pull_directory(
            source, desk.intake_of(source), desk.settings, desk.spool, datetime.now(UTC), progress=progress
        )

    house.settle()
    cuts = [house.cut]
    with pytest.raises(StateError, match="started again"):
        pull(lambda _: cuts.pop()() if cuts else None)
    assert desk.counters.in_flight() == 0, "the first two lines are forgotten, and nothing was taken behind them"
    assert pull().documents == len(lines)
    office.bells.waiting.popleft()  # the bell of the batch that was forgotten
    office.drain()
    assert office.verdicts() == {"stored": len(lines)}


def test_every_start_is_a_run_of_its_own(house: Forgetful) -> None:
    first = run_id(house.office.desk.redis)
    assert run_id(house.office.desk.redis) == first
    house.settle()
    house.cut()
    assert run_id(house.office.desk.redis) != first
    assert run_id(house.office.desk.redis, "none") == ""
