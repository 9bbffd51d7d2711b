"""For operators: status, reconcile, doctor."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from worker.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    ago,
    console,
    load,
    opened,
    opened_sink,
    print_json,
    print_rows,
)
from worker.logs import visible
from worker.operate.doctor import Check, examine
from worker.operate.reconcile import reconcile as audit
from worker.operate.status import snapshot

LAST_FETCHED = 3
"""Feeds that `status` names."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(status)
    app.command()(reconcile)
    app.command()(doctor)


def status(
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every queue's depth, age and rate, and the sources in trouble."""
    settings = load(config, data)
    with opened(settings) as desk:
        look = snapshot(desk)
    if as_json:
        print_json(look)
        return
    _print_status(look)


def _print_status(look: dict[str, Any]) -> None:
    stages = [row | {"oldest": ago(row["oldest_seconds"])} for row in look["stages"]]
    queue = look["storage_queue"]
    stages.append({"stage": "storage queue", "documents": queue["records"], "oldest": ago(queue["oldest_seconds"])})
    columns = {"stage": "stage", "lane": "lane", "batches": "batches", "documents": "documents", "oldest": "oldest"}
    print_rows(stages, columns, as_json=False)
    counters = [
        {"counter": name, "total": value, "per_minute": look["per_minute"].get(name)}
        for name, value in look["counters"].items()
    ]
    print_rows(counters, {"counter": "counter", "total": "total", "per_minute": "a minute"}, as_json=False)
    print_rows(
        queue["groups"], {"name": "consumer group", "lag": "not read", "pending": "not acknowledged"}, as_json=False
    )
    events = ", ".join(f"{name} {value:,}" for name, value in sorted(look["events"].items()))
    console.print(f"ledger's own work: {events}", markup=False)
    processes = ", ".join(f"{row['host']}/{row['name']}" for row in look["processes"])
    console.print(f"processes: {processes or 'none gives a sign of life'}", markup=False)
    for row in look["last_fetched"][:LAST_FETCHED]:
        answer = row["problem"] or row["status"] or "read"
        fetched = f"fetched {ago(row['fetched_seconds_ago'])} ago: {row['id']}: {answer}"
        console.print(visible(fetched), markup=False)
    letters = look["letters"]
    console.print(f"dead letters: {letters['dead']:,} dead, {letters['rejected']:,} rejected", markup=False)
    for row in look["pauses"]:
        style = "red" if row["alert"] else "yellow"
        paused = f"paused: {row['scope']}: {row['reason']} (`copydesk resume`)"
        console.print(visible(paused), style=style, markup=False)
    for what, why in look["paused"].items():
        console.print(f"paused: {what}: {why}", style="yellow", markup=False)
    for row in look["sources_in_trouble"]:
        console.print(visible(f"source {row['id']}: {row['problem']}"), style="yellow", markup=False)


def reconcile(
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the ledger balances against the storage queue and the store. Exit code 1 if it does not."""
    settings = load(config, data)
    with opened(settings) as desk, opened_sink(settings) as sink:
        report = audit(desk, sink)
    if as_json:
        print_json(report.as_dict())
    else:
        left = f"received {report.received:,} + members {report.members:,}"
        right = " + ".join(f"{name} {value:,}" for name, value in report.verdicts.items())
        sign = "!=" if report.unaccounted else "="
        console.print(f"{left} {sign} {right} + in flight {report.in_flight:,}", markup=False, soft_wrap=True)
        console.print(
            f"{report.remembered:,} remembered records: {report.missing:,} missing; "
            f"{report.sink_records:,} rows in the store, {report.backlog_entries:,} entries in the storage queue",
            markup=False,
            soft_wrap=True,
        )
        for problem in [*report.problems, *report.missing_named]:
            console.print(problem, style="red", markup=False)
        console.print("balances" if report.balanced else "does not balance", style="bold", markup=False)
    if not report.balanced:
        raise typer.Exit(1)


def doctor(
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show problems only.")] = False,
) -> None:
    """Check settings, directories, server and store before they are needed. Exit code 1 where something is wrong."""
    settings = load(config, data)
    checks = examine(settings)
    rows = [_check_row(check) for check in checks if check.problem or not quiet]
    print_rows(rows, {"check": "check", "value": "found", "remedy": "what to do"}, as_json=as_json)
    if any(check.problem for check in checks):
        raise typer.Exit(1)


def _check_row(check: Check) -> dict[str, Any]:
    return {"check": check.check, "value": check.value, "ok": check.problem is None, "remedy": check.problem}
