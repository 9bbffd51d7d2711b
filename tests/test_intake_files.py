"""Which files are read, and how: real files of every kind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.intake_support import moment, settings_for, unprivileged
from worker.errors import Failed
from worker.intake.containers import read_documents
from worker.intake.files import origin_path, origin_text, read_file, walk
from worker.intake.grouping import group
from worker.model import Document, Source, encode
from worker.state.spool import Spool

SOURCE = Source(id="files", kind="push", name="Files", language="de")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def read(path: Path, base: Path, **limits: int) -> Document:
    return read_file(path, SOURCE, settings_for(base, **limits), Spool(base / "spool"), moment())


def read_all(path: Path, base: Path, **limits: int) -> list[Document]:
    pieces = list(read_documents(path, SOURCE, settings_for(base, **limits), Spool(base / "spool"), moment()))
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    return [piece.document for piece in pieces]


def test_walk_gives_regular_files_in_order_and_passes_over_everything_else(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in ("b.txt", "a/z.txt", "a/deep/y.txt", ".hidden", ".git/config", "c.txt"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    os.mkfifo(top / "fifo")
    (top / "link.txt").symlink_to(top / "b.txt")
    (top / "linked").symlink_to(top / "a")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(top / "socket"))
        reports: list[tuple[Path, Failed]] = []
        found = list(walk([top], lambda path, error: reports.append((path, error))))
    assert [str(path.relative_to(top)) for path in found] == ["a/deep/y.txt", "a/z.txt", "b.txt", "c.txt"]
    assert reports == []


def test_walk_takes_named_paths_at_their_word_and_reports_missing_ones(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text("named")
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    reports: list[tuple[Path, Failed]] = []
    names = ["missing", "dangling", ".hidden", "link"]
    found = list(walk([tmp_path / name for name in names], lambda path, error: reports.append((path, error))))
    assert found == [tmp_path / ".hidden", tmp_path / ".hidden"]
    assert [(path.name, error.code) for path, error in reports] == [
        ("missing", "unreadable"),
        ("dangling", "unreadable"),
    ]


def test_walk_reports_a_directory_that_cannot_be_listed_and_goes_on(tmp_path: Path) -> None:
    for name in ("closed", "open"):
        (tmp_path / "top" / name).mkdir(parents=True)
        (tmp_path / "top" / name / "file").write_text("x")
    (tmp_path / "top" / "closed").chmod(0)
    reports: list[Path] = []
    with unprivileged(tmp_path / "top"):
        found = list(walk([tmp_path / "top"], lambda path, _: reports.append(path)))
    (tmp_path / "top" / "closed").chmod(0o700)
    assert found == [tmp_path / "top" / "open" / "file"]
    assert reports == [tmp_path / "top" / "closed"]


def test_a_file_becomes_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"Hello\x00\xff")
    document = read(tmp_path / "a.txt", tmp_path)
    assert document.content == b"Hello\x00\xff"
    assert document.size_bytes == 7
    assert document.origin == str(tmp_path / "a.txt")
    assert (document.source_id, document.source_name, document.language) == ("files", "Files", "de")


@pytest.mark.parametrize(("size", "inline"), [(1000, True), (1001, False), (5001, False)])
def test_large_files_go_to_the_spool_and_keep_every_byte(
    tmp_path: Path, spool: Spool, size: int, inline: object
) -> None:
    content = os.urandom(size)
    (tmp_path / "big").write_bytes(content)
    document = read(tmp_path / "big", tmp_path)
    assert document.size_bytes == size
    assert (document.content is not None) is inline
    assert (document.content or spool.read(document.content_ref or "")) == content


@pytest.mark.parametrize("kind", ["fifo", "directory", "symlink", "missing", "device"])
def test_what_is_no_regular_file_is_unreadable_and_never_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "symlink":
        (tmp_path / "target").write_text("x")
        path.symlink_to(tmp_path / "target")
    elif kind == "device":
        path = Path(os.devnull)
    for reader in (read, read_all):
        with pytest.raises(Failed) as caught:
            reader(path, tmp_path)
        assert caught.value.code == "unreadable"
        assert str(path) in caught.value.detail


def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0)
    with unprivileged(tmp_path / "secret"), pytest.raises(Failed) as caught:
        read(tmp_path / "secret", tmp_path)
    assert caught.value.code == "unreadable"


def test_a_name_that_is_no_utf8_is_kept_readable_and_without_loss(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \\ \xc3\xa9.txt"))
    path.write_bytes(b"x")
    document = read(path, tmp_path)
    assert document.origin.endswith(r"/caf\xe9 \\ é.txt")
    assert encode(document)
    assert origin_path(document.origin).read_bytes() == b"x"


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\x00" not in name and b"/" not in name))
def test_every_file_name_survives_the_way_into_an_origin_and_back(name: bytes) -> None:
    path = Path("/") / os.fsdecode(name)
    if path.name in ("..", ""):
        return
    text = origin_text(path)
    text.encode()
    assert origin_path(text) == path


@pytest.mark.parametrize("inline", [10, 100_000], ids=["streamed", "in memory"])
def test_jsonl_gives_a_document_a_line(tmp_path: Path, inline: int) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"a":1}\n\n  \r\n{"b":2}\r\n{"c":3}')
    documents = read_all(tmp_path / "a.jsonl", tmp_path, inline=inline, largest=100_000)
    assert [(document.member, document.content) for document in documents] == [
        (0, b'{"a":1}'),
        (3, b'{"b":2}'),
        (4, b'{"c":3}'),
    ]
    assert {document.origin for document in documents} == {str(tmp_path / "a.jsonl")}
    assert {document.media_type for document in documents} == {"application/json"}


def test_long_lines_go_to_the_spool_whole_and_their_neighbours_stay(tmp_path: Path, spool: Spool) -> None:
    long, longest = b'{"long":"' + b"x" * 2000 + b'"}', b'{"longest":"' + b"y" * 9000 + b'"}'
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([b'{"first":1}', long, longest, b'{"last":1}']))
    documents = read_all(tmp_path / "a.jsonl", tmp_path)
    assert [document.content for document in documents] == [b'{"first":1}', None, None, b'{"last":1}']
    assert [document.size_bytes for document in documents] == [11, len(long), len(longest), 10]
    assert [document.member for document in documents] == [0, 1, 2, 3]
    assert spool.read(documents[1].content_ref or "") == long
    assert spool.read(documents[2].content_ref or "") == longest


@pytest.mark.parametrize("content", [b"", b"\n \n\n", b"\n" * 3000])
def test_jsonl_without_a_line_is_one_document_that_parsing_will_judge(
    tmp_path: Path, spool: Spool, content: bytes
) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    (document,) = read_all(tmp_path / "a.jsonl", tmp_path)
    assert document.member is None
    assert (spool.read(document.content_ref) if document.content_ref else document.content) == content


def test_reading_jsonl_can_go_on_behind_any_line(tmp_path: Path, spool: Spool) -> None:
    lines = [b'{"n":%d}' % number for number in range(500)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    settings = settings_for(tmp_path)
    pieces = list(read_documents(path, SOURCE, settings, spool, moment()))
    again = list(read_documents(path, SOURCE, settings, spool, moment(), start=pieces[122].position))
    assert [piece.document.content for piece in again] == lines[123:]
    assert again[0].document.member == 123


def test_groups_respect_both_limits_and_keep_the_order() -> None:
    def sizes(*items: int, most: int, most_bytes: int) -> list[tuple[int, ...]]:
        return list(group(items, most=most, most_bytes=most_bytes, size_bytes=lambda size: size))

    assert sizes(1, 1, 1, 1, 1, most=2, most_bytes=100) == [(1, 1), (1, 1), (1,)]
    assert sizes(6, 6, 3, 1, most=10, most_bytes=10) == [(6,), (6, 3, 1)]
    assert sizes(1, 99, 1, most=10, most_bytes=10) == [(1,), (99,), (1,)]
    assert sizes(most=10, most_bytes=10) == []
