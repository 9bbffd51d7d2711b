"""`copydesk pause`, `resume` and `drain`: for upgrades, and for what must stand still for a while."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from worker.cli.common import ConfigOption, DataOption, JsonOption, console, load, opened, print_json, print_rows
from worker.config import Settings
from worker.desk import Desk
from worker.errors import ConfigurationError, CopydeskError
from worker.model import LANES
from worker.operate.drain import drained, obstacles
from worker.state.pauses import CACHE_SECONDS, EVERYTHING, PAUSE_STAGES, check_scope

LOOK_SECONDS = 0.2
SAY_SECONDS = 5.0
"""Between two lines that say what a drain waits for."""

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
    as_json: JsonOption = False,
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
    _say({"paused": scope}, f"paused {scope}", as_json=as_json)


def resume(
    stage: StageOption = None,
    source: SourceOption = None,
    lane: LaneOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on: lift one pause, or without options all of them."""
    named = [value for value in (stage, source, lane) if value is not None]
    with opened(load(config, data)) as desk:
        wanted = [_scope(stage, source, lane)] if named else [row.scope for row in desk.pauses.all()]
        if lane is not None:
            # What `drain --lane` left.
            wanted.append(f"intake:{lane}")
        lifted = [scope for scope in wanted if desk.pauses.resume(scope)]
        desk.ledger.ring_soon()
        desk.wait_until_durable()
    if named and not lifted:
        raise ConfigurationError(f"{wanted[0]} was not paused; `copydesk status` shows what is")
    if lifted or as_json:
        print_rows([{"resumed": scope} for scope in lifted], {"resumed": "resumed"}, as_json=as_json)
    else:
        console.print("nothing was paused")


def drain(
    stage: StageOption = None,
    source: SourceOption = None,
    lane: LaneOption = None,
    timeout_seconds: Annotated[float, typer.Option("--timeout", help="Seconds to wait.", min=0)] = 600.0,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
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
        scope = f"intake:{only}" if only else scope if source else _before(stage)
        desk.pauses.pause(scope, "drained")
        try:
            _wait_until_drained(desk, timeout_seconds, scope, stage=stage, source_id=source, lane=only)
        except KeyboardInterrupt:
            typer.echo(f"interrupted, not drained; {scope} stays paused until `copydesk resume`", err=True)
            raise typer.Exit(130) from None
        desk.wait_until_durable()
    _say({"drained": True, "paused": scope}, f"drained; {scope} stays paused until `copydesk resume`", as_json=as_json)


def _wait_until_drained(desk: Desk, timeout_seconds: float, scope: str, **wanted: Any) -> None:
    """Return when nothing of it is in hand, and say every few seconds what is; raises NotDrainedError."""
    deadline = time.monotonic() + timeout_seconds
    # Until then others may begin something without having seen the pause.
    time.sleep(CACHE_SECONDS)
    said_at = float("-inf")
    while (left := drained(desk, **wanted)) is not None:
        over = time.monotonic() > deadline
        if over or time.monotonic() - said_at > SAY_SECONDS:
            said_at = time.monotonic()
            left = "; ".join([left, *obstacles(desk, scope)])
            if over:
                paused = f"{scope} stays paused until `copydesk resume`"
                raise NotDrainedError(f"after {timeout_seconds:.0f} s there are still {left}; {paused}")
            typer.echo(f"waits for {left}", err=True)
        time.sleep(LOOK_SECONDS)


def _say(answer: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        console.print(text, markup=False, highlight=False)


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
