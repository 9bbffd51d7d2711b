"""`copydesk dedupe`: what recognising copies would do to an archive."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO, Annotated, Any, cast

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from worker.cli.common import (
    STANDARD_INPUT,
    ConfigOption,
    DataOption,
    JsonOption,
    console,
    load,
    print_json,
    print_rows,
    shortened,
)
from worker.dedupe.passages import Passage
from worker.errors import ConfigurationError, Failed
from worker.logs import visible
from worker.operate.dedupe_files import BadLine, InputRecord, read_records
from worker.operate.dedupe_run import Line, Texts, dedupe_records, empty_memory, rules_by_source
from worker.state.memory import Rules

SHOWN_COPIES = 20
"""Dropped records shown without --report."""
COLUMNS = {"id": "id", "relation": "relation", "similarity": "similarity", "headline": "headline", "matched": "copy of"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(dedupe)


def dedupe(
    docs: Annotated[Path, typer.Argument(help="JSONL of records (plain or gzip), or - for standard input.")],
    policy: Annotated[str | None, typer.Option(help="drop, tag or link: what becomes of near copies.")] = None,
    threshold: Annotated[str | None, typer.Option(help="strict, balanced or loose.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write every copy with its differences to this text file.")
    ] = None,
    data: DataOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recognise copies in an archive, in the order given, without a running system. Nothing is stored.

    Each line needs an id, and a headline, body_text, url, published_at or source_id as far as known. What sources.toml
    says of a source's policy and threshold holds, unless an option says otherwise.

    Examples: [bold]copydesk dedupe archive.jsonl.gz --json > verdicts.jsonl[/bold],
    [bold]copydesk dedupe archive.jsonl --threshold strict --report copies.txt[/bold]
    """
    settings = load(config, data)
    rules_of = rules_by_source(settings, policy, threshold)
    counts: Counter[str] = Counter()
    bad = 0
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_opened(docs))
        writer = stack.enter_context(_created(report, docs)) if report else None
        show = _Shown(stack.enter_context(Texts()) if writer or not as_json else None, writer)
        memory = stack.enter_context(empty_memory(settings))
        tick = stack.enter_context(_progress(quiet=as_json))
        for row in dedupe_records(_read(stream), memory, rules_of):
            if isinstance(row, BadLine):
                bad += 1
                typer.echo(f"copydesk: {docs}: line {row.number}: {row.reason}", err=True)
                continue
            record, line = row
            counts[line.verdict if line.relation is None else f"{line.verdict} ({line.relation})"] += 1
            tick(counts.total())
            show.look(record, line)
            if as_json:
                print_json(line.row())
    if not as_json:
        show.print(counts, rules_of(None), report)
    if bad:
        raise typer.Exit(1)


class _Shown:
    """Collects what a person wants to see: copies with their heads, in full in the report file."""

    def __init__(self, texts: Texts | None, writer: IO[str] | None) -> None:
        self._texts = texts
        self._writer = writer
        self._rows: list[dict[str, Any]] = []

    def look(self, record: InputRecord, line: Line) -> None:
        if self._texts is None:
            return
        if line.matched_id and (self._writer or len(self._rows) < SHOWN_COPIES):
            matched, passages = self._texts.compare(record, line)
            if len(self._rows) < SHOWN_COPIES:
                shares = {"similarity": "" if line.similarity is None else f"{line.similarity:.3f}"}
                self._rows.append({**line.row(), **shares, "headline": record.headline, "matched": matched})
            if self._writer:
                self._writer.write(_described(record, line, matched, passages))
        self._texts.keep(record)

    def print(self, counts: Counter[str], rules: Rules, report: Path | None) -> None:
        rows = [{"verdict": verdict, "records": count} for verdict, count in sorted(counts.items())]
        title = f"policy {rules.policy}, threshold {rules.threshold}"
        print_rows(rows, {"verdict": "verdict", "records": "records"}, as_json=False, title=title)
        if self._rows:
            print_rows(self._rows, COLUMNS, as_json=False, title=f"the first {len(self._rows)} with a match")
        if report:
            console.print(f"all of them, with what differs: {report}", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _opened(docs: Path) -> Iterator[BufferedReader]:
    if docs == STANDARD_INPUT:
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    try:
        stream = docs.open("rb")
    except OSError as error:
        raise ConfigurationError(f"cannot read {docs}: {error.strerror}") from error
    with stream:
        yield stream


def _created(report: Path, docs: Path) -> IO[str]:
    try:
        if report.exists() and docs != STANDARD_INPUT and report.samefile(docs):
            raise ConfigurationError(f"the report would replace the archive {docs}; name another file")
        return report.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigurationError(f"cannot write {report}: {error.strerror}") from error


def _read(stream: BufferedReader) -> Iterator[InputRecord | BadLine]:
    """Records up to where the stream breaks: what was read counts."""
    number = 0
    try:
        for row in read_records(stream):
            number += 1
            yield row
    except Failed as error:
        yield BadLine(number + 1, error.detail)


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    if quiet or not sys.stderr.isatty():
        yield lambda _count: None
        return
    with Progress(SpinnerColumn(), TextColumn("{task.completed:,} records"), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda count: progress.update(task, completed=count)


def _described(record: InputRecord, line: Line, matched: str, passages: list[Passage]) -> str:
    similarity = "" if line.similarity is None else f" {line.similarity:.3f}"
    lines = [
        f"{line.id}: {line.verdict} {line.relation or ''}{similarity} of {line.matched_id}",
        f"  headline: {record.headline or ''}",
        f"  matched:  {matched}",
        f"  because:  {line.evidence or 'the text is the same'}",
    ]
    marks = {"common": "=", "changed": "~", "only_in_head": "-", "only_in_copy": "+"}
    for passage in passages:
        texts = [passage.copy] if passage.kind == "common" else [passage.head, passage.copy]
        lines.append(f"  {marks[passage.kind]} " + "  |  ".join(shortened(text) for text in texts if text))
    return "\n".join(map(visible, lines)) + "\n\n"
