"""`copydesk sources`: feeds and directories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli import feeds
from worker.cli.common import (
    ConfigOption,
    DataOption,
    FieldsOption,
    JsonOption,
    TimezoneOption,
    ago,
    console,
    load,
    opened,
    print_rows,
)
from worker.config import check_source
from worker.errors import ConfigurationError
from worker.intake.http import without_credentials
from worker.model import LANES, Lane, Source
from worker.operate.source_health import finite, health_row
from worker.parse.field_map import parse_fields
from worker.secrets import mask
from worker.state.sources import SourceState

app = typer.Typer(help="Feeds and directories: list, add, remove; feeds of other readers.", no_args_is_help=True)
feeds.register(app)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module below their own word."""
    parent.add_typer(app, name="sources")


COLUMNS = {
    "id": "id",
    "kind": "kind",
    "place": "from",
    "state": "state",
    "due": "due",
    "stored": "stored",
    "problem": "problem",
}


@app.command("list")
def list_sources(data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show every source, when it is due, and what is wrong with it."""
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.sync(settings.sources)
        counts = desk.counters.by_source()
        rows = [_row(state, counts.get(state.source.id, {})) for state in desk.sources.all()]
    print_rows(rows, COLUMNS, as_json=as_json)


@app.command()
def add(
    place: Annotated[str, typer.Argument(help="URL or path of a feed, or a directory.")],
    source_id: Annotated[str, typer.Option("--id", help="Short name; it stands in every record.")],
    name: Annotated[str | None, typer.Option(help="Name of the publisher.")] = None,
    claim: Annotated[bool, typer.Option("--inbox", help="Directory: take files away when they are safe.")] = False,
    lane: Annotated[str, typer.Option(help="news or backfill.")] = "news",
    language: Annotated[str | None, typer.Option(help="BCP 47 tag, where the source has one language.")] = None,
    interval_seconds: Annotated[float | None, typer.Option(help="Between two pulls.", min=0.1)] = None,
    timezone: TimezoneOption = None,
    fields: FieldsOption = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Feed: a host that may have a private address (repeatable).")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Add a feed or a directory.

    Examples: [bold]copydesk sources add https://example.org/feed.xml --id example[/bold],
    [bold]copydesk sources add /var/spool/wire --id wire --inbox[/bold]
    """
    if lane not in LANES:
        raise ConfigurationError(f"--lane takes {' or '.join(LANES)}, not {lane!r}")
    facts: dict[str, Any] = {
        "id": source_id,
        "name": name,
        "language": language,
        "interval_seconds": interval_seconds,
        "timezone": timezone,
        "allowed_hosts": tuple(allow_host or ()),
        "fields": parse_fields(fields, "--fields") if fields is not None else {},
    }
    source = check_source(_source(place, lane, facts, claim=claim))
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.sync(settings.sources)
        desk.sources.add(source)
        desk.wait_until_durable()
    console.print(f"added {source.kind} {source.id}", markup=False)


@app.command()
def remove(
    source_id: Annotated[str, typer.Argument(help="Id of the source.")],
    purge: Annotated[
        bool, typer.Option("--purge", help="Forget the fingerprints of its articles too: nothing is a copy of them.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Remove a source that was added here. Its records stay in the store.

    Example: [bold]copydesk sources remove gazette --purge[/bold]
    """
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.remove(source_id)
        forgotten = desk.memory.forget_source(source_id) if purge else 0
        desk.wait_until_durable()
    told = f", and forgot {forgotten:,} of its articles" if purge else ""
    console.print(f"removed {source_id}{told}", markup=False)


def _source(place: str, lane: Lane, facts: dict[str, Any], *, claim: bool) -> Source:
    if "://" in place:
        if not place.startswith(("http://", "https://")):
            raise ConfigurationError(f"{place}: a feed's URL starts with http:// or https://")
        return Source(kind="feed", url=place, lane=lane, **facts)
    path = Path(place).absolute()
    if path.is_dir() or claim:
        return Source(kind="directory", path=str(path), claim=claim, lane=lane, **facts)
    if not path.exists():
        raise ConfigurationError(f"{place}: no such file or directory (a URL starts with http:// or https://)")
    return Source(kind="feed", url=str(path), lane=lane, **facts)


def _row(state: SourceState, counts: dict[str, int]) -> dict[str, Any]:
    source = state.source
    due, health = finite(state.due_in_seconds), health_row(state)
    when = "" if source.enabled else "paused"
    if due is not None:
        when = f"in {ago(due)}" if due > 0 else "now"
    return {
        "id": source.id,
        "name": source.name,
        "kind": "inbox" if source.claim else source.kind,
        "place": source.path if source.url is None else mask(without_credentials(source.url)),
        "lane": source.lane,
        "defined_in": state.origin,
        "due": when,
        "due_in_seconds": due,
        **health,
        "problem": None if health["state"] in ("healthy", "paused") else health["reason"],
        "tags": list(source.tags),
        "pulled_at": float(state.poll["pulled_at"]) if "pulled_at" in state.poll else None,
        **{name: counts.get(name, 0) for name in ("received", "stored", "updated", "duplicate", "rejected", "dead")},
    }
