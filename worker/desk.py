"""The desk: settings, state and bells, opened once per process and handed to every stage."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError

from worker.config import Settings
from worker.intake.polled import Settled
from worker.model import Batch, Document, Lane, Source
from worker.state.burials import Burials
from worker.state.clock import Clock
from worker.state.connection import connect
from worker.state.counters import Counters
from worker.state.durability import run_id, server_run, wait_until_durable
from worker.state.feeds import Feeds
from worker.state.hosts import Hosts
from worker.state.keys import Keys
from worker.state.ledger import Claim, Ledger, new_id
from worker.state.letters import Letters
from worker.state.memory import Memory
from worker.state.pauses import Pauses
from worker.state.pressure import Pressure
from worker.state.receipts import today
from worker.state.server import embedded_url
from worker.state.sources import Sources
from worker.state.spool import Spool

StageTask = Literal["pull", "parse", "dedupe"]
BellTask = Literal["pull", "poll", "parse", "dedupe"]
TASK_SHARE = 0.9
"""Of `workers.task_seconds`, whose clock starts a little before a batch is claimed."""

log = structlog.get_logger()


class Bells(Protocol):
    """How a stage is told that something waits for it."""

    def ring(self, task: BellTask, lane: Lane, identifier: str) -> None:
        """Announce a batch (parse, dedupe), a source (pull) or that feeds are due (poll). A lost bell is rung again."""

    def depth(self, task: BellTask, lane: Lane) -> int:
        """Bells that wait in the queue of a task."""


class SilentBells:
    """Rings nothing: for commands that only look, or that leave the ringing to the sweeper."""

    def ring(self, task: BellTask, lane: Lane, identifier: str) -> None:
        """Nobody is told; the sweeper rings within its interval."""

    def depth(self, task: BellTask, lane: Lane) -> int:  # noqa: ARG002  # the Protocol names them
        """No queue, no bells."""
        return 0


class Desk:
    """Everything a stage needs. `state_url` may name another server than the settings do (tests).

    `stopping` is set where the process was told to stop: intake then ends with the batch in hand.
    """

    def __init__(self, settings: Settings, bells: Bells, state_url: str | None = None) -> None:
        self.settings = settings
        self.bells = bells
        self.redis: Redis = connect(state_url or state_url_of(settings), settings.state.socket_timeout_seconds)
        self.keys = Keys(settings.state.namespace)
        self.ledger = Ledger(self.redis, settings)
        self.memory = Memory(self.redis, settings)
        self.letters = Letters(self.redis, settings)
        self.sources = Sources(self.redis, self.keys, settings.sweeper.lease_seconds)
        self.counters = Counters(self.redis, self.keys)
        self.pressure = Pressure(self.redis, settings)
        self.pauses = Pauses(self.redis, self.keys)
        self.burials = Burials(self.redis, settings, self.pauses)
        self.clock = Clock(self.redis, self.keys)
        self.stopping = threading.Event()
        self.feeds = Feeds(self.redis, self.keys)
        self.hosts = Hosts(self.redis, settings)
        self.spool = Spool(settings.data / "spool")

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()

    def ring(self, task: BellTask, lane: Lane, identifier: str) -> None:
        """Ring, and go on where the broker is away: the sweeper rings again."""
        try:
            self.bells.ring(task, lane, identifier)
        except (RedisError, OSError) as error:
            log.warning("bell_lost", task=task, identifier=identifier, error=str(error))

    def drop_spooled(self, references: Sequence[str]) -> None:
        """Delete spool objects that nobody holds any more, once the server has on disk that nobody does.

        A server that lost its last second would else bring a batch back whose bytes are gone. Where it has lost it
        meanwhile, somebody holds them again.
        """
        if references:
            self.wait_until_durable()
        for reference in references:
            if not self.ledger.holds(reference):
                self.spool.delete(reference)

    def read(self, document: Document) -> bytes:
        """The document's bytes; raises Failed("unreadable") where the spool has lost them."""
        return document.content if document.content_ref is None else self.spool.read(document.content_ref)  # type: ignore[return-value]  # exactly one of the two is set

    def settle(self, ended: Sequence[Settled]) -> None:
        """Write what polls gave: batches with what was learned, due times and leases, in one pipeline; then ring."""
        batches: list[Batch] = []
        with self.redis.pipeline(transaction=False) as pipe:
            for settled in ended:
                fields, seconds, batch = self._poll_fields(settled)
                if batch is not None:
                    batches.append(batch)
                    self.ledger.receive(batch, fields, pipe)
                self.feeds.settle(settled.source.id, seconds, fields, pipe)
                for lease, rest_seconds in settled.leases:
                    self.hosts.free(lease, rest_seconds, pipe)
            pipe.execute()
        for batch in batches:
            self.ring("parse", batch.lane, batch.id)

    def _poll_fields(self, settled: Settled) -> tuple[dict[str, str], float, Batch | None]:
        """Fields of the poll state, seconds until the feed is due, and the batch where the poll brought a document."""
        polled, source = settled.polled, settled.source
        if polled is None:
            put_off = {"problem": settled.problem} if settled.problem else {}
            return {**put_off, "more": "1"}, settled.due_seconds, None
        more = "1" if polled.more else ""
        fields = {**polled.learned, "pulled_at": f"{time.time():.3f}", "problem": settled.problem or "", "more": more}
        if polled.document is None:
            return fields, settled.due_seconds, None
        documents = (polled.document,)
        batch = Batch(id=new_id(source.lane), source_id=source.id, lane=source.lane, day=today(), documents=documents)
        return fields, settled.due_seconds, batch

    # The methods below are what intake sees of the ledger (worker.intake.receiver.Receiver).

    def receive(
        self,
        source: Source,
        documents: Sequence[Document],
        *,
        lane: Lane,
        remember: Mapping[str, str] | None = None,
        run: str = "",
    ) -> None:
        """Store the documents as one batch, and `remember` in the poll state, in one atomic step; then ring.

        With `run` that must still be the server's: StateError where it is not.
        """
        batch = Batch(id=new_id(lane), source_id=source.id, lane=lane, day=today(), documents=tuple(documents))
        self.ledger.receive(batch, dict(remember or {}), run=run)
        if documents:
            self.ring("parse", self.queue_lane(source.id, lane), batch.id)

    def queue_lane(self, source_id: str, lane: Lane) -> Lane:
        """The lane of the queue for a bell: a source with much in flight queues behind all others.

        Bells only: its batches keep their own lane in the ledger.
        """
        much = self.counters.of_source(source_id) > self.settings.pressure.fair_documents
        return "backfill" if much else lane

    def recall(self, source_id: str) -> dict[str, str]:
        """The source's poll state; empty for a source never pulled."""
        return self.sources.recall(source_id)

    def note(self, source_id: str, fields: Mapping[str, str]) -> None:
        """Write fields of the poll state without a batch."""
        self.sources.note(source_id, fields)

    def run_id(self) -> str:
        """The server's present run, for `wait_until_durable`."""
        return run_id(self.redis, self.settings.state.durability)

    def wait_until_durable(self, since: str = "") -> None:
        """Return when everything received since the run `since` is on disk; StateError where that is not so."""
        wait_until_durable(self.redis, self.keys.events, self.settings.state.durability, since)

    def paused(self) -> str | None:
        """Why intake must pause (back-pressure, or somebody said so), or None."""
        return self.pauses.why("pull") or self.pressure.paused()

    def intake_of(self, source: Source, lane: Lane | None = None) -> SourceIntake:
        """The ledger as the pull of one source sees it."""
        return SourceIntake(self, source, lane or source.lane)


class SourceIntake:
    """The ledger as the pull of one source sees it (a Receiver): its own pauses, and the back-pressure on its lane."""

    def __init__(self, desk: Desk, source: Source, lane: Lane) -> None:
        self._desk = desk
        self._source = source
        self._lane = lane
        self._run = ""
        self.note = desk.note
        self.run_id = desk.run_id
        self.wait_until_durable = desk.wait_until_durable

    def receive(
        self, source: Source, documents: Sequence[Document], *, lane: Lane, remember: Mapping[str, str] | None = None
    ) -> None:
        """As the desk does, and slower the nearer a high-water mark is.

        After `recall` only in the same run of the server: what is remembered from here on rests on all before it.
        """
        self._desk.receive(source, documents, lane=lane, remember=remember, run=self._run)
        self._desk.stopping.wait(self._desk.pressure.delay_seconds(lane))

    def recall(self, source_id: str) -> dict[str, str]:
        """The source's poll state; a server that is started again after this takes nothing more from this pull."""
        self._run = server_run(self._desk.redis)
        return self._desk.recall(source_id)

    def paused(self) -> str | None:
        """Why this pull must pause, or None."""
        if self._desk.stopping.is_set():
            return "this worker is told to stop"
        return self._desk.pauses.why("pull", self._lane, self._source.id) or self._desk.pressure.paused(self._lane)


def state_url_of(settings: Settings) -> str:
    """The state server of the settings: the configured one, or the embedded one of the data directory."""
    return settings.state.redis_url or embedded_url(settings.data)


@contextlib.contextmanager
def hold(desk: Desk, claim: Claim) -> Iterator[None]:
    """Keep a claim's lease while the block works; hand it back where the process is told to stop.

    Not where the block has used up the time of a task: then Celery's time limit tells the process to stop, the delivery
    counts, and a batch that is too slow is taken apart instead of coming back for ever.
    """
    ends_at = time.monotonic() + TASK_SHARE * desk.settings.workers.task_seconds
    with repeat_every(desk.settings.sweeper.lease_seconds / 3, lambda: desk.ledger.renew(claim)):
        try:
            yield
        except (SystemExit, KeyboardInterrupt):
            if time.monotonic() < ends_at:
                desk.ledger.hand_back(claim)
            raise


@contextlib.contextmanager
def hold_source(desk: Desk, source_id: str) -> Iterator[None]:
    """Keep a source from being pulled twice at once while the block pulls it."""
    lease_seconds = desk.sources.lease_seconds
    with repeat_every(lease_seconds / 3, lambda: desk.sources.reschedule(source_id, lease_seconds)):
        yield


@contextlib.contextmanager
def repeat_every(seconds: float, call: Callable[[], object]) -> Iterator[None]:
    """Call something every so many seconds in a thread while the block runs; a broken connection is tried again."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(seconds):
            with contextlib.suppress(RedisError, OSError):
                call()

    thread = threading.Thread(target=work, daemon=True, name="keep-lease")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
