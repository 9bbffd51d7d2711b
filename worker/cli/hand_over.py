"""`copydesk ingest` and `copydesk parse`: files handed over by name."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from redis.exceptions import RedisError

from worker.cli.common import (
    STANDARD_INPUT,
    ConfigOption,
    DataOption,
    FieldsOption,
    JsonOption,
    TimezoneOption,
    celery_bells,
    console,
    load,
    print_json,
)
from worker.cli.crew import Crew
from worker.cli.display import Display, print_summary
from worker.cli.parts import check_safe
from worker.cli.run import require_going
from worker.config import Settings, check_source, check_timezone
from worker.desk import Desk
from worker.errors import ConfigurationError
from worker.intake.directory import pull_paths
from worker.intake.receiver import Progress, Pulled
from worker.intake.standard_input import pull_stream
from worker.model import LANES, Lane, Source
from worker.operate.idle import unstored
from worker.operate.parse_files import Reading, parse_paths
from worker.operate.status import snapshot
from worker.parse.field_map import parse_fields
from worker.state.server import EmbeddedServer

LOOK_SECONDS = 0.2

log = structlog.get_logger()


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(ingest)
    app.command()(parse)


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files or directories (read in place), or - for JSONL.")],
    source: Annotated[str, typer.Option(help="Id of the source the documents belong to.")] = "ingest",
    lane: Annotated[str, typer.Option(help="news, or backfill: handled after all news.")] = "news",
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Work until everything handed over is stored.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand over files or directories, or JSONL on standard input. Files are read, never moved.

    Examples: [bold]copydesk ingest archive/ --lane backfill --until-idle[/bold],
    [bold]zcat articles.jsonl.gz | copydesk ingest - --source archive[/bold]
    """
    if lane not in LANES:
        raise ConfigurationError(f"--lane takes {' or '.join(LANES)}, not {lane!r}")
    settings = load(config, data)
    owner = check_source(Source(id=source, kind="push", lane=lane))
    try:
        pulled, look = _ingest(settings, paths, owner, until_idle=until_idle, quiet=as_json)
    except KeyboardInterrupt:
        typer.echo("interrupted; what was handed over is safe, and the same command again adds only the rest", err=True)
        raise typer.Exit(130) from None
    _report(pulled, look, settings, as_json=as_json, until_idle=until_idle)
    if pulled.unreadable:
        raise typer.Exit(1)


def _ingest(
    settings: Settings, paths: list[Path], owner: Source, *, until_idle: bool, quiet: bool
) -> tuple[Pulled, dict[str, Any]]:
    """Hand over, work if asked to; what was handed over, and the state of the system after it."""
    with working(settings, work=until_idle) as (desk, crew):
        known = desk.sources.ensure(owner)
        with Display(desk, quiet=quiet) as display:

            def progress(_pulled: Pulled | None = None) -> None:
                # While we hand over, too: above a high-water mark that goes on only when the work is done.
                if crew is not None:
                    crew.look(desk)
                    require_going(desk, ("pull",))
                display.update()

            progress()
            since = desk.run_id()
            pulled = _hand_over(paths, known, desk, owner.lane, progress)
            desk.wait_until_durable(since)
            while until_idle and _is_busy(desk):
                require_going(desk)
                progress()
                time.sleep(LOOK_SECONDS)
        return pulled, snapshot(desk)


@contextlib.contextmanager
def working(settings: Settings, *, work: bool) -> Iterator[tuple[Desk, Crew | None]]:
    """A desk on the running system; with work to do, also a crew of our own for where nobody works.

    An embedded server that nobody runs is started for as long as the block lasts.
    """
    with contextlib.ExitStack() as stack:
        crew = stack.enter_context(Crew(settings)) if work else None
        if settings.embedded and not (crew and crew.working):
            stack.enter_context(EmbeddedServer(settings.data))
        desk = Desk(settings, celery_bells())
        stack.callback(desk.close)
        check_safe(desk)
        yield desk, crew


def _hand_over(paths: list[Path], owner: Source, desk: Desk, lane: Lane, progress: Progress) -> Pulled:
    now, intake = datetime.now(UTC), desk.intake_of(owner, lane)
    if paths == [STANDARD_INPUT]:
        stream = sys.stdin.buffer
        return pull_stream(stream, owner, intake, desk.settings, desk.spool, now, lane=lane, progress=progress)
    if STANDARD_INPUT in paths:
        raise ConfigurationError("- (standard input) cannot be mixed with paths")
    return pull_paths(paths, owner, intake, desk.settings, desk.spool, now, lane=lane, progress=progress)


def _is_busy(desk: Desk) -> bool:
    """True while something is in flight or not yet stored; nobody knows while the server is away, so then too."""
    try:
        return bool(desk.counters.in_flight() or unstored(desk))
    except RedisError as error:
        log.warning("state_server_away", error=str(error))
        return True


def _report(pulled: Pulled, look: dict[str, Any], settings: Settings, *, as_json: bool, until_idle: bool) -> None:
    for problem in pulled.unreadable:
        typer.echo(f"copydesk: {problem.origin}: {problem.code}: {problem.detail}", err=True)
    if as_json:
        handed = {"files": pulled.files, "documents": pulled.documents, "unreadable": len(pulled.unreadable)}
        print_json({"handed_over": handed, **look})
        return
    console.print(f"handed over: {pulled.documents:,} documents from {pulled.files:,} files")
    if until_idle:
        print_summary(look, settings)
    elif look["in_flight"]:
        console.print("they are safe in the ledger; `copydesk run` works on them (or add --until-idle)")


def parse(
    paths: Annotated[list[Path], typer.Argument(help="Files or directories.")],
    as_json: JsonOption = False,
    jobs: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    fields: FieldsOption = None,
    timezone: TimezoneOption = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Parse only: what each document would become. No server, nothing stored.

    Examples: [bold]copydesk parse --json --jobs 4 articles/ > out.jsonl[/bold],
    [bold]copydesk parse --fields headline=title,body_text=content.text answer.json[/bold]
    """
    limits = load(config, data).limits
    reading = Reading(
        parse_seconds=limits.parse_seconds,
        document_bytes=limits.document_bytes,
        containers=limits.container,
        timezone=check_timezone(timezone, "--timezone"),
        fields=parse_fields(fields, "--fields") if fields is not None else {},
    )
    refused = 0
    for line in parse_paths(paths, jobs, reading):
        refused += line["reason"] == "unreadable"
        if as_json:
            print_json(line)
        else:
            place = line["input"] if line["member"] is None else f"{line['input']}#{line['member']}"
            headline = (line["record"] or {}).get("headline") or ""
            console.print(
                f"{line['outcome']:8}  {line['reason'] or headline}  [dim]{place}[/dim]",
                highlight=False,
                soft_wrap=True,
            )
    if refused:
        raise typer.Exit(1)
