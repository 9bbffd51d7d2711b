"""`copydesk websub`: the callback server for feeds whose hub tells us what is new."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from worker.cli.common import ConfigOption, DataOption, celery_bells, console, load, opened, stop_on
from worker.errors import ConfigurationError
from worker.intake.http import HttpClient, door_for
from worker.operate.websub import CallbackServer, serve


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(websub)


def websub(
    callback: Annotated[str, typer.Option("--callback", help="Public address that leads hubs to this server.")],
    listen: Annotated[str, typer.Option("--listen", help="HOST:PORT to listen on.")] = "127.0.0.1:8711",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Subscribe to the hubs of all feeds that name one, and take in what they send, until interrupted.

    Put it behind a server that speaks HTTPS.
    Example: [bold]copydesk websub --callback https://desk.example.org/websub[/bold]
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigurationError(f"--listen takes HOST:PORT, not {listen!r}")
    if not callback.startswith(("http://", "https://")):
        raise ConfigurationError(f"--callback takes a public address (https://...), not {callback!r}")
    stop = stop_on(signal.SIGINT, signal.SIGTERM)
    settings = load(config, data)
    with opened(settings, celery_bells()) as desk:
        desk.sources.sync(settings.sources)
        client = HttpClient(settings.feeds.user_agent, door_for(settings.feeds.ca_file))
        try:
            server = CallbackServer((host.strip("[]"), int(port)), desk)
        except OSError as error:
            raise ConfigurationError(f"cannot listen on {listen}: {error.strerror or error}") from error
        console.print(f"listening on {listen} for {callback}", markup=False)
        serve(server, client, callback, stop)
