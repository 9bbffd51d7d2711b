"""The Celery application: the only file that imports Celery. Each task calls one function of the pipeline.

Bells are Celery messages on the queues `pull`, `parse`, `dedupe` and their `.backfill` twins, plus `control`
for ticks and sweeps. Stock tools work on it: `celery -A worker.tasks inspect active`, `celery -A worker.tasks flower`.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from worker import pipeline
from worker.config import Settings, load_settings
from worker.desk import Desk, StageTask, state_url_of
from worker.limits import limit_memory
from worker.logs import configure_logging
from worker.model import LANES, Lane
from worker.state.connection import SCHEMES, broker_url

CONTROL = "control"
TASKS: tuple[StageTask, ...] = ("dedupe", "parse", "pull")
"""Downstream first: a worker that serves several queues empties the pipe before it fills it."""


def queue_name(task: str, lane: Lane) -> str:
    """The queue of a task: its name, with `.backfill` for the lane that must not delay news."""
    return task if lane == "news" else f"{task}.{lane}"


def queues_of(tasks: list[str]) -> list[str]:
    """All queues a worker of these tasks serves, in order of precedence.

    Ticks and sweeps are short and everybody's: no lost bell waits because all who pull are busy, or gone.
    """
    return [CONTROL, *(queue_name(task, lane) for lane in LANES for task in TASKS if task in tasks)]


def _broker(settings: Settings) -> str:
    url = settings.state.broker_url or state_url_of(settings)
    return broker_url(url) if url.startswith(SCHEMES) else url


def make_app(settings: Settings) -> Celery:
    """The Celery application for these settings."""
    app = Celery("copydesk", broker=_broker(settings))
    transport: dict[str, Any] = {}
    if app.conf.broker_url.startswith(("redis", "rediss")):
        transport = {
            "global_keyprefix": f"{settings.state.namespace}:bells:",
            "queue_order_strategy": "priority",
            "visibility_timeout": 600,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": settings.state.socket_timeout_seconds,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        }
    app.conf.update(
        task_queues=[Queue(name, Exchange("copydesk"), routing_key=name) for name in queues_of(list(TASKS))],
        task_default_queue=CONTROL,
        task_default_exchange="copydesk",
        task_default_routing_key=CONTROL,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        # No soft limit: its exception would be taken for a fault of the document that was just being parsed.
        task_time_limit=settings.workers.task_seconds,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=settings.workers.tasks_per_child,
        worker_max_memory_per_child=settings.workers.memory_per_child_kib,
        worker_soft_shutdown_timeout=5.0,
        worker_enable_soft_shutdown_on_idle=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_transport_options=transport,
        beat_schedule={
            "tick": {"task": "copydesk.tick", "schedule": 1.0},
            "sweep": {"task": "copydesk.sweep", "schedule": settings.sweeper.interval_seconds},
        },
        beat_schedule_filename=str(settings.data / "run" / "beat"),
        enable_utc=True,
    )
    return app


settings = load_settings()
app = make_app(settings)


class CeleryBells:
    """Rings by sending a task, and counts what waits in a queue."""

    def ring(self, task: StageTask, lane: Lane, identifier: str) -> None:
        """Send one bell; raises OSError where the broker is away."""
        try:
            app.send_task(f"copydesk.{task}", args=[identifier], queue=queue_name(task, lane), retry=False)
        except OperationalError as error:
            raise OSError(str(error)) from error

    def depth(self, task: StageTask, lane: Lane) -> int:
        """Bells waiting in the queue; raises OSError where the broker is away."""
        try:
            with app.pool.acquire(block=True) as connection:
                channel = connection.default_channel
                declared = app.amqp.queues[queue_name(task, lane)].bind(channel).queue_declare(passive=False)
                return int(declared.message_count)
        except OperationalError as error:
            raise OSError(str(error)) from error


@cache
def desk() -> Desk:
    """The process's desk (opened at its first task, so never shared across a fork)."""
    return Desk(settings, CeleryBells())


@worker_process_init.connect
def _prepare_pool_process(**_: object) -> None:
    desk.cache_clear()
    limit_memory(settings.limits.parse_memory_bytes)


@setup_logging.connect
def _logging(**_: object) -> None:
    configure_logging(os.environ.get("COPYDESK_LOG_LEVEL", "info"))
    # These say a line for every task, of which beat sends one a second.
    for chatty in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@app.task(name="copydesk.tick")
def tick() -> None:
    """Ring for sources that are due."""
    pipeline.tick(desk())


@app.task(name="copydesk.sweep")
def sweep() -> None:
    """Ring again for work that waits without a bell."""
    pipeline.sweep(desk())


@app.task(name="copydesk.pull")
def pull(source_id: str) -> None:
    """Pull one source."""
    pipeline.pull(desk(), source_id)


@app.task(name="copydesk.parse")
def parse(batch_id: str) -> None:
    """Parse one batch."""
    pipeline.parse(desk(), batch_id)


@app.task(name="copydesk.dedupe")
def dedupe(batch_id: str) -> None:
    """Give the articles of one batch their verdicts."""
    pipeline.dedupe(desk(), batch_id)
