"""`copydesk top`: the system at work, again and again until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from redis.exceptions import RedisError
from rich import box
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.cli.common import ConfigOption, DataOption, JsonOption, ago, console, load, opened, print_json, stop_on
from worker.desk import Desk
from worker.logs import visible
from worker.operate.status import snapshot
from worker.operate.top import view
from worker.secrets import mask

RATE_SECONDS = 10.0
"""Rates are those of about so long: processes give signs of life less often than we look."""
ONCE_SECONDS = 1.0
"""Between the two looks of `--once`, if the interval is not shorter."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(top)


def top(
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.1)] = 2.0,
    sources: Annotated[int, typer.Option(help="Most sources in each list.", min=1)] = 10,
    once: Annotated[bool, typer.Option("--once", help="Show one picture and end.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch the system at work: queues with depth, age and rate, processes, feeds, dead letters, pauses.

    Ctrl-C ends it. Rates are those of the last ten seconds: for pull the documents brought in, for the others what left
    the queue. Without a terminal, and with --json, each look is printed below the last. Exit code 1 where the server
    cannot be reached with --once; else it is waited for.

    Examples: [bold]copydesk top[/bold], [bold]copydesk top --interval 0.5 --sources 30[/bold],
    [bold]copydesk top --once --json | jq .queues[/bold]
    """
    settings = load(config, data)
    stop = stop_on(signal.SIGINT, signal.SIGTERM)
    with opened(settings) as desk:
        watch = Watch(desk, sources)
        if once:
            watch.look()
            stop.wait(min(interval, ONCE_SECONDS))
            _print(watch.look(), as_json=as_json)
        elif as_json or not console.is_terminal:
            _repeat(watch, interval, stop, lambda picture: _print(picture, as_json=as_json))
        else:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                _repeat(watch, interval, stop, lambda picture: live.update(_picture(picture), refresh=True))


class Watch:
    """Looks at a system, and remembers earlier looks for the rates."""

    def __init__(self, desk: Desk, most_sources: int) -> None:
        self._desk = desk
        self._most = most_sources
        self._looks: deque[dict[str, Any]] = deque()

    def look(self) -> dict[str, Any]:
        """What there is to show now; raises RedisError or OSError where the server is away."""
        newest = snapshot(self._desk)
        while len(self._looks) > 1 and self._looks[1]["at"] <= newest["at"] - RATE_SECONDS:
            self._looks.popleft()
        before = self._looks[0] if self._looks else None
        self._looks.append(newest)
        return view(newest, before, self._most)


def _repeat(watch: Watch, interval: float, stop: threading.Event, show: Any) -> None:
    """Look and show until told to stop; while the server is away it says so and tries again."""
    while not stop.is_set():
        try:
            picture = watch.look()
        except (RedisError, OSError) as error:
            picture = {"at": time.time(), "alerts": [mask(f"the state server: {error}")]}
        show(picture)
        stop.wait(interval)


def _print(picture: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(picture)
    else:
        console.print(_picture(picture))


def _picture(picture: Mapping[str, Any]) -> Group:
    """One look as a person reads it; where the server is away there is nothing but that."""
    clock = time.strftime("%H:%M:%S", time.localtime(picture["at"]))
    parts: list[Any] = [Text(f"copydesk top, {clock}", style="bold")]
    parts += [Text(visible(alert), style="red") for alert in picture["alerts"]]
    if "queues" not in picture:
        return Group(*parts)
    parts.append(_table(_queue_rows(picture["queues"]), ("queue", "waiting", "oldest", "a second")))
    counters = "  ".join(f"{name} {value:,}" for name, value in picture["counters"].items())
    letters = picture["letters"]
    parts.append(Text(f"{counters}  in flight {picture['in_flight']:,}"))
    parts.append(Text(f"dead letters: {letters['dead']:,} dead, {letters['rejected']:,} rejected"))
    parts.append(_table(_process_rows(picture["processes"]), ("process", "serves", "works on", "took", "a second")))
    return Group(*parts, *_sources(picture["sources"]))


def _queue_rows(queues: Iterable[Mapping[str, Any]]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for row in queues:
        backfill = f" ({row['backfill']:,} of them backfill)" if row["backfill"] else ""
        waiting = f"{row['waiting']:,} {row['unit']}{backfill}"
        rows.append((row["queue"], waiting, ago(row["oldest_seconds"]), _rate(row["per_second"])))
    return rows


def _process_rows(processes: Iterable[Mapping[str, Any]]) -> list[Sequence[str]]:
    return [
        (
            row["process"],
            ", ".join(row["serves"]),
            row["detail"] or f"{row['busy']:,}",
            f"{row['taken']:,}",
            _rate(row["per_second"]),
        )
        for row in processes
    ]


def _sources(sources: Mapping[str, Any]) -> list[Any]:
    """Feeds fetched last, and sources in trouble."""
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(sources["states"].items()))
    parts: list[Any] = [Text(f"sources: {sources['known']:,}" + (f" ({states})" if states else ""))]
    if sources["last_fetched"]:
        rows = [
            (row["id"], f"{ago(row['fetched_seconds_ago'])} ago", _answer(row), ago(row["due_in_seconds"]))
            for row in sources["last_fetched"]
        ]
        parts.append(_table(rows, ("last fetched", "when", "answer", "again in")))
    if sources["in_trouble"]:
        rows = [(row["id"], row["state"], row["problem"], ago(row["due_in_seconds"])) for row in sources["in_trouble"]]
        parts.append(_table(rows, ("in trouble", "state", "reason", "again in")))
    if sources["in_trouble_not_shown"]:
        parts.append(Text(f"and {sources['in_trouble_not_shown']:,} more: copydesk sources list", style="dim"))
    return parts


def _answer(row: Mapping[str, Any]) -> str:
    return str(row["problem"] or row["status"] or "")


def _rate(per_second: float | None) -> str:
    return "" if per_second is None else f"{per_second:,.1f}"


def _table(rows: Iterable[Sequence[str]], headings: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table
