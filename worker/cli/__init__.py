"""The command `copydesk`. Thin: each command parses words, calls functions, and prints."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any

import typer
from redis.exceptions import RedisError
from typer.core import TyperGroup
from typer.main import get_group

from worker import __version__
from worker.errors import ConfigurationError, CopydeskError
from worker.secrets import mask

MODULES = {
    "run": "run",
    "ingest": "hand_over",
    "parse": "hand_over",
    "dedupe": "dedupe",
    "worker": "parts",
    "beat": "parts",
    "store": "parts",
    "records": "records",
    "explain": "records",
    "status": "operators",
    "reconcile": "operators",
    "doctor": "operators",
    "top": "top",
    "pause": "pauses",
    "resume": "pauses",
    "drain": "pauses",
    "websub": "websub",
    "sources": "sources",
    "dead": "dead",
    "families": "families",
    "health": "health",
}
"""Command -> the module of this package whose `register` adds it, in the order of the help text."""


class _Commands(Mapping[str, Any]):
    """Commands that are imported when they are asked for: a probe that runs every few seconds needs no parsers."""

    def __init__(self) -> None:
        self._added: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._added:
            found = typer.Typer()
            import_module(f"worker.cli.{MODULES[name]}").register(found)
            self._added |= get_group(found).commands
        return self._added[name]

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # commands that are only read need no more


app = typer.Typer(
    name="copydesk",
    cls=_Group,
    help="The ingestion worker for news: pull, parse, recognise copies, store each record once.",
    epilog="Start with `copydesk run`, then `copydesk records` in another terminal.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)


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
