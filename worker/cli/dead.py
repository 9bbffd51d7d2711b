"""`copydesk dead`: what was refused or buried; look at it, replay it, purge it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
import typer

from worker.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    celery_bells,
    console,
    load,
    opened,
    print_each,
    print_json,
    print_rows,
)
from worker.cli.filters import with_filter
from worker.cli.progress import progress
from worker.desk import Desk
from worker.errors import ConfigurationError, Failed
from worker.logs import visible
from worker.model import DeadLetter
from worker.operate.dead import is_replayable
from worker.operate.dead import purge as purge_letters
from worker.operate.dead import replay as replay_letters
from worker.operate.exchange import export_letters, import_letters
from worker.state.letters import Filter

app = typer.Typer(help="Refused and buried documents: list, show, replay, purge, export, import.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands of this module below their own word."""
    parent.add_typer(app, name="dead")


AllOption = Annotated[bool, typer.Option("--all", help="Every letter that matches the filters.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(help="Ids of letters.")]

STANDARD_STREAM = Path("-")
DRY_RUN_ROWS = 50
"""Letters that a dry run shows as a table."""

COLUMNS = {
    "id": "id",
    "at": "buried at",
    "code": "code",
    "origin": "from",
    "detail": "reason",
}


@app.command("list")
@with_filter
def list_letters(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many of the newest.", min=1)] = 50,
    *,
    wanted: Filter,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters, newest first.

    Example: [bold]copydesk dead list --code malformed_json --source wire[/bold]
    """
    with opened(load(config, data)) as desk:
        rows = map(_row, desk.letters.find(wanted, limit))
        if as_json:
            print_each(rows)
        else:
            print_rows(rows, COLUMNS, as_json=False)


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
    row["history"] = [msgspec.to_builtins(burial) for burial in letter.document.history]
    if as_json:
        print_json(row | {"text": content.decode("utf-8", "backslashreplace")})
        return
    for name, value in row.items():
        if value not in (None, "", []):
            console.print(f"{name:18} {_lines(str(value))}", markup=False, highlight=False, soft_wrap=True)
    console.rule("first bytes", align="left")
    # Bytes of strangers: nothing in them may command the terminal.
    console.print(_lines(content[:600].decode("utf-8", "backslashreplace")), markup=False, highlight=False)


def _lines(text: str) -> str:
    """A text as people may see it, line by line."""
    return "\n".join(map(visible, text.split("\n")))


@app.command()
@with_filter
def replay(
    ids: IdsArgument = None,
    everything: AllOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be replayed.")] = False,
    per_second: Annotated[float | None, typer.Option(help="At most so many a second.", min=0.01)] = None,
    *,
    wanted: Filter,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put documents back at the beginning of the line, to be parsed by the present version.

    Many of them wait behind other work, and for the high-water marks of the lane backfill.

    Example: [bold]copydesk dead replay --all --code parse_error --dry-run[/bold]
    """
    with opened(load(config, data), celery_bells()) as desk:
        letters = _chosen(desk, ids, wanted, everything=everything)
        if ids:
            _require_replayable(letters)
        if dry_run:
            _print_dry_run(filter(is_replayable, letters), as_json=as_json)
            return
        with progress("replayed", "the others are still there: the same command goes on with them") as counted:
            count = replay_letters(desk, letters, per_second, counted)
            desk.wait_until_durable()
    if as_json:
        print_json({"replayed": count})
    else:
        console.print(f"replayed {count:,}; `copydesk run` works on them if it is not running yet", highlight=False)


def _print_dry_run(letters: Iterable[DeadLetter], *, as_json: bool) -> None:
    """All of them as JSON lines, or the newest as a table and the number of all."""
    rows = map(_row, letters)
    if as_json:
        print_each(rows)
        return
    shown = print_rows(islice(rows, DRY_RUN_ROWS), COLUMNS, as_json=False, title="would be replayed")
    others = sum(1 for _ in rows)
    console.print(f"{shown + others:,} would be replayed" + (f", {others:,} of them not shown" if others else ""))


@app.command()
@with_filter
def purge(
    ids: IdsArgument = None,
    everything: AllOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    *,
    wanted: Filter,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget dead letters and their bytes, for good.

    Example: [bold]copydesk dead purge --all --code unsupported_format --yes[/bold]
    """
    # What is buried while the question is asked was not asked about.
    wanted = replace(wanted, until=wanted.until or datetime.now(UTC))
    with opened(load(config, data)) as desk:
        if not yes:
            number = sum(1 for _ in _chosen(desk, ids, wanted, everything=everything))
            typer.confirm(f"Purge {number:,} letters and their bytes?", abort=True)
        with progress("purged", "the others are still there") as counted:
            count = purge_letters(desk, _chosen(desk, ids, wanted, everything=everything), counted)
    if as_json:
        print_json({"purged": count})
    else:
        console.print(f"purged {count:,}", highlight=False)


@app.command("export")
@with_filter
def export_file(
    file: Annotated[Path, typer.Argument(help="File to write (JSON lines with the bytes), or - for standard output.")],
    data: DataOption = None,
    config: ConfigOption = None,
    *,
    wanted: Filter,
) -> None:
    """Write dead letters with their bytes to a file that another system can import. They stay here, too.

    Example: [bold]copydesk dead export letters.jsonl --code parse_error[/bold]
    """
    unfinished = "no file was written" if file != STANDARD_STREAM else "what was written is whole lines"
    with (
        opened(load(config, data)) as desk,
        progress("exported", unfinished) as counted,
        _writing(file) as stream,
    ):
        for number, line in enumerate(export_letters(desk, desk.letters.find(wanted)), 1):
            stream.write(line)
            counted(number)
    typer.echo(f"exported {counted.count:,}", err=True)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="File that `dead export` wrote, or - for standard input.")],
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take dead letters in from a file; what is here already is passed over. Then look at them, and replay.

    Example: [bold]copydesk dead import letters.jsonl[/bold]
    """
    rest = "the same command again takes in the rest"
    with opened(load(config, data)) as desk, _reading(file) as stream, progress("imported", rest) as counted:
        taken, known = import_letters(desk, stream, counted)
        desk.wait_until_durable()
    if as_json:
        print_json({"imported": taken, "already_here": known})
    else:
        console.print(f"imported {taken:,}; {known:,} were here already")


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears only when it is whole."""
    if file == STANDARD_STREAM:
        yield sys.stdout.buffer
        return
    hidden = file.with_name(f".{file.name}.part")
    try:
        with hidden.open("wb") as stream:
            yield stream
        hidden.replace(file)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    finally:
        hidden.unlink(missing_ok=True)


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[BinaryIO]:
    if file == STANDARD_STREAM:
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    with stream:
        yield stream


def _chosen(desk: Desk, ids: list[str] | None, wanted: Filter, *, everything: bool) -> Iterable[DeadLetter]:
    """The letters that are named (looked up now), or all that match, read while they are worked on."""
    if ids:
        return [_get(desk, letter_id) for letter_id in ids]
    if not everything:
        raise ConfigurationError("name letters by id, or give --all (with filters)")
    return desk.letters.find(wanted)


def _require_replayable(letters: Iterable[DeadLetter]) -> None:
    for letter in letters:
        if not is_replayable(letter):
            raise ConfigurationError(
                f"{letter.id} is a message that was no bell, and cannot be replayed: look at it with "
                f"`copydesk dead show {letter.id}`, find its sender, purge it"
            )


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
        "origin": document.origin if document.part is None else f"{document.origin}#{document.part}",
        "detail": letter.detail,
    }
