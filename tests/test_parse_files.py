"""`copydesk parse`: files in, lines out, nothing lost."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from worker.model import Article, Document
from worker.operate import parse_files, parse_processes
from worker.operate.parse_files import Reading, parse_paths
from worker.operate.parse_processes import Line
from worker.parse import detect, table


def lines(*paths: Path, jobs: int = 0, **options: float) -> list[tuple[str, object, str, str | None]]:
    found: list[Line] = list(parse_paths(paths, jobs, Reading(**options)))  # type: ignore[arg-type]
    json.dumps(found)
    return [(Path(line["input"]).name, line["member"], line["outcome"], line["reason"]) for line in found]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    (root / "b").mkdir(parents=True)
    (root / "b" / "z.txt").write_text("Last\n\nText of the last.")
    (root / "a.jsonl").write_text('{"headline": "One", "body": "a"}\nbroken\n')
    (root / "c.rss").write_text("<rss><channel><title>Valley</title></channel></rss>")
    (root / "empty.txt").write_text("")
    (root / ".hidden.txt").write_text("Hidden\n\nText.")
    (root / "link.txt").symlink_to(root / "b" / "z.txt")
    return root


EXPECTED = [
    ("a.jsonl", 0, "article", None),
    ("a.jsonl", 1, "rejected", "malformed_json"),
    ("z.txt", None, "article", None),
    ("c.rss", None, "rejected", "no_entries"),
    ("empty.txt", None, "rejected", "empty_document"),
]


def test_a_directory_is_walked_in_order(directory: Path) -> None:
    assert lines(directory) == EXPECTED


def test_processes_give_the_same_lines_in_the_same_order(directory: Path) -> None:
    assert lines(directory, jobs=2) == EXPECTED


def test_records_hold_the_fields_and_the_feed(directory: Path) -> None:
    (article,) = parse_paths([directory / "b" / "z.txt"])
    assert (article["record"]["headline"], article["record"]["body_text"]) == ("Last", "Text of the last.")
    (empty_feed,) = parse_paths([directory / "c.rss"])
    assert empty_feed["record"] == {"feed": {"title": "Valley"}}


def test_what_cannot_be_read_still_gives_a_line(tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    large.write_text("x" * 100)
    assert lines(tmp_path / "missing.txt") == [("missing.txt", None, "rejected", "unreadable")]
    assert lines(large, document_bytes=10) == [("large.txt", None, "rejected", "too_large")]


def test_a_json_lines_file_without_lines_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n")
    assert lines(tmp_path) == [("a.jsonl", None, "rejected", "empty_document")]


def never_ending(content: bytes, document: Document) -> Iterator[Article]:
    while content:
        document = replace(document, size_bytes=document.size_bytes + 1)
    yield Article()


def test_a_document_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.PARSERS, detect.HTML, never_ending)
    (tmp_path / "a.html").write_text("<html></html>")
    (tmp_path / "b.json").write_text('{"headline": "Quick", "body": ""}')
    assert lines(tmp_path, parse_seconds=0.5) == [
        ("a.html", None, "rejected", "parse_timeout"),
        ("b.json", None, "rejected", "unsupported_format"),
    ]


def deadly(content: bytes, _document: Document) -> Iterator[Article]:
    """Stands for a crash inside a C library."""
    if b"die" in content:
        os._exit(9)
    yield Article(headline=content.decode())


def hanging(content: bytes, _document: Document) -> Iterator[Article]:
    """Stands for C code that does not return: it looks at no signal."""
    if b"hang" in content:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
        while True:
            signal.pause()
    yield Article(headline=content.decode())


@pytest.mark.parametrize(("parser", "code"), [(deadly, "poison"), (hanging, "parse_timeout")])
def test_a_lost_process_costs_only_its_document(
    parser: Callable[[bytes, Document], Iterator[Article]],
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parse_processes, "_context", lambda: multiprocessing.get_context("fork"))
    monkeypatch.setattr(parse_files, "GRACE_SECONDS", 0.5)
    monkeypatch.setitem(table.PARSERS, detect.HTML, parser)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, text in (("1.html", b"<p>one"), ("2.html", b"<p>die, hang"), ("3.html", b"<p>three")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    (tmp_path / "b.html").write_text("<p>four")
    assert lines(tmp_path, jobs=2, parse_seconds=0.5) == [
        ("a.tar", "1.html", "article", None),
        ("a.tar", "2.html", "rejected", code),
        ("a.tar", "3.html", "article", None),
        ("b.html", None, "article", None),
    ]


def test_a_file_that_goes_on_costing_processes_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_processes, "_context", lambda: multiprocessing.get_context("fork"))
    monkeypatch.setitem(table.PARSERS, detect.HTML, deadly)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(6):
            entry = tarfile.TarInfo(f"{number}.html")
            entry.size = 6
            archive.addfile(entry, io.BytesIO(b"<p>die"))
    assert [reason for _, _, _, reason in lines(tmp_path, jobs=1)] == ["poison"] * parse_processes.MOST_KILLS
