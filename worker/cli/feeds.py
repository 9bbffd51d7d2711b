"""`copydesk sources why|poll|import-opml|export-opml|discover`: what concerns feeds only."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from worker.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    ago,
    console,
    load,
    opened,
    print_json,
    print_rows,
)
from worker.errors import ConfigurationError
from worker.intake.http import HttpClient, door_for
from worker.intake.opml import read_opml, sources_of, write_opml
from worker.logs import visible
from worker.operate.discover import Asker, discover
from worker.operate.feeds import why as explain_feed

POLL_COLUMNS = {"when": "polled", "status": "status", "bytes": "bytes", "new": "new", "sent": "asked", "note": "note"}

FOUND_COLUMNS = {
    "url": "address",
    "kind": "kind",
    "origin": "found",
    "title": "title",
    "entries": "entries",
    "words": "words",
}

SourceArgument = Annotated[str, typer.Argument(help="Id of the source.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(why)
    app.command()(poll)
    app.command("import-opml")(import_opml)
    app.command("export-opml")(export_opml)
    app.command("discover")(discover_feeds)


def why(
    source_id: SourceArgument,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a feed's last polls, when the next is due, and why then."""
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.sync(settings.sources)
        look = explain_feed(desk, source_id)
    if as_json:
        print_json(look)
        return
    console.print(f"{look['id']}: {look['state']}", style="bold", markup=False)
    for line in _facts(look):
        console.print(visible(line), markup=False, soft_wrap=True)
    print_rows([_poll_row(row) for row in look["polls"]], POLL_COLUMNS, as_json=False)


def poll(source_id: SourceArgument, data: DataOption = None, config: ConfigOption = None) -> None:
    """Poll a source as soon as a worker is free, also one whose feed is gone."""
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.sync(settings.sources)
        if desk.sources.get(source_id) is None:
            raise ConfigurationError(f"there is no source {source_id!r}; `copydesk sources list` shows them")
        desk.sources.reschedule(source_id, 0.0)
    console.print(f"{source_id} is due", markup=False)


def import_opml(
    file: Annotated[Path, typer.Argument(help="OPML file of another reader.", exists=True, dir_okay=False)],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the feeds of an OPML file; folders become tags. Feeds that are known are left as they are.

    Example: [bold]copydesk sources import-opml feeds.opml[/bold]
    """
    feeds = read_opml(file.read_bytes())
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.sync(settings.sources)
        imported = sources_of(feeds, [state.source for state in desk.sources.all()])
        desk.sources.add_all(imported.sources)
        desk.wait_until_durable()
    if as_json:
        added = [source.id for source in imported.sources]
        print_json({"added": added, "known": imported.known, "refused": [list(pair) for pair in imported.refused]})
        return
    for url, reason in imported.refused:
        console.print(f"left out {url}: {reason}", style="yellow", markup=False, soft_wrap=True)
    console.print(f"added {len(imported.sources)} feeds, {imported.known} were known", markup=False)


def export_opml(data: DataOption = None, config: ConfigOption = None) -> None:
    """Print all feeds as OPML, for other readers; without user names and passwords.

    Keys in the query of an address stay: without them it would name no feed.

    Example: [bold]copydesk sources export-opml > feeds.opml[/bold]
    """
    settings = load(config, data)
    with opened(settings) as desk:
        desk.sources.sync(settings.sources)
        sources = [state.source for state in desk.sources.all()]
    typer.echo(write_opml(sources).decode(), nl=False)


def discover_feeds(
    url: Annotated[str, typer.Argument(help="Address of a site, or of one of its pages.")],
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A host that may have a private address (repeatable).")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for the feeds and sitemaps of a site. Exit code 1 where there is none.

    Example: [bold]copydesk sources discover https://example.org/[/bold]
    """
    settings = load(config, data)
    with opened(settings) as desk:
        client = HttpClient(settings.feeds.user_agent, door_for(settings.feeds.ca_file))
        asker = Asker(client, desk.hosts, settings, frozenset(allow_host or ()))
        found = asyncio.run(discover(url if "://" in url else f"https://{url}", asker))
    rows = [msgspec.structs.asdict(each) for each in found]
    print_rows(rows, FOUND_COLUMNS, as_json=as_json)
    if not found:
        raise typer.Exit(1)


def _facts(look: dict[str, Any]) -> list[str]:
    due = look["due_in_seconds"]
    when = "never" if due is None else f"in {ago(due)}" if due > 0 else "now"
    lines = [look["reason"]] if look["reason"] and look["reason"] != look["why_then"] else []
    lines.append(f"next poll {when}" + (f": {look['why_then']}" if look["why_then"] else ""))
    validators = [f"{name} {visible(value)}" for name, value in look["validators"].items() if value]
    if look["polls"]:
        lines.append("remembered: " + (", ".join(validators) or "no validators"))
    if look["moved_to"]:
        lines.append(f"moved for good to {look['moved_to']}")
    if look["moving_to"]:
        lines.append(f"moves to {look['moving_to']['url']}, confirmed {look['moving_to']['confirmations']} times of 3")
    lines += [f"{name}s are not trusted: {reason}" for name, reason in look["untrusted_ids"].items() if reason]
    if look["gaps_suspected"]:
        lines.append(f"gaps suspected: {look['gaps_suspected']}, the last {ago(time.time() - look['last_gap_at'])} ago")
    if look["steps_left"]:
        lines.append(f"still to be fetched: {look['steps_left']} pages or sitemaps")
    return lines


def _poll_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "when": f"{ago(time.time() - row['at'])} ago",
        "status": row["status"] or "",
        "bytes": row["wire_bytes"],
        "new": row["new"],
        "sent": "if changed" if row.get("conditional") else "in full",
        "note": row["problem"] or row.get("why", ""),
    }
