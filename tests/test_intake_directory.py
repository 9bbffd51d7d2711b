"""Files read in place: watched directories, named paths, standard input."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from tests.intake_support import MemoryReceiver, moment, settings_for, unprivileged
from worker.config import Settings, Workers
from worker.errors import ConfigurationError, StateError
from worker.intake.directory import pull_directory, pull_paths
from worker.intake.pull import pull_source
from worker.intake.receiver import PAUSE_SECONDS, Pulled, PullResult
from worker.intake.standard_input import pull_stream
from worker.model import Source
from worker.state.spool import Spool

PUSH = Source(id="hand", kind="push")


@pytest.fixture
def receiver() -> MemoryReceiver:
    return MemoryReceiver()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "top").mkdir()
    return tmp_path / "top"


def fill(top: Path, *names: str) -> None:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(f"text of {name}")


def watch(top: Path) -> Source:
    return Source(id="dir", kind="directory", path=str(top))


def pull(top: Path, receiver: MemoryReceiver, settings: Settings | None = None) -> PullResult:
    settings = settings or settings_for(top.parent)
    return pull_source(watch(top), receiver, settings, Spool(top.parent / "spool"), moment())


def test_only_new_and_changed_files_are_read(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a.txt", "sub/b.txt")
    first = pull(top, receiver)
    second = pull(top, receiver)
    (top / "a.txt").write_text("another text")
    fill(top, "c.txt")
    third = pull(top, receiver)
    assert (first.documents, second.documents, third.documents) == (2, 0, 2)
    assert receiver.contents == [b"text of a.txt", b"text of sub/b.txt", b"another text", b"text of c.txt"]
    assert (third.next_due_seconds, third.problem, third.more) == (2.0, None, False)
    assert sorted(path.name for path in top.rglob("*.txt")) == ["a.txt", "b.txt", "c.txt"]


def test_files_travel_in_batches_with_their_signatures(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b", "c")
    remembered: list[int] = []
    receiver.on_receive = lambda _: remembered.append(len(receiver.recall("dir")))
    pull(top, receiver, settings_for(top.parent, documents=2))
    assert [len(documents) for _, documents in receiver.batches] == [2, 1]
    assert remembered == [0, 2]
    assert len(receiver.recall("dir")) == 3


def test_a_pull_that_is_cut_short_goes_on_where_it_stopped(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b", "c")
    settings = settings_for(top.parent, documents=1)
    calls = []

    def die_at_the_second(documents: object) -> None:
        calls.append(documents)
        if len(calls) == 2:
            raise StateError("gone")

    receiver.on_receive = die_at_the_second
    with pytest.raises(StateError):
        pull(top, receiver, settings)
    pull(top, receiver, settings)
    assert receiver.contents == [b"text of a", b"text of b", b"text of c"]


def test_a_large_jsonl_file_is_resumed_behind_the_last_line_received(top: Path, receiver: MemoryReceiver) -> None:
    lines = [b'{"number":%d}' % number for number in range(300)]
    (top / "a.jsonl").write_bytes(b"\n".join(lines))
    settings = msgspec.structs.replace(settings_for(top.parent, documents=50), workers=Workers(task_seconds=0))
    results = [pull(top, receiver, settings)]
    while results[-1].more:
        results.append(pull(top, receiver, settings))
    assert receiver.contents == lines
    assert [document.member for document in receiver.documents] == list(range(300))
    assert results[0] == PullResult(next_due_seconds=0.0, documents=50, more=True)
    (top / "a.jsonl").write_bytes(b'{"number":"new"}')
    pull(top, receiver, settings)
    assert receiver.contents[300:] == [b'{"number":"new"}']


def test_a_pause_stops_the_pull_and_says_why(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b")
    settings = settings_for(top.parent, documents=1)
    receiver.pauses = ["queue is full"]
    assert pull(top, receiver, settings) == PullResult(
        next_due_seconds=PAUSE_SECONDS, problem="paused: queue is full", more=True
    )
    receiver.pauses = [None, "queue is full"]
    assert pull(top, receiver, settings).documents == 1
    assert pull(top, receiver, settings).documents == 1
    assert receiver.contents == [b"text of a", b"text of b"]
    assert "problem" not in receiver.recall("dir")


def test_an_unreadable_file_is_reported_until_it_can_be_read(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b", "c")
    (top / "b").chmod(0)
    with unprivileged(top):
        result = pull(top, receiver)
    assert result.documents == 2
    assert result.problem is not None
    assert result.problem.startswith("unreadable: ")
    assert receiver.recall("dir")["problem"] == result.problem
    (top / "b").chmod(0o600)
    assert pull(top, receiver) == PullResult(next_due_seconds=2.0, documents=1)
    assert "problem" not in receiver.recall("dir")


def test_a_missing_directory_is_a_problem_not_a_crash(top: Path, receiver: MemoryReceiver) -> None:
    result = pull(top / "missing", receiver)
    assert result.problem is not None
    assert "missing" in result.problem
    assert receiver.batches == []


def test_vanished_files_are_forgotten(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b")
    pull(top, receiver)
    (top / "a").unlink()
    pull(top, receiver)
    assert len(receiver.recall("dir")) == 1


def test_progress_is_told_after_every_batch(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b", "c")
    seen: list[Pulled] = []
    settings = settings_for(top.parent, documents=2)
    pull_directory(watch(top), receiver, settings, Spool(top.parent / "spool"), moment(), seen.append)
    assert [(pulled.files, pulled.documents) for pulled in seen] == [(2, 2), (3, 3)]


def test_a_push_source_cannot_be_pulled(tmp_path: Path, receiver: MemoryReceiver) -> None:
    with pytest.raises(ConfigurationError):
        pull_source(PUSH, receiver, settings_for(tmp_path), Spool(tmp_path), moment())


def test_named_paths_are_always_read_and_one_bad_one_stops_nothing(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "sub/b")
    paths = [top / "missing", top / "sub", top / "a", top / "a"]
    spool = Spool(top.parent / "spool")
    settings = settings_for(top.parent)
    pulled = pull_paths(paths, PUSH, receiver, settings, spool, moment(), lane="backfill")
    assert (pulled.files, pulled.documents) == (3, 3)
    assert receiver.contents == [b"text of sub/b", b"text of a", b"text of a"]
    assert [lane for lane, _ in receiver.batches] == ["backfill"]
    (bad,) = pulled.unreadable
    assert (bad.origin, bad.code) == (str(top / "missing"), "unreadable")
    pull_paths([top / "a"], PUSH, receiver, settings, spool, moment())
    assert receiver.batches[-1][0] == "news"
    assert receiver.states.get("hand", {}) == {}


def test_named_paths_wait_while_intake_is_paused_and_say_so(top: Path, receiver: MemoryReceiver) -> None:
    fill(top, "a", "b")
    receiver.pauses = ["disk is full", "disk is full", None]
    slept: list[float] = []
    seen: list[Pulled] = []
    pulled = pull_paths(
        [top],
        PUSH,
        receiver,
        settings_for(top.parent),
        Spool(top.parent / "spool"),
        moment(),
        progress=seen.append,
        sleep=slept.append,
    )
    assert slept == [PAUSE_SECONDS, PAUSE_SECONDS]
    assert [each.paused for each in seen] == ["disk is full", "disk is full", None]
    assert pulled == Pulled(files=2, documents=2)


def test_a_stream_gives_a_document_a_line_batch_by_batch(tmp_path: Path, receiver: MemoryReceiver) -> None:
    stream = io.BytesIO(b'{"a":1}\n\n{"b":2}\nnot json\n' + b"x" * 2000)
    spool = Spool(tmp_path / "spool")
    pulled = pull_stream(stream, PUSH, receiver, settings_for(tmp_path, documents=2), spool, moment(), lane="backfill")
    assert pulled.documents == 4
    assert receiver.contents == [b'{"a":1}', b'{"b":2}', b"not json", None]
    assert spool.read(receiver.documents[3].content_ref or "") == b"x" * 2000
    assert [(lane, len(documents)) for lane, documents in receiver.batches] == [("backfill", 2), ("backfill", 2)]
    assert [(document.origin, document.member) for document in receiver.documents] == [("-", n) for n in (0, 2, 3, 4)]


def test_a_stream_that_breaks_keeps_what_it_gave(tmp_path: Path, receiver: MemoryReceiver) -> None:
    class Broken(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            if not line:
                raise OSError(5, "Input/output error")
            return line

    pulled = pull_stream(Broken(b'{"a":1}\n'), PUSH, receiver, settings_for(tmp_path), Spool(tmp_path), moment())
    assert receiver.contents == [b'{"a":1}']
    assert [(bad.origin, bad.code) for bad in pulled.unreadable] == [("-", "unreadable")]
