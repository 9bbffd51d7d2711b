"""The command `copydesk`. Thin: each command parses words, calls functions, and prints."""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

import typer
from redis.exceptions import RedisError

from worker import __version__
from worker.cli import (
    dead,
    dedupe,
    families,
    hand_over,
    health,
    operators,
    parts,
    pauses,
    records,
    run,
    sources,
    top,
    websub,
)
from worker.errors import ConfigurationError, CopydeskError
from worker.secrets import mask

app = typer.Typer(
    name="copydesk",
    help="The ingestion worker for news: pull, parse, recognise copies, store each record once.",
    epilog="Start with `copydesk run`, then `copydesk records` in another terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)
for module in (run, hand_over, dedupe, parts, records, operators, top, pauses, websub):
    module.register(app)
app.add_typer(sources.app, name="sources")
app.add_typer(dead.app, name="dead")
app.add_typer(families.app, name="families")
app.add_typer(health.app, name="health")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"copydesk {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and end."
    ),
) -> None:
    """The ingestion worker for news."""


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 failed or unbalanced, 2 wrong usage or configuration, 130 interrupted."""
    sys.excepthook = _print_masked
    try:
        app()
    except ConfigurationError as error:
        _fail(error, 2)
    except CopydeskError as error:
        _fail(error, 1)
    except RedisError as error:
        _fail(error, 1)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: nothing to say, and nobody to say it to.
        sys.stderr.close()
        sys.exit(0)


def _print_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback as usual, without secrets."""
    sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))


def _fail(error: Exception, code: int) -> None:
    typer.echo(mask(f"copydesk: {error}"), err=True)
    sys.exit(code)
