"""What the commands share: options, opening the system, printing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from redis.exceptions import AuthenticationError, RedisError
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from worker.config import Settings, load_settings
from worker.desk import Bells, Desk, SilentBells, state_url_of
from worker.errors import StateError
from worker.logs import configure_logging, visible
from worker.secrets import mask
from worker.state.connection import connect
from worker.state.process import SignalEvent, be_killed_in
from worker.state.server import EmbeddedServer
from worker.store.sink import Sink, open_sink

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Directory of the embedded state and store.", show_default="./data")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Directory with worker.toml and sources.toml.", show_default="./config"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON, one object a line, instead of a table.")]

FieldsOption = Annotated[
    str | None,
    typer.Option(
        help="Where JSON objects and tables keep what: field=path pairs, as headline=data.title,body_text=text."
    ),
]
TimezoneOption = Annotated[
    str | None, typer.Option(help="Time zone of dates that name none: an IANA name, as Europe/Vienna.")
]

FLEXIBLE = {"headline": 24, "place": 16, "origin": 16, "value": 16, "problem": 12, "detail": 12, "remedy": 16}
"""Columns that give way where the terminal is narrow, and their least width; ids and figures are copied whole."""
WRAPPED = ("problem", "detail", "remedy")
"""Of these, the ones that take several lines rather than being cut."""

ANSWER_SECONDS = 4.0
"""How long a server may take for the first answer to a command."""
REACH_SECONDS = 8.0
"""How long a command tries to reach a server that may just be restarting."""
LOOK_SECONDS = 0.2
END_WORDS = 25
"""Words shown at each end of a long passage."""

console = Console()
STANDARD_INPUT = Path("-")
"""The path that means standard input."""


def load(config: Path | None, data: Path | None) -> Settings:
    """Settings, logging set up, and the environment that child processes and the Celery app read."""
    settings = load_settings(config, data)
    os.environ["COPYDESK_DATA"] = str(settings.data)
    os.environ["COPYDESK_CONFIG"] = str(settings.config)
    configure_logging(os.environ.get("COPYDESK_LOG_LEVEL", "info"))
    return settings


@contextlib.contextmanager
def opened(settings: Settings, bells: Bells | None = None) -> Iterator[Desk]:
    """A desk on the running system, or on an embedded server that lives as long as the block.

    Raises StateError within about ten seconds where a server that is not ours does not answer.
    """
    with contextlib.ExitStack() as stack:
        if settings.embedded:
            stack.enter_context(EmbeddedServer(settings.data))
        else:
            _require_answer(settings)
        desk = Desk(settings, bells or SilentBells())
        stack.callback(desk.close)
        yield desk


def _require_answer(settings: Settings) -> None:
    """Wait for a server that restarts, but not as long as a worker does: somebody waits for this command."""
    url = state_url_of(settings)
    redis = connect(url, ANSWER_SECONDS, patient=False)
    deadline = time.monotonic() + REACH_SECONDS
    try:
        while True:
            try:
                redis.ping()
            except AuthenticationError:
                raise
            except (RedisError, OSError) as error:
                if time.monotonic() > deadline:
                    message = f"cannot reach the state server {mask(url)}: {error}; does it run, and is the URL right?"
                    raise StateError(message) from error
                time.sleep(LOOK_SECONDS)
            else:
                return
    finally:
        redis.close()


@contextlib.contextmanager
def opened_sink(settings: Settings) -> Iterator[Sink]:
    """The sink of the settings."""
    settings.data.mkdir(parents=True, exist_ok=True)
    sink = open_sink(settings.sink_url)
    try:
        yield sink
    finally:
        sink.close()


def stop_on(*signals: signal.Signals, at_most_seconds: float | None = None) -> threading.Event:
    """An event that these signals set, instead of what they did before.

    Told again, the process ends at once; it is killed where it still works `at_most_seconds` after it was told to stop
    (a server that does not answer may keep it for long).
    """
    stop = SignalEvent()

    def told(number: int, _frame: FrameType | None) -> None:
        if at_most_seconds is not None:
            be_killed_in(at_most_seconds)
        stop.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in signals:
        signal.signal(number, told)
    return stop


def celery_bells() -> Bells:
    """Bells that really ring. Imported late: the Celery app reads the environment that `load` has set."""
    from worker.tasks import CeleryBells  # noqa: PLC0415  # see the docstring

    return CeleryBells()


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_each(rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as JSON lines, each as soon as it is known."""
    for row in rows:
        print_json(row)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, title: str = "") -> int:
    """Rows as a table (columns: key -> heading) or as JSON lines; returns how many there were."""
    rows = list(rows)
    if as_json:
        for row in rows:
            print_json(row)
        return len(rows)
    cells = [[shown(row.get(key)) for key in columns] for row in rows]
    widths = _widths(list(columns), [list(columns.values()), *cells])
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for key, heading, width in zip(columns, columns.values(), widths, strict=True):
        table.add_column(heading, width=width, no_wrap=key not in WRAPPED)
    for line in cells:
        cut = (_cut(key, text, width) for key, text, width in zip(columns, line, widths, strict=True))
        table.add_row(*map(escape, cut))
    # Lines that a narrow terminal folds are better than columns left out.
    Console(width=max(sum(widths) + 3 * len(widths), console.width)).print(table)
    return len(rows)


def _widths(keys: list[str], lines: list[list[str]]) -> list[int]:
    """Width of each column: what it needs, or for flexible ones an equal share of what is left."""
    needed = [max(cell_len(line[index]) for line in lines) for index in range(len(keys))]
    left = (
        console.width - 3 * len(keys) - sum(need for key, need in zip(keys, needed, strict=True) if key not in FLEXIBLE)
    )
    share = left // max(1, sum(key in FLEXIBLE for key in keys))
    return [
        min(need, max(FLEXIBLE[key], share)) if key in FLEXIBLE else need
        for key, need in zip(keys, needed, strict=True)
    ]


def _cut(key: str, text: str, width: int) -> str:
    """Text that fits; of a path or URL the end tells most."""
    if key in WRAPPED or cell_len(text) <= width:
        return text
    if key in ("place", "origin"):
        return "…" + set_cell_size(text[::-1], width - 1)[::-1]
    return set_cell_size(text, width - 1) + "…"


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return visible(str(value))


def shortened(text: str) -> str:
    """A passage as a person wants to see it: the words at both ends, and how many are between them."""
    words = text.split()
    if len(words) <= 2 * END_WORDS:
        return text
    return " ".join([*words[:END_WORDS], f"[... {len(words) - 2 * END_WORDS} words ...]", *words[-END_WORDS:]])


def ago(seconds: float | None) -> str:
    """A duration in the two units a person needs."""
    if seconds is None:
        return ""
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
