"""`copydesk records` and `copydesk explain`: look at what came out, and why."""

from __future__ import annotations

import signal
from typing import Annotated, Any

import msgspec
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
    shortened,
    stop_on,
)
from worker.logs import visible
from worker.model import Record
from worker.operate import explain as explaining
from worker.store.read import follow, newest

COLUMNS = {
    "id": "id",
    "version": "v",
    "published_at": "published",
    "language": "lang",
    "source_id": "source",
    "headline": "headline",
    "copies": "seen in",
}

SHOWN_CHARACTERS = 80
"""How much of a value `explain` shows; --json has all of it."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(records)
    app.command()(explain)


def records(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many of the newest.", min=1)] = 30,
    following: Annotated[bool, typer.Option("--follow", help="Go on and show each record as it is stored.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest stored records.

    Example: [bold]copydesk records --json -n 1000 | jq .headline[/bold]
    """
    settings = load(config, data)
    with opened_sink(settings) as sink:
        found = list(reversed(newest(sink, limit)))
        if as_json:
            for record in found:
                print_json(msgspec.to_builtins(record))
        else:
            print_rows(map(_row, found), COLUMNS, as_json=False)
        if not following:
            return
        for record in follow(sink, stop_on(signal.SIGINT)):
            if as_json:
                print_json(msgspec.to_builtins(record))
            else:
                row = _row(record)
                console.print(f"{row['id']}  v{row['version']}  {row['headline']}", markup=False, highlight=False)


def explain(
    document: Annotated[str, typer.Argument(help="Record id (or its beginning), URL, path, or dead letter id.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the life of one document: where it came from, what each fact rests on, what became of it.

    Example: [bold]copydesk explain samples/articles/harbour.txt[/bold]
    """
    settings = load(config, data)
    with opened(settings) as desk, opened_sink(settings) as sink:
        answer = explaining.explain(desk, sink, document)
    if as_json:
        print_json(answer)
    else:
        _print_life(answer)
    if not any(answer[part] for part in ("records", "receipts", "letters")):
        typer.echo(f"copydesk: nothing is known about {document}", err=True)
        raise typer.Exit(1)


def _row(record: Record) -> dict[str, Any]:
    return {
        "id": record.id[:12],
        "version": record.version,
        "published_at": f"{record.published_at:%Y-%m-%d %H:%M}" if record.published_at else None,
        "language": record.language,
        "source_id": record.source_id,
        "headline": record.headline or f"({record.body_text[:60]})",
        "copies": ", ".join(sorted({seen.source_id for seen in record.seen_in})),
    }


def _print_life(answer: dict[str, Any]) -> None:
    for record in answer["records"]:
        _print_record(record)
    for copy in answer["copies"]:
        _print_record(copy, f"kept as a copy of {copy['matched_id']}")
    for receipt in answer["receipts"]:
        _say("  ".join(receipt[part] for part in ("at", "verdict", "reference", "detail", "place")))
        _print_evidence(receipt)
    for letter in answer["letters"]:
        what = f"{letter['at']}  {letter['verdict']} in {letter['stage']}: {letter['code']}: {letter['detail']}"
        _say(f"{what}  (copydesk dead show {letter['id']})")


def _print_evidence(receipt: dict[str, Any]) -> None:
    if "matched_id" not in receipt:
        return
    similarity = "" if receipt["similarity"] is None else f" {receipt['similarity']:.3f}"
    _say(f"  {receipt['relation']}{similarity} of {receipt['matched_id']}  {receipt['matched_headline'] or ''}")
    if receipt["evidence"] or receipt["relation"] == "exact":
        _say(f"  because {receipt['evidence'] or 'the text is the same'}")
    for passage in receipt["passages"]:
        if passage["kind"] == "common":
            _say(f"    = {shortened(passage['copy'])}", style="dim")
            continue
        for mark, side in (("-", "head"), ("+", "copy")):
            if passage[side]:
                _say(f"    {mark} {shortened(passage[side])}")


def _print_record(record: dict[str, Any], state: str = "") -> None:
    console.rule(f"{record['id']} {state or 'version {}'.format(record['version'])}", align="left")
    _say(record["headline"] or "(no headline)", style="bold")
    _say(f"from {record['raw_ref']} ({record['media_type']}), received {record['received_at']}")
    for part in ("encoding", "extraction"):
        facts = ", ".join(f"{name} {value}" for name, value in (record.get(part) or {}).items() if value is not None)
        _say(f"{part}: {facts}")
    for field, origin in sorted(record["provenance"].items()):
        _say(f"  {field:22} {origin:12} {str(record.get(field))[:SHOWN_CHARACTERS]}")
    for warning in record["warnings"]:
        _say(f"  warning: {warning}", style="yellow")
    for seen in record["seen_in"]:
        _say(f"  also seen in {seen['source_id']}: {seen['url'] or seen['origin']} at {seen['at']}")


def _say(text: str, style: str | None = None) -> None:
    console.print(visible(text), style=style, markup=False, highlight=False, soft_wrap=True)
