"""Liveness is progress: who gives no sign of life, or takes none of the work that waits for it, is wedged.

A worker of Celery can answer pings and take nothing for ever (a known fault after long stalls of its server), and a
stopped process answers nothing at all. Both keep their prefetched bells. Killing them is safe: the ledger brings
their batches back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from worker.config import Settings
from worker.desk import Bells, StageTask, state_url_of
from worker.model import LANES
from worker.state.connection import connect
from worker.state.keys import Keys
from worker.state.pauses import Pauses
from worker.state.pulses import Pulse, living_here

LOOK_SECONDS = 1.0
"""How often the processes are looked at."""
ANSWER_SECONDS = 2.0
"""A server that takes longer is away: then nobody can make progress, and nobody is judged."""
START_SECONDS = 60.0
"""How long a process may take until its first sign of life."""
STAGE_TASKS: tuple[StageTask, ...] = ("pull", "parse", "dedupe")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was seen of a process: since when (monotonic seconds) it stands still with work before it."""

    pid: int
    answered: int
    still_since: float


class Watch:
    """Judges processes by what they show, look after look. Pure but for its memory."""

    def __init__(self, stalled_seconds: float, task_seconds: float) -> None:
        self._stalled = stalled_seconds
        self._task = task_seconds
        self._sights: dict[str, _Sight] = {}

    def forget(self) -> None:
        """Begin anew: while the server was away nobody could make progress."""
        self._sights.clear()

    def judge(self, pulse: Pulse, *, waits: bool, now: float, since: float) -> str | None:
        """Why a process is wedged, or None. `waits`: work that it serves waits; times are monotonic seconds.

        `since` is when the server was first seen answering: silence before that is nobody's fault.
        """
        # A sign of life that came while we looked is a little ahead; one far ahead is of the host's last run.
        silent = now - max(pulse.monotonic, since)
        if pulse.monotonic > now + self._stalled or silent > max(self._stalled, pulse.patience_seconds):
            return f"no sign of life for {silent:.0f} s"
        seen = self._sights.get(pulse.name)
        if seen is None or not waits or seen.pid != pulse.pid or seen.answered != pulse.answered:
            self._sights[pulse.name] = _Sight(pulse.pid, pulse.answered, now)
            return None
        still = now - seen.still_since
        if still > self._stalled + (self._task if pulse.busy else 0.0):
            return f"work waits, and it has taken none for {still:.0f} s"
        return None


class Watchdog:
    """Watches the children of a supervisor in a thread; `wedged` is asked by the supervisor, which replaces them."""

    def __init__(self, settings: Settings, bells: Bells) -> None:
        self._settings = settings
        self._bells = bells
        self._redis = connect(state_url_of(settings), ANSWER_SECONDS, patient=False)
        self._pauses = Pauses(self._redis, Keys(settings.state.namespace))
        self._watch = Watch(settings.supervision.stalled_seconds, settings.workers.task_seconds)
        self._server_since: float | None = None
        self._verdicts: dict[int, str] = {}
        self._asked: set[int] = set()
        self._known: set[int] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="watchdog")

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching (a look that waits for the broker ends by itself)."""
        self._stopped.set()
        self._redis.close()

    @property
    def answering(self) -> bool:
        """True where server and broker answered at the last look."""
        return self._server_since is not None

    def wedged(self, pid: int, started_at: float) -> str | None:
        """Why the process is wedged, or None; `started_at` in monotonic seconds."""
        self._asked.add(pid)
        verdict = self._verdicts.get(pid)
        if verdict is not None or self._server_since is None:
            return verdict
        waited = time.monotonic() - max(started_at, self._server_since)
        return (
            None
            if pid in self._known or waited < START_SECONDS
            else f"no sign of life since it was started, {waited:.0f} s ago"
        )

    def _work(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                # Whatever it is: a watchdog that has ended would be missed by nobody.
                log.exception("watchdog_failed")

    def look(self) -> None:
        """One look at all processes of this host."""
        try:
            self._redis.ping()
            depths = bells_waiting(self._bells, self._pauses)
            pulses = living_here(self._settings, self._redis, frozenset(self._asked))
        except (RedisError, OSError):
            self._server_since = None
            self._watch.forget()
            self._verdicts = {}
            return
        now = time.monotonic()
        self._server_since = self._server_since or now
        self._known = {pulse.pid for pulse in pulses}
        self._verdicts = dict(judge_all(self._watch, pulses, depths, now, self._server_since))


def bells_waiting(bells: Bells, pauses: Pauses) -> dict[StageTask, int]:
    """Bells by stage that somebody should take; raises OSError or RedisError where broker or server is away."""
    return {
        task: sum(bells.depth(task, lane) for lane in LANES if pauses.why(task, lane) is None) for task in STAGE_TASKS
    }


def judge_all(
    watch: Watch, pulses: Iterable[Pulse], depths: Mapping[StageTask, int], now: float, since: float
) -> Iterable[tuple[int, str]]:
    """(process id, reason) of each wedged process."""
    for pulse in pulses:
        waits = any(depths.get(task, 0) for task in STAGE_TASKS if task in pulse.serves)
        reason = watch.judge(pulse, waits=waits, now=now, since=since)
        if reason is not None:
            yield pulse.pid, reason
