"""A desk on the test server, bells that remember what was rung, and short ways through the whole line."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from worker import pipeline
from worker.config import Settings, load_settings
from worker.desk import BellTask, Desk
from worker.intake.directory import pull_paths
from worker.model import Batch, DeadLetter, Document, Lane, Record, Source, decode_record
from worker.operate.dead import bury_refused
from worker.operate.reconcile import Report, reconcile
from worker.state.counters import VERDICTS, imbalance
from worker.state.ledger import Ledger, new_id
from worker.state.letters import Filter
from worker.state.queue import StorageQueue
from worker.store.sink import Sink, open_sink
from worker.store.writer import Writer

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DAY = "2026-11-01"
PUSH = Source(id="push", kind="push")
SWIFT = {
    "COPYDESK_STATE_DURABILITY": "none",
    "COPYDESK_SWEEPER_AFTER_SECONDS": "0",
    "COPYDESK_SWEEPER_LEASE_SECONDS": "0.15",
    "COPYDESK_FEEDS_FULL_TEXT": "never",
}
"""Nothing waits for the disk, the sweeper rings at once, and a lease lapses before one gets impatient; the short
entries of tests are whole articles."""


@dataclass
class Bells:
    """Remembers every bell; `waiting` is the queue, in which a test may repeat, reorder or lose them."""

    rung: list[tuple[BellTask, Lane, str]] = field(default_factory=list)
    waiting: deque[tuple[BellTask, Lane, str]] = field(default_factory=deque)

    def ring(self, task: BellTask, lane: Lane, identifier: str) -> None:
        self.rung.append((task, lane, identifier))
        self.waiting.append((task, lane, identifier))

    def depth(self, task: BellTask, lane: Lane) -> int:
        return sum(1 for bell in self.waiting if bell[:2] == (task, lane))


def settings_for(base: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Swift settings below `base`; `environ` goes over them."""
    return load_settings(base / "config", base / "data", {**SWIFT, **(environ or {})})


def text_article(number: int, words: int = 60) -> str:
    """A plain-text article that shares no sentence with one of another number."""
    body = " ".join(f"word{number}x{index}" for index in range(words))
    return f"Council meets for the {number}th time\n\n{body}.\n"


def document(content: bytes = b"x", origin: str = "drop/a.txt", **facts: Any) -> Document:
    """A document as intake hands it over."""
    return Document(
        **{
            "source_id": "push",
            "origin": origin,
            "received_at": NOW,
            "content": content,
            "size_bytes": len(content),
            **facts,
        }
    )


def spooled(desk: Desk, content: bytes, origin: str = "drop/large.txt") -> Document:
    """A document whose bytes lie in the spool."""
    return msgspec.structs.replace(document(content, origin), content=None, content_ref=desk.spool.put(content))


def receive(desk: Desk | Ledger, *documents: Document, lane: Lane = "news", source_id: str = "push") -> str:
    """Put the documents into the ledger as one batch, without a bell; the batch's id."""
    ledger = desk if isinstance(desk, Ledger) else desk.ledger
    batch = Batch(id=new_id(lane), source_id=source_id, lane=lane, day=DAY, documents=documents)
    assert ledger.receive(batch)
    return batch.id


def assert_balanced(desk: Desk) -> None:
    """received + members = verdicts + in flight, at this very moment."""
    assert imbalance(desk.counters.totals(), desk.counters.in_flight()) == 0


class Office:
    """One desk with its bells and its sink."""

    def __init__(self, desk: Desk, bells: Bells, sink: Sink, server_url: str) -> None:
        self.desk = desk
        self.server_url = server_url
        self.bells = bells
        self.sink = sink

    def step(self) -> None:
        """Answer the first bell as a worker would, and check the balance."""
        task, _, identifier = self.bells.waiting.popleft()
        stages: dict[BellTask, Callable[[Desk, str], object]]
        stages = {"pull": pipeline.pull, "poll": pipeline.poll, "parse": pipeline.parse, "dedupe": pipeline.dedupe}
        stages[task](self.desk, identifier)
        assert_balanced(self.desk)

    def drain(self) -> None:
        """Answer bells until none waits."""
        while self.bells.waiting:
            self.step()

    def ingest(self, *paths: Path, source: Source = PUSH, lane: Lane = "news") -> None:
        """Hand files over as `copydesk ingest` does, and work until nothing waits."""
        desk = self.desk
        pull_paths(paths, desk.sources.ensure(source), desk, desk.settings, desk.spool, datetime.now(UTC), lane=lane)
        self.drain()

    def store(self) -> int:
        """Write what lies in the storage queue into the sink; how many entries."""
        desk = self.desk
        queue = StorageQueue(desk.redis, desk.keys, desk.settings.store.group)
        writer = Writer(queue, self.sink, desk.redis, desk.settings, "test", lambda e, why: bury_refused(desk, e, why))
        total = 0
        while count := writer.run_once():
            total += count
        return total

    def reconcile(self) -> Report:
        """The audit against the sink."""
        return reconcile(self.desk, self.sink)

    def verdicts(self) -> dict[str, int]:
        """Verdicts that were given, without the zeros."""
        totals = self.desk.counters.totals()
        return {verdict: totals[verdict] for verdict in VERDICTS if totals[verdict]}

    def letters(self) -> dict[str, DeadLetter]:
        """Letters by the name of the file they came from."""
        return {Path(letter.document.origin).name: letter for letter in self.desk.letters.find(Filter())}

    def queued(self) -> list[Record]:
        """Records in the storage queue."""
        rows: Any = self.desk.redis.xrange(self.desk.keys.stream)
        return [decode_record(fields[b"record"]) for _, fields in rows if b"record" in fields]

    def due_now(self, source_id: str) -> None:
        """Make a source due at once."""
        self.desk.sources.reschedule(source_id, -1)


@contextlib.contextmanager
def open_office(server_url: str, settings: Settings) -> Iterator[Office]:
    """An office on the test server; its database lies in the data directory."""
    bells = Bells()
    desk = Desk(settings, bells, server_url)
    sink = open_sink(settings.sink_url)
    try:
        yield Office(desk, bells, sink, server_url)
    finally:
        sink.close()
        desk.close()


def office_fixture(environ: Mapping[str, str] | None = None) -> Any:
    """A fixture `office`: a desk on the tests' server, emptied; `environ` goes over the swift settings."""

    @pytest.fixture
    def office(redis: Redis, server_url: str, tmp_path: Path) -> Iterator[Office]:
        assert redis.ping()
        with open_office(server_url, settings_for(tmp_path, environ)) as office:
            yield office

    return office


def die_in_a_child(work: Callable[[], object]) -> None:
    """Run `work` in a forked process and see it die by SIGKILL, as a worker does."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child was to be killed"
    assert os.WTERMSIG(status) == signal.SIGKILL
