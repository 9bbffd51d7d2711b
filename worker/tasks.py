"""The Celery application: the only file that imports Celery. Each task calls one function of the pipeline.

Bells are Celery messages on the queues `pull`, `parse`, `dedupe` and their `.backfill` twins, plus `control`
for ticks and sweeps. Stock tools work on it: `celery -A worker.tasks inspect active`, `celery -A worker.tasks flower`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from types import FrameType
from typing import Any

import msgspec
import structlog
from celery import Celery, bootsteps
from celery.apps.worker import Worker
from celery.beat import Scheduler
from celery.signals import celeryd_after_setup, setup_logging, worker_process_init, worker_shutting_down
from celery.worker import state as celery_state
from celery.worker.consumer import Consumer
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from worker import pipeline
from worker.broker import broker_of
from worker.clean.language import identify
from worker.config import PROCESS, Settings, load_settings
from worker.desk import BellTask, Desk, StageTask, state_url_of
from worker.errors import CopydeskError
from worker.limits import limit_memory
from worker.logs import configure_logging
from worker.model import LANES, Lane
from worker.operate.dead import bury_message
from worker.state.process import be_killed_in, kill_forks_with_us, stop_seconds
from worker.state.pulses import EVERY_SECONDS, Pulses

CONTROL = "control"
ANSWER_SECONDS = 5.0
"""How long to try to reach a broker that is asked how much waits."""
CONTROL_BELLS = 10
"""Beat sends no further tick where so many wait: nobody is there to take them, and one is as good as ten."""
CLOCK_STEP_SECONDS = 1.0
"""A clock that moved so far against the monotonic one between two rounds of beat was stepped."""
CONNECT_AGAIN = {"interval_start": 0.2, "interval_step": 0.3, "interval_max": 3.0}
"""Seconds between two tries to reach a broker that is away: first, by how much longer each, at most."""
POLL = "poll"
"""The queue of those who pull that says that feeds are due."""
LOOK_SECONDS = 1.0
"""How often a worker that only pulls looks for due feeds by itself."""
TASKS: tuple[StageTask, ...] = ("dedupe", "parse", "pull")
"""Downstream first: a worker that serves several queues empties the pipe before it fills it."""

log = structlog.get_logger()


def queue_name(task: str, lane: Lane) -> str:
    """The queue of a task: its name, with `.backfill` for the lane that must not delay news."""
    return task if lane == "news" else f"{task}.{lane}"


def queues_of(tasks: list[str]) -> list[str]:
    """All queues a worker of these tasks serves, in order of precedence.

    Ticks and sweeps are short and everybody's: no lost bell waits because all who pull are busy, or gone.
    """
    return [
        CONTROL,
        *([POLL] if "pull" in tasks else []),
        *(queue_name(task, lane) for lane in LANES for task in TASKS if task in tasks),
    ]


def make_app(settings: Settings) -> Celery:
    """The Celery application for these settings."""
    url, transport = broker_of(settings)
    app = Celery("copydesk", broker=url)
    # RabbitMQ's replicated kind of queue; it is durable and survives a node.
    arguments = {"x-queue-type": "quorum"} if url.startswith("amqp") else None
    app.conf.update(
        task_queues=[
            Queue(name, Exchange("copydesk"), routing_key=name, queue_arguments=arguments)
            for name in queues_of(list(TASKS))
        ],
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
        worker_soft_shutdown_timeout=2.0,
        worker_enable_soft_shutdown_on_idle=False,
        worker_hijack_root_logger=False,
        worker_consumer="worker.tasks:KeepingConsumer",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_max_retries=None,
        # Asked of RabbitMQ only: a connection that has silently ended is noticed within two of these.
        broker_heartbeat=30,
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

    def ring(self, task: BellTask, lane: Lane, identifier: str) -> None:
        """Send one bell; raises OSError where the broker is away."""
        try:
            app.send_task(f"copydesk.{task}", args=[identifier], queue=queue_name(task, lane), retry=False)
        except OperationalError as error:
            raise OSError(str(error)) from error

    def depth(self, task: BellTask, lane: Lane) -> int:
        """Bells waiting in the queue; raises OSError where the broker is away."""
        return queue_depth(queue_name(task, lane))


def queue_depth(name: str) -> int:
    """Messages waiting in a queue; raises OSError where the broker is away."""
    try:
        with app.pool.acquire(block=True) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=ANSWER_SECONDS)
            channel = connection.default_channel
            try:
                declared = app.amqp.queues[name].bind(channel).queue_declare(passive=False)
            except OSError:
                # An answer that comes late must not be taken for that to the next question.
                connection.collect()
                raise
            return int(declared.message_count)
    except OperationalError as error:
        raise OSError(str(error)) from error


@cache
def desk() -> Desk:
    """The process's desk (opened at its first task, so never shared across a fork)."""
    return Desk(settings, CeleryBells())


@celeryd_after_setup.connect
def _prepare_forking(instance: Any, **_: object) -> None:
    """Read the model of languages once: each process of the pool would take half a second for its own."""
    kill_forks_with_us()
    if queue_name("parse", "news") in instance.app.amqp.queues.consume_from:
        identify("Words of some language.")


@worker_process_init.connect
def _prepare_pool_process(**_: object) -> None:
    desk.cache_clear()
    limit_memory(settings.limits.parse_memory_bytes)


@worker_shutting_down.connect
def _stop_in_time(**_: object) -> None:
    """Told to stop: pulls end with the batch in hand; what takes too long is handed back, then killed."""
    soft, hard = stop_seconds()
    be_killed_in(hard)
    desk().stopping.set()
    timer = threading.Timer(soft, os.kill, (os.getpid(), signal.SIGQUIT))
    timer.daemon = True
    timer.start()


@setup_logging.connect
def _logging(**_: object) -> None:
    configure_logging(os.environ.get("COPYDESK_LOG_LEVEL", "info"))
    # These say a line for every task, of which beat sends one a second.
    for chatty in ("celery.worker.strategy", "celery.app.trace", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class SignsOfLife(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Gives signs of life from the worker's own loop: a loop that stands still gives none."""

    requires = ("celery.worker.components:Timer",)

    def start(self, worker: Any) -> None:
        """Begin with the worker."""
        queues = set(worker.app.amqp.queues.consume_from)
        serves = tuple(task for task in TASKS if queues & {queue_name(task, lane) for lane in LANES})
        name = os.environ.get(PROCESS) or str(worker.hostname).partition("@")[0]
        pulses = Pulses(settings, state_url_of(settings), name, serves)

        def give() -> None:
            # Ticks do not count: a worker that takes nothing else has lost its other queues.
            answered = sum(celery_state.total_count[f"copydesk.{task}"] for task in serves)
            pulses.give(answered, len(celery_state.active_requests))

        self._timer = worker.timer.call_repeatedly(EVERY_SECONDS, give)
        give()

    def stop(self, _worker: Any) -> None:
        """End with the worker."""
        self._timer.cancel()


app.steps["worker"].add(SignsOfLife)


def _wall_minus_monotonic() -> float:
    return time.time() - time.monotonic()


class Beat(Scheduler):  # type: ignore[misc]  # celery has no types
    """Sends ticks while somebody takes them, and gives signs of life."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._pulses = Pulses(settings, state_url_of(settings), os.environ.get(PROCESS) or "beat", ("beat",))
        self._closed = False
        self._wrong_by = _wall_minus_monotonic()
        super().__init__(*arguments, **named)

    def tick(self, *arguments: Any, **named: Any) -> float:
        """One round of the schedule; seconds until the next. Ends the process where it was told to stop."""
        if self._closed:
            raise SystemExit
        self._mind_clock()
        seconds = min(float(super().tick(*arguments, **named)), EVERY_SECONDS)
        self._pulses.give()
        return seconds

    def close(self) -> None:
        """Told to stop: Celery's signal handler raises SystemExit next, which a library's cleanup may swallow.

        Without a broker the next round would then never come.
        """
        _, hard = stop_seconds()
        be_killed_in(hard)
        self._closed = True
        super().close()

    def _mind_clock(self) -> None:
        """Where the clock was stepped, count anew from now: back, nothing would be due until it has caught up."""
        before, self._wrong_by = self._wrong_by, _wall_minus_monotonic()
        if abs(self._wrong_by - before) > CLOCK_STEP_SECONDS:
            for entry in self.schedule.values():
                entry.last_run_at = entry.default_now()
            self._heap = None

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **named: Any) -> Any:  # noqa: FBT001, FBT002  # celery's
        """Send one tick, unless those before it still wait."""
        with contextlib.suppress(OSError):
            if queue_depth(CONTROL) >= CONTROL_BELLS:
                return None
        return super().apply_async(entry, producer=producer, advance=advance, **named)


class OnceToldWorker(Worker):  # type: ignore[misc]  # celery has no types
    """Stops at the first SIGTERM and ignores all further ones.

    Celery's handler takes a lock, in which a second one that interrupts it waits for ever; the kernel sends a SIGTERM
    for each thread of the parent that dies (PR_SET_PDEATHSIG of prctl(2)).
    """

    def install_platform_tweaks(self, worker: Any) -> None:
        """Put our handler before Celery's."""
        super().install_platform_tweaks(worker)
        stop: Any = signal.getsignal(signal.SIGTERM)

        def told(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _, hard = stop_seconds()
            be_killed_in(hard)
            stop(number, frame)

        signal.signal(signal.SIGTERM, told)


app.Worker = app.subclass_with_self(OnceToldWorker, name="Worker")


class KeepingConsumer(Consumer):  # type: ignore[misc]  # celery has no types
    """Refuses what is no bell (a pickle, an unknown task, a later version's message), and keeps it as a dead letter."""

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, trying again soon: Celery would wait up to half a minute after a server has come back."""
        connect = conn.ensure_connection

        def connect_soon(*arguments: Any, **named: Any) -> Any:
            return connect(*arguments, **CONNECT_AGAIN, **named)

        conn.ensure_connection = connect_soon
        return super().ensure_connected(conn)

    def on_unknown_message(self, _body: Any, message: Any) -> None:
        """No task at all."""
        self._keep(message, "no task message")

    def on_unknown_task(self, _body: Any, message: Any, exc: Exception) -> None:
        """A task of another program, or of another version."""
        self._keep(message, f"unknown task {exc}")

    def on_invalid_task(self, _body: Any, message: Any, exc: Exception) -> None:
        """A task message that cannot be read, or is not JSON."""
        self._keep(message, f"{type(exc).__name__}: refused content of type {message.content_type}")

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Bytes that cannot be decoded."""
        self._keep(message, f"{type(exc).__name__}: refused content of type {message.content_type}")

    def _keep(self, message: Any, reason: str) -> None:
        queue = str((message.delivery_info or {}).get("routing_key") or "unknown")
        body = message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "surrogateescape")
        try:
            bury_message(desk(), queue, body, message.content_type, reason)
        except (RedisError, OSError) as error:
            # Neither kept nor dropped: the broker delivers it again.
            log.warning("message_not_kept", queue=queue, error=str(error))
            return
        message.ack_log_error(logging.getLogger(__name__), self.connection_errors)


def _answer(stage: Callable[[Desk, str], None], queue: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Do what a bell asks for; one that this version cannot read is kept as a dead letter."""
    if len(arguments) == 1 and isinstance(arguments[0], str) and arguments[0] and not named:
        stage(desk(), arguments[0])
        return
    body = msgspec.json.encode([list(arguments), named])
    bury_message(desk(), queue, body, "application/json", "a bell of another version")


_polling = threading.Lock()


def poll_due() -> None:
    """Poll the feeds that are due, unless this process does already: whoever does takes all that become due."""
    if _polling.acquire(blocking=False):
        try:
            pipeline.poll(desk())
        finally:
            _polling.release()


@contextlib.contextmanager
def polling_by_itself() -> Iterator[None]:
    """Look for due feeds while the block runs, in a thread of its own: feeds wait neither for files nor for bells."""

    def work() -> None:
        while not desk().stopping.wait(LOOK_SECONDS):
            try:
                poll_due()
            except (RedisError, OSError, CopydeskError) as error:
                log.warning("polling_failed", error=str(error))

    thread = threading.Thread(target=work, daemon=True, name="polling")
    thread.start()
    try:
        yield
    finally:
        desk().stopping.set()
        thread.join()


@app.task(name="copydesk.tick")
def tick() -> None:
    """Ring for sources that are due."""
    pipeline.tick(desk())


@app.task(name="copydesk.sweep")
def sweep() -> None:
    """Ring again for work that waits without a bell."""
    pipeline.sweep(desk())


@app.task(name="copydesk.pull")
def pull(*arguments: Any, **named: Any) -> None:
    """Pull one source."""
    _answer(pipeline.pull, "pull", arguments, named)


@app.task(name="copydesk.poll")
def poll(*_: Any) -> None:
    """Poll the feeds that are due."""
    poll_due()


@app.task(name="copydesk.parse")
def parse(*arguments: Any, **named: Any) -> None:
    """Parse one batch."""
    _answer(pipeline.parse, "parse", arguments, named)


@app.task(name="copydesk.dedupe")
def dedupe(*arguments: Any, **named: Any) -> None:
    """Give the articles of one batch their verdicts."""
    _answer(pipeline.dedupe, "dedupe", arguments, named)
