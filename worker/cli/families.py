"""`copydesk families`: which records tell the same text, and corrections by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from worker.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    console,
    load,
    opened,
    opened_sink,
    print_json,
    print_rows,
)
from worker.desk import Desk
from worker.logs import visible
from worker.operate import families
from worker.store.sink import Sink

app = typer.Typer(help="Families of copies: which records tell the same text.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module below their own word."""
    parent.add_typer(app, name="families")


IdArgument = Annotated[str, typer.Argument(help="Record id (or its beginning), or a URL.")]
COLUMNS = {
    "id": "id",
    "state": "state",
    "relation": "relation",
    "similarity": "similarity",
    "source_id": "source",
    "published_at": "published",
    "headline": "headline",
}


@app.command()
def show(record: IdArgument, data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the family of a record: its head, every near copy, published or dropped, and where copies were seen.

    Example: [bold]copydesk families show https://gazette.example/bridge[/bold]
    """
    _run(lambda desk, sink: families.show(desk, sink, families.resolve(sink, record)), record, data, config, as_json)


@app.command()
def split(
    record: IdArgument, data: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Take a member out of its family: it is no copy. A dropped copy is published now.

    Example: [bold]copydesk families split 3f0c9a41d2b85e6f7a10c2d3e4f5a6b7[/bold]
    """
    _run(lambda desk, sink: families.split(desk, sink, families.resolve(sink, record)), record, data, config, as_json)


@app.command()
def merge(
    record: IdArgument,
    other: Annotated[str, typer.Argument(help="A record of the family that joins the first.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the family of the second record join that of the first; stored records follow, none is taken back.

    Example: [bold]copydesk families merge 3f0c9a41 77d1e2c0[/bold]
    """

    def join(desk: Desk, sink: Sink) -> dict[str, Any] | None:
        return families.merge(desk, sink, families.resolve(sink, record), families.resolve(sink, other))

    _run(join, f"{record} or {other}", data, config, as_json)


def _run(act: Callable[[Desk, Sink], dict[str, Any] | None], named: str, data: Any, config: Any, as_json: bool) -> None:
    settings = load(config, data)
    with opened(settings) as desk, opened_sink(settings) as sink:
        since = desk.run_id()
        family = act(desk, sink)
        desk.wait_until_durable(since)
    if family is None:
        typer.echo(f"copydesk: the memory knows nothing of {named} (it reaches back memory.remember_days)", err=True)
        raise typer.Exit(1)
    if as_json:
        print_json(family)
        return
    console.print(f"family {family['family_id']}, head {family['head_id'] or '(none is published)'}", markup=False)
    print_rows(({**row, "similarity": _share(row["similarity"])} for row in family["members"]), COLUMNS, as_json=False)
    for seen in family["seen_in"]:
        place = f"seen in {seen['source_id']}: {seen['url'] or seen['origin']} at {seen['at']}"
        console.print(visible(place), markup=False, highlight=False, soft_wrap=True)


def _share(similarity: float | None) -> str | None:
    """Three decimals: what is dropped and what is not may lie between .79 and .81."""
    return None if similarity is None else f"{similarity:.3f}"
