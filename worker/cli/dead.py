"""`copydesk dead`: what was refused or buried; look at it, replay it, purge it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from worker.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    celery_bells,
    console,
    load,
    opened,
    print_json,
    print_rows,
)
from worker.desk import Desk
from worker.errors import ConfigurationError, Failed
from worker.model import DeadLetter
from worker.operate.dead import purge as purge_letters
from worker.operate.dead import replay as replay_letters
from worker.state.letters import VERDICTS, Filter

app = typer.Typer(help="Refused and buried documents: list, show, replay, purge.", no_args_is_help=True)

VerdictOption = Annotated[str | None, typer.Option("--verdict", help="dead or rejected.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Of this source.")]
StageOption = Annotated[str | None, typer.Option("--stage", help="Buried in this stage: parse, dedupe or store.")]
CodeOption = Annotated[str | None, typer.Option("--code", help="With this error code.")]
SinceOption = Annotated[str | None, typer.Option("--since", help="Buried since (ISO 8601, UTC).")]
AllOption = Annotated[bool, typer.Option("--all", help="Every letter that matches the filters.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids of letters.")]

COLUMNS = {
    "id": "id",
    "at": "buried at",
    "code": "code",
    "origin": "from",
    "detail": "reason",
}


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many of the newest.", min=1)] = 50,
    verdict: VerdictOption = None,
    source: SourceOption = None,
    stage: StageOption = None,
    code: CodeOption = None,
    since: SinceOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters, newest first.

    Example: [bold]copydesk dead list --code malformed_json --source wire[/bold]
    """
    wanted = _filter(verdict, source, stage, code, since)
    with opened(load(config, data)) as desk:
        rows = [_row(letter) for letter in desk.letters.find(wanted, limit)]
    print_rows(rows, COLUMNS, as_json=as_json)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(help="Id of the letter.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the original bytes, and nothing else.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter: the reason, the traceback, and the beginning of its bytes.

    Example: [bold]copydesk dead show ID --raw > original.bin[/bold]
    """
    with opened(load(config, data)) as desk:
        letter = _get(desk, letter_id)
        try:
            content = desk.read(letter.document)
        except Failed as error:
            content = b""
            typer.echo(f"copydesk: {error}", err=True)
    if raw:
        sys.stdout.buffer.write(content)
        return
    row = _row(letter) | {"traceback": letter.traceback, "size_bytes": len(content)}
    row |= {"software_version": letter.software_version, "deliveries": letter.deliveries}
    row["replayed_from"] = letter.document.replayed_from
    if as_json:
        print_json(row | {"text": content.decode("utf-8", "backslashreplace")})
        return
    for name, value in row.items():
        if value not in (None, ""):
            console.print(f"{name:18} {value}", markup=False, highlight=False, soft_wrap=True)
    console.rule("first bytes", align="left")
    console.print(content[:600].decode("utf-8", "backslashreplace"), markup=False, highlight=False)


@app.command()
def replay(
    ids: IdsArgument = None,
    everything: AllOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    per_second: Annotated[float | None, typer.Option(help="At most so many a second.", min=0.01)] = None,
    verdict: VerdictOption = None,
    source: SourceOption = None,
    stage: StageOption = None,
    code: CodeOption = None,
    since: SinceOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Put documents back at the beginning of the line, to be parsed by the present version.

    Example: [bold]copydesk dead replay --all --code parse_error --dry-run[/bold]
    """
    settings = load(config, data)
    with opened(settings, celery_bells()) as desk:
        letters = _chosen(desk, ids, _filter(verdict, source, stage, code, since), everything=everything)
        if dry_run:
            print_rows(map(_row, letters), COLUMNS, as_json=False, title="would be replayed")
            return
        count = replay_letters(desk, letters, per_second)
        desk.wait_until_durable()
    console.print(f"replayed {count:,}; `copydesk run` works on them if it is not running yet")


@app.command()
def purge(
    ids: IdsArgument = None,
    everything: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    verdict: VerdictOption = None,
    source: SourceOption = None,
    stage: StageOption = None,
    code: CodeOption = None,
    since: SinceOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Forget dead letters and their bytes, for good.

    Example: [bold]copydesk dead purge --all --code unsupported_format --yes[/bold]
    """
    with opened(load(config, data)) as desk:
        letters = _chosen(desk, ids, _filter(verdict, source, stage, code, since), everything=everything)
        if not yes:
            typer.confirm(f"Purge {len(letters):,} letters and their bytes?", abort=True)
        count = purge_letters(desk, letters)
    console.print(f"purged {count:,}")


def _filter(verdict: str | None, source: str | None, stage: str | None, code: str | None, since: str | None) -> Filter:
    if verdict is not None and verdict not in VERDICTS:
        raise ConfigurationError(f"--verdict takes dead or rejected, not {verdict!r}")
    try:
        moment = datetime.fromisoformat(since) if since else None
    except ValueError as error:
        raise ConfigurationError(f"--since takes an ISO 8601 time, for example 2026-11-01T12:00: {error}") from error
    if moment is not None and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Filter(verdict, source, stage, code, moment)


def _chosen(desk: Desk, ids: list[str] | None, wanted: Filter, *, everything: bool) -> list[DeadLetter]:
    if ids:
        return [_get(desk, letter_id) for letter_id in ids]
    if not everything:
        raise ConfigurationError("name letters by id, or give --all (with filters)")
    return list(desk.letters.find(wanted))


def _get(desk: Desk, letter_id: str) -> DeadLetter:
    letter = desk.letters.get(letter_id)
    if letter is None:
        raise ConfigurationError(f"there is no dead letter {letter_id!r}; `copydesk dead list` shows them")
    return letter


def _row(letter: DeadLetter) -> dict[str, Any]:
    document = letter.document
    return {
        "id": letter.id,
        "verdict": letter.verdict,
        "at": f"{letter.at:%Y-%m-%d %H:%M}",
        "source_id": letter.source_id,
        "stage": letter.stage,
        "code": letter.code,
        "origin": document.origin if document.member is None else f"{document.origin}#{document.member}",
        "detail": letter.detail,
    }
