"""`copydesk health`: probes for containers. Exit code 0 where all is well, 1 where not."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from worker.cli.common import ConfigOption, DataOption, JsonOption, celery_bells, load, print_json
from worker.operate import health

app = typer.Typer(help="Probes for containers: live, ready.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module below their own word."""
    parent.add_typer(app, name="health")


@app.command()
def live(data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Do this host's processes make progress? Fails for a loop that stands still, and for work that nobody takes."""
    settings = load(config, data)
    _report("live", health.live(settings, celery_bells), as_json=as_json)


@app.command()
def ready(
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    wait_seconds: Annotated[float, typer.Option("--wait", help="Ask again for so long.", min=0)] = 0.0,
) -> None:
    """Is the system ready for work? Fails without a safe server, without somebody for each stage, and while paused."""
    settings = load(config, data)
    deadline = time.monotonic() + wait_seconds
    while (reasons := health.ready(settings)) and time.monotonic() < deadline:
        time.sleep(0.5)
    _report("ready", reasons, as_json=as_json)


def _report(probe: str, reasons: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({probe: not reasons, "reasons": reasons})
    else:
        typer.echo(f"{probe}: {'no, ' + '; '.join(reasons) if reasons else 'yes'}")
    if reasons:
        raise typer.Exit(1)
