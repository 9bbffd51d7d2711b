"""Workers of `copydesk ingest --until-idle`, on a data directory where nobody else works."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

import structlog
from redis.exceptions import RedisError

from worker import pipeline
from worker.cli.common import celery_bells
from worker.config import Settings
from worker.desk import Desk
from worker.errors import StateError
from worker.supervisor import AlreadyRunningError, Supervisor

TAKE_OVER_SECONDS = 2.0
"""How often we look whether those who worked on the data directory have ended."""

log = structlog.get_logger()


class Crew:
    """Parses, stores and sweeps, unless a `copydesk run` or another ingest does; where that ends first, takes over.

    A context manager; `look` is to be called again and again. With a server that is not embedded it does nothing:
    whoever runs that has workers of their own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._supervisor: Supervisor | None = None
        self._stack = contextlib.ExitStack()
        self._took_over_at = float("-inf")
        self._swept_at = float("-inf")

    def __enter__(self) -> Crew:
        self._take_over()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def working(self) -> bool:
        """True where the work is ours."""
        return self._supervisor is not None

    def look(self, desk: Desk) -> None:
        """Keep our workers running and ring for what waits; raises CrashLoopError for what keeps dying."""
        self._take_over()
        if self._supervisor is None:
            return
        self._supervisor.check()
        if time.monotonic() - self._swept_at > self._settings.sweeper.interval_seconds:
            self._swept_at = time.monotonic()
            try:
                pipeline.sweep(desk)
            except (RedisError, OSError, StateError) as error:
                log.warning("sweep_failed", error=str(error))

    def _take_over(self) -> None:
        now = time.monotonic()
        if self.working or not self._settings.embedded or now - self._took_over_at < TAKE_OVER_SECONDS:
            return
        self._took_over_at = now
        with contextlib.suppress(AlreadyRunningError):
            self._supervisor = self._stack.enter_context(
                Supervisor(self._settings, celery_bells(), parts=("parse", "store"))
            )
