"""The writer: storage queue -> sink, at least once, upserted, so exactly once in effect.

    read ──► wait until the server has it on disk ──► write and commit ──► acknowledge and delete

Killed anywhere on this line, the entries stay pending for this consumer: it reads them again when it comes back,
or another writer of the group claims them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import structlog
from redis import Redis
from redis.exceptions import RedisError

from worker.config import Settings
from worker.errors import SinkError, StateError
from worker.state.durability import run_id, wait_until_durable
from worker.state.families import Families
from worker.state.keys import Keys
from worker.state.queue import Entry, StorageQueue
from worker.store.sink import Sink
from worker.store.withdrawals import publish_next_copy, without_head

PAGE_ENTRIES = 250
"""Entries of one read; reading in hundreds is fifteen times as fast as one by one."""
ROUND_ENTRIES = 5_000
"""Most entries between two looks at whether the server is still the one they were read from."""
ROUND_BYTES = 64_000_000
"""No further page is read in a round above this size: it bounds the writer's memory."""
CLAIM_EVERY_SECONDS = 5.0
"""How often dead consumers are looked for."""
BLOCK_MILLISECONDS = 1_000
"""Longest wait for new entries; also how soon the stop flag is seen."""
FIRST_DELAY_SECONDS = 0.25
LAST_DELAY_SECONDS = 30.0
"""The wait after a failure doubles from the first to the last."""
CONSULT_SECONDS = 1.0
"""How often `consult` is asked while nothing is written."""

_FAILURES = (SinkError, StateError, RedisError)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a writer is doing; counts are entries since it started. `status` `waiting` says why in `detail`."""

    status: Literal["starting", "running", "writing", "waiting", "paused", "stopped"] = "starting"
    detail: str = ""
    records: int = 0
    sightings: int = 0
    families: int = 0
    refused: int = 0
    claimed: int = 0
    deleted: int = 0
    failures: int = 0
    committed_at: datetime | None = None

    @property
    def entries(self) -> int:
        """Entries that were written."""
        return self.records + self.sightings + self.families


class Writer:
    """Moves entries of one consumer group into one sink.

    `consumer` should be the same after a restart (host name and task, say). `bury` is given each entry the sink
    refuses, with the reason, before the entry is acknowledged; it may be called twice for one entry. `consult` is told
    the progress every second or so, and answers why nothing may be written now, or None. `may_bury` is told how many
    of a transaction were refused and how many written, and answers why so many must not be buried, or None.
    """

    def __init__(
        self,
        queue: StorageQueue,
        sink: Sink,
        redis: Redis,
        settings: Settings,
        consumer: str,
        bury: Callable[[Entry, str], None],
        consult: Callable[[Progress], str | None] = lambda _: None,
        may_bury: Callable[[int, int], str | None] = lambda _refused, _written: None,
    ) -> None:
        self._queue = queue
        self._sink = sink
        self._redis = redis
        self._settings = settings
        self._families = Families(redis, settings)
        self._events = Keys(settings.state.namespace).events
        self._consumer = consumer
        self._bury = bury
        self._consult = consult
        self._may_bury = may_bury
        self._progress = Progress()
        self._has_own_pending = True
        self._claim_at = 0.0

    def progress(self) -> Progress:
        """The figures of this moment (safe to call from another thread)."""
        return self._progress

    def run(self, stop: threading.Event) -> None:
        """Write until `stop` is set. While the sink or the server fails: wait, longer each time, and try again."""
        delay = FIRST_DELAY_SECONDS
        while not stop.is_set():
            try:
                if self._is_paused():
                    stop.wait(CONSULT_SECONDS)
                    continue
                self.run_once(BLOCK_MILLISECONDS)
                delay = FIRST_DELAY_SECONDS
            except _FAILURES as error:
                self._note_failure(error, delay)
                self._wait(stop, delay)
                delay = min(2 * delay, LAST_DELAY_SECONDS)
        self._progress = replace(self._progress, status="stopped", detail="")

    def run_once(self, block_ms: int = 0) -> int:
        """One round: entries read, written and acknowledged; the number of them, 0 where there were none.

        `block_ms` is how long to wait for new ones. Raises SinkError, StateError or RedisError; what was not
        acknowledged comes first in the next round.
        """
        try:
            # A server that has forgotten these entries may decide anew: what it said before must not be committed.
            durability = self._settings.state.durability
            since = run_id(self._redis, durability)
            entries = self._gather(block_ms)
            if entries:
                wait_until_durable(self._redis, self._events, durability, since)
            size = self._settings.store.batch_records
            for first in range(0, len(entries), size):
                self._settle(entries[first : first + size])
        except _FAILURES:
            self._has_own_pending = True
            raise
        self._progress = replace(self._progress, status="running", detail="")
        return len(entries)

    def _is_paused(self) -> bool:
        reason = self._consult(self._progress)
        if reason is not None:
            self._progress = replace(self._progress, status="paused", detail=reason)
        return reason is not None

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait, and tell meanwhile that we are alive; a server that is away is no reason to end."""
        end = time.monotonic() + seconds
        while not stop.wait(max(0.0, min(CONSULT_SECONDS, end - time.monotonic()))) and time.monotonic() < end:
            with contextlib.suppress(RedisError):
                self._consult(self._progress)

    def _gather(self, block_ms: int) -> list[Entry]:
        if self._has_own_pending:
            self._queue.create_group()
            entries = self._read_pages(self._own_pending_page)
            if entries:
                return self._without_deleted(entries)
            self._has_own_pending = False
        claimed = self._claim()
        return claimed + self._read_pages(lambda found: self._new_page(0 if found or claimed else block_ms))

    def _read_pages(self, read: Callable[[list[Entry]], list[Entry]]) -> list[Entry]:
        """Pages until one is not full or the round is; `read` gets what was found so far."""
        found: list[Entry] = []
        size = 0
        while len(found) < ROUND_ENTRIES and size < ROUND_BYTES:
            page = read(found)
            found += page
            size += sum(len(value) for entry in page for value in entry.fields.values())
            if len(page) < PAGE_ENTRIES:
                break
        return found

    def _own_pending_page(self, found: list[Entry]) -> list[Entry]:
        after = found[-1].entry_id if found else "0"
        return self._queue.read_own_pending(self._consumer, PAGE_ENTRIES, after)

    def _new_page(self, block_ms: int) -> list[Entry]:
        return self._queue.read_new(self._consumer, PAGE_ENTRIES, block_ms)

    def _claim(self) -> list[Entry]:
        """Entries of consumers that have gone silent, looked for every few seconds."""
        if time.monotonic() < self._claim_at:
            return []
        idle_seconds = self._settings.store.claim_idle_seconds
        claimed, deleted = self._queue.claim_stale(self._consumer, idle_seconds, PAGE_ENTRIES)
        if deleted:
            self._note_deleted(deleted)
        if claimed:
            _log.info("entries_claimed", group=self._queue.group, consumer=self._consumer, entries=len(claimed))
            self._progress = replace(self._progress, claimed=self._progress.claimed + len(claimed))
        if len(claimed) < PAGE_ENTRIES:
            self._claim_at = time.monotonic() + min(CLAIM_EVERY_SECONDS, idle_seconds)
        self._queue.trim()
        return claimed

    def _without_deleted(self, entries: list[Entry]) -> list[Entry]:
        deleted = [entry for entry in entries if not entry.fields]
        if deleted:
            self._note_deleted(len(deleted))
            self._queue.acknowledge(deleted)
        return [entry for entry in entries if entry.fields]

    def _settle(self, entries: Sequence[Entry]) -> None:
        self._progress = replace(self._progress, status="writing", detail="")
        self._consult(self._progress)
        result = self._sink.write(entries)
        reason = self._may_bury(len(result.refused), result.records + result.sightings + result.families)
        if reason is not None:
            # They stay pending, and are written again when the pause is over.
            raise SinkError(f"the store refuses too much: {reason}")
        for refused in result.refused:
            _log.warning("record_refused", entry=refused.entry.entry_id, reason=refused.reason)
            self._bury(refused.entry, refused.reason)
        for record_id in without_head(entries, self._sink):
            publish_next_copy(self._families, self._sink, record_id)
        self._queue.acknowledge(list(entries))
        before = self._progress
        self._progress = replace(
            before,
            records=before.records + result.records,
            sightings=before.sightings + result.sightings,
            families=before.families + result.families,
            refused=before.refused + len(result.refused),
            committed_at=datetime.now(UTC),
        )

    def _note_deleted(self, count: int) -> None:
        """Entries vanished from the stream before they were acknowledged: somebody trimmed it."""
        _log.error("entries_deleted_unacknowledged", group=self._queue.group, entries=count)
        self._redis.hincrby(self._events, "stream_deleted_unacknowledged", count)
        self._progress = replace(self._progress, deleted=self._progress.deleted + count)

    def _note_failure(self, error: Exception, delay_seconds: float) -> None:
        code = getattr(error, "code", "state")
        _log.warning("store_waiting", code=code, error=str(error), retry_seconds=delay_seconds)
        self._progress = replace(
            self._progress,
            status="waiting",
            detail=f"{error}; next try in {delay_seconds:g} s",
            failures=self._progress.failures + 1,
        )
