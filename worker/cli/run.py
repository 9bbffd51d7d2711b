"""`copydesk run`: everything in one command."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, NoReturn

import structlog
import typer
from redis.exceptions import RedisError

from worker.cli.common import ConfigOption, DataOption, JsonOption, celery_bells, load, print_json
from worker.cli.display import Display, print_summary
from worker.cli.parts import check_safe
from worker.desk import Desk
from worker.errors import CopydeskError
from worker.model import LANES
from worker.operate.idle import what_waits
from worker.operate.status import snapshot
from worker.state.pauses import PAUSE_STAGES, PauseStage
from worker.supervisor import Supervisor

LOOK_SECONDS = 0.5

log = structlog.get_logger()


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(run)


def run(
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop when every source was pulled once and nothing waits.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run everything: state server, workers, beat and writer, supervised, on the data directory.

    Example: [bold]copydesk run --until-idle[/bold]
    """
    settings = load(config, data)
    interrupted = False
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    bells = celery_bells()
    with Supervisor(settings, bells) as supervisor:
        desk = Desk(settings, bells)
        check_safe(desk)
        desk.sources.sync(settings.sources)
        try:
            watch(supervisor, desk, quiet=as_json, until_idle=until_idle)
        except KeyboardInterrupt:
            interrupted = True
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            typer.echo("stopping; what is not done continues at the next start ...", err=True)
        look = snapshot(desk)
        desk.close()
    if as_json:
        print_json(look)
    else:
        print_summary(look, settings)
    if interrupted and until_idle:
        raise typer.Exit(130)


def watch(supervisor: Supervisor, desk: Desk, *, quiet: bool, until_idle: bool) -> None:
    """Keep the children running and show what happens; returns when idle, if that was asked for."""
    started = time.time()
    with Display(desk, quiet=quiet) as display:
        idle_looks = 0
        while True:
            supervisor.check()
            display.update()
            if until_idle:
                require_going(desk)
            # Two looks in a row: between a pull's last batch and its note there is nothing in flight for a moment.
            idle_looks = idle_looks + 1 if until_idle and _is_idle(desk, started) else 0
            if idle_looks == 2:  # see above
                return
            time.sleep(LOOK_SECONDS)


class PausedError(CopydeskError):
    """What is to be done stands still, and nobody is here to let it go on."""

    code = "paused"


def require_going(desk: Desk, stages: Sequence[PauseStage] = PAUSE_STAGES) -> None:
    """Raise PausedError where a stage stands still: whoever waits until all is done would wait for ever."""
    try:
        reasons = [desk.pauses.why(stage, lane) for stage in stages for lane in LANES]
    except RedisError:
        return
    for reason in reasons:
        if reason is not None:
            raise PausedError(f"not everything can be done: {reason}")


def _is_idle(desk: Desk, since: float) -> bool:
    """True where nothing waits; nobody knows while the server is away, so then it is False."""
    try:
        return what_waits(desk, since) is None
    except RedisError as error:
        log.warning("state_server_away", error=str(error))
        return False


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
