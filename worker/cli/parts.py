"""The parts, for many machines: worker, beat, store."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from typing import Annotated

import structlog
import typer

from worker.cli.common import ConfigOption, DataOption, load, opened, opened_sink, stop_on
from worker.config import PROCESS, Settings
from worker.desk import Desk, state_url_of
from worker.errors import ConfigurationError
from worker.operate.dead import bury_refused
from worker.state.preflight import require_safe
from worker.state.process import stop_seconds
from worker.state.pulses import Pulses
from worker.state.queue import Entry, StorageQueue
from worker.store.writer import Progress, Writer

SINK_SECONDS = 300.0
"""How long a sink may take for one transaction before the writer counts as wedged."""

log = structlog.get_logger()


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(worker)
    app.command()(beat)
    app.command()(store)


def worker(
    queues: Annotated[str, typer.Option(help="Stages to serve: any of pull, parse, dedupe.")] = "pull,parse,dedupe",
    concurrency: Annotated[int | None, typer.Option(help="Processes (threads for pull alone).", min=1)] = None,
    name: Annotated[str | None, typer.Option(help="Name shown by `celery inspect` and Flower.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve stages of the pipeline. Start as many, on as many machines, as you like.

    Example: [bold]copydesk worker --queues parse,dedupe --concurrency 8[/bold]
    """
    settings = load(config, data)
    wanted = [part.strip() for part in queues.split(",") if part.strip()]
    unknown = set(wanted) - {"pull", "parse", "dedupe"}
    if unknown or not wanted:
        raise ConfigurationError(
            f"--queues takes pull, parse and dedupe, not {', '.join(sorted(unknown)) or 'nothing'}"
        )
    # The Celery app reads the environment that load has set.
    from worker.tasks import app, polling_by_itself, queues_of  # noqa: PLC0415

    pool = "threads" if wanted == ["pull"] else "prefork"
    node = name or process_name("-".join(wanted))
    arguments = [
        "worker",
        f"--queues={','.join(queues_of(wanted))}",
        f"--concurrency={concurrency or os.cpu_count() or 2}",
        f"--pool={pool}",
        f"--hostname={node}@%h",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
    ]
    with checked(settings), polling_by_itself() if pool == "threads" else contextlib.nullcontext():
        app.worker_main(arguments)


def beat(data: DataOption = None, config: ConfigOption = None) -> None:
    """Send the ticks that poll sources and sweep the ledger. One is enough; two are harmless."""
    settings = load(config, data)
    from worker.tasks import app  # noqa: PLC0415  # the Celery app reads the environment that load has set

    with checked(settings) as desk:
        desk.sources.sync(settings.sources)
        app.start(["beat", "--scheduler=worker.tasks:Beat", "--pidfile=", "--loglevel=WARNING"])


def store(
    to: Annotated[str | None, typer.Option("--to", help="Store URL, for example sqlite:///records.db.")] = None,
    consumer: Annotated[
        str | None, typer.Option(help="Name in the consumer group; the same name continues its own work.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Consumer group; each group gets every record.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Write records from the storage queue to a store, until stopped.

    Example: [bold]copydesk store --to sqlite:///records.db[/bold]
    """
    if to:
        os.environ["COPYDESK_STORE_URL"] = to
    if group:
        os.environ["COPYDESK_STORE_GROUP"] = group
    settings = load(config, data)
    # What it has in hand when it is killed stays pending.
    _, killed_after = stop_seconds()
    stop = stop_on(signal.SIGTERM, signal.SIGINT, at_most_seconds=killed_after)
    with checked(settings) as desk, opened_sink(settings) as sink:
        queue = StorageQueue(desk.redis, desk.keys, settings.store.group)
        name = consumer or f"{socket.gethostname()}-{os.getpid()}"
        pulses = Pulses(settings, state_url_of(settings), process_name("store"), ("store",))

        def consult(progress: Progress) -> str | None:
            patience = SINK_SECONDS if progress.status == "writing" else 0.0
            pulses.give(progress.entries, int(patience > 0), progress.detail, patience)
            return desk.pauses.why("store")

        def bury(entry: Entry, why: str) -> None:
            bury_refused(desk, entry, why)

        def may_bury(refused: int, written: int) -> str | None:
            reason = desk.burials.refuse("store", refused, written)
            if refused and reason is None:
                desk.burials.note_refused(refused)
            return reason

        writer = Writer(queue, sink, desk.redis, settings, name, bury, consult, may_bury)
        log.info("writing", consumer=name, group=settings.store.group)
        writer.run(stop)


def process_name(kind: str) -> str:
    """The name of this process among those of its host: the supervisor's word, or its kind and number."""
    return os.environ.get(PROCESS) or f"{kind}-{os.getpid()}"


@contextlib.contextmanager
def checked(settings: Settings) -> Iterator[Desk]:
    """A desk on a server that would not lose data; an embedded one that nobody runs yet lives as long as the block."""
    with opened(settings) as desk:
        check_safe(desk)
        yield desk


def check_safe(desk: Desk) -> None:
    """Raise PreflightError where the state server is unsafe."""
    require_safe(desk.redis, desk.settings.state.durability)
