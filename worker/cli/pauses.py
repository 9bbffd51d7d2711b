"""`copydesk pause`, `resume` and `drain`: for upgrades, and for what must stand still for a while."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from worker.cli.common import ConfigOption, DataOption, JsonOption, console, load, opened, print_rows
from worker.config import Settings
from worker.desk import Desk
from worker.errors import ConfigurationError, CopydeskError
from worker.model import LANES
from worker.operate.drain import drained
from worker.state.pauses import EVERYTHING, PAUSE_STAGES, check_scope

LOOK_SECONDS = 0.2

StageOption = Annotated[str | None, typer.Option("--stage", help=f"One stage: {', '.join(PAUSE_STAGES)}.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="One source (its pulls).")]
LaneOption = Annotated[str | None, typer.Option("--lane", help=f"One lane: {' or '.join(LANES)}.")]


class NotDrainedError(CopydeskError):
    """Something is still at work when the time is over."""

    code = "not_drained"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(pause)
    app.command()(resume)
    app.command()(drain)


def pause(
    stage: StageOption = None,
    source: SourceOption = None,
    lane: LaneOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Shown by `copydesk status`.")] = "paused by hand",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Let everything stand still, or a stage, a source, a lane. Nothing is lost; what is in hand is finished.

    Examples: [bold]copydesk pause[/bold], [bold]copydesk pause --lane backfill --reason "news first"[/bold]
    """
    scope = _scope(stage, source, lane)
    settings = load(config, data)
    with opened(settings) as desk:
        _require_source(desk, source, settings)
        desk.pauses.pause(scope, reason)
        desk.wait_until_durable()
    console.print(f"paused {scope}", markup=False)


def resume(
    stage: StageOption = None,
    source: SourceOption = None,
    lane: LaneOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on: lift one pause, or without options all of them."""
    named = stage or source or lane
    with opened(load(config, data)) as desk:
        scopes = [_scope(stage, source, lane)] if named else [row.scope for row in desk.pauses.all()]
        lifted = [scope for scope in scopes if desk.pauses.resume(scope)]
        desk.ledger.ring_soon()
        desk.wait_until_durable()
    print_rows([{"resumed": scope} for scope in lifted], {"resumed": "resumed"}, as_json=as_json)
    if named and not lifted:
        raise ConfigurationError(f"{scopes[0]} was not paused; `copydesk status` shows what is")


def drain(
    stage: StageOption = None,
    source: SourceOption = None,
    lane: LaneOption = None,
    timeout_seconds: Annotated[float, typer.Option("--timeout", help="Seconds to wait.", min=0)] = 600.0,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Pause intake (of everything, a source, a lane), or what feeds a stage, and wait until all in hand is done.

    Afterwards it stays paused: upgrade, then [bold]copydesk resume[/bold]. Exit code 1 where it takes too long.
    """
    settings = load(config, data)
    with opened(settings) as desk:
        _require_source(desk, source, settings)
        scope = _scope(stage, source, lane)
        only = next((name for name in LANES if scope == f"lane:{name}"), None)
        # A paused lane would stand still in every stage: only its intake is to stop.
        desk.pauses.pause(f"intake:{only}" if only else scope if source else _before(stage), "drained")
        deadline = time.monotonic() + timeout_seconds
        while (left := drained(desk, stage=stage, source_id=source, lane=only)) is not None:
            if time.monotonic() > deadline:
                raise NotDrainedError(f"after {timeout_seconds:.0f} s there are still {left}; intake stays paused")
            time.sleep(LOOK_SECONDS)
        desk.wait_until_durable()
    console.print("drained; intake stays paused until `copydesk resume`", markup=False)


def _before(stage: str | None) -> str:
    """What to pause so that a stage runs empty: the stage before it."""
    if stage is None:
        return "stage:pull"
    names = [str(name) for name in PAUSE_STAGES]
    return f"stage:{names[max(0, names.index(stage) - 1)]}"


def _scope(stage: str | None, source: str | None, lane: str | None) -> str:
    named = [
        f"{kind}:{name}" for kind, name in (("stage", stage), ("source", source), ("lane", lane)) if name is not None
    ]
    if len(named) > 1:
        raise ConfigurationError("give one of --stage, --source and --lane, or none for everything")
    return check_scope(named[0]) if named else EVERYTHING


def _require_source(desk: Desk, source: str | None, settings: Settings) -> None:
    if source is not None and desk.sources.get(source) is None and source not in {row.id for row in settings.sources}:
        raise ConfigurationError(f"there is no source {source!r}; `copydesk sources list` shows them")
