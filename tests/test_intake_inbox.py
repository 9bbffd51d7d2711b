"""The inbox: claimed, handed over, durable, and only then moved. Real files, real locks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.intake_support import MemoryReceiver, moment, settings_for, unprivileged
from worker.config import Settings, Workers
from worker.errors import StateError
from worker.intake.inbox import Look, is_same, is_still
from worker.intake.pull import pull_source
from worker.intake.receiver import PullResult
from worker.model import Document, Source
from worker.state.spool import Spool


@pytest.fixture
def receiver() -> MemoryReceiver:
    return MemoryReceiver()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def fill(inbox: Path, *names: str) -> None:
    for name in names:
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_text(f"text of {name}")


def pull(
    inbox: Path, receiver: MemoryReceiver, settings: Settings | None = None, later_seconds: float = 60.0
) -> PullResult:
    source = Source(id="inbox", kind="directory", path=str(inbox), claim=True)
    settings = settings or settings_for(inbox.parent)
    return pull_source(source, receiver, settings, Spool(inbox.parent / "spool"), moment(later_seconds))


def files_below(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def test_files_are_handed_over_and_moved_to_done_with_their_paths(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt", "sub/deep/b.txt")
    result = pull(inbox, receiver)
    assert result == PullResult(next_due_seconds=2.0, documents=2)
    assert files_below(inbox) == {"done/a.txt": b"text of a.txt", "done/sub/deep/b.txt": b"text of sub/deep/b.txt"}
    assert [document.origin for document in receiver.documents] == [
        str(inbox / "a.txt"),
        str(inbox / "sub/deep/b.txt"),
    ]
    assert list((inbox / ".claimed").iterdir()) == []
    assert pull(inbox, receiver).documents == 0
    assert receiver.recall("inbox") == {}


def test_only_what_is_safe_to_take_is_taken(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, ".hidden", "half.part", "half.TMP", "page.crdownload", "draft~", ".sync/x", "failed/old.txt", "done/x")
    (inbox / "link.txt").symlink_to(inbox / ".hidden")
    os.mkfifo(inbox / "fifo")
    before = files_below(inbox)
    assert pull(inbox, receiver).documents == 0
    assert files_below(inbox) == before
    assert (inbox / "link.txt").is_symlink()


def test_a_young_file_waits_until_it_stands_still(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt")
    os.utime(inbox / "a.txt", (1, 1))
    first = pull(inbox, receiver, later_seconds=0)
    assert (first.documents, first.more, first.next_due_seconds) == (0, True, 1.0)
    assert files_below(inbox) == {"a.txt": b"text of a.txt"}
    assert pull(inbox, receiver).documents == 1


def test_a_time_in_the_future_does_not_hold_a_file_back(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt")
    os.utime(inbox / "a.txt", (4e9, 4e9))
    assert pull(inbox, receiver).documents == 1


def test_a_file_written_while_it_is_read_is_taken_again_when_it_is_whole(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt")
    with (inbox / "a.txt").open("ab") as writer:

        def write_on(_: Sequence[Document]) -> None:
            writer.write(b" and more")
            writer.flush()
            receiver.on_receive = lambda _: None

        receiver.on_receive = write_on
        first = pull(inbox, receiver)
    assert first.more
    assert not (inbox / "done").exists()
    second = pull(inbox, receiver)
    assert (second.documents, second.more) == (1, False)
    assert receiver.contents == [b"text of a.txt", b"text of a.txt and more"]
    assert files_below(inbox) == {"done/a.txt": b"text of a.txt and more"}


def test_nothing_moves_before_it_is_durable_and_a_crash_there_repeats(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt", "sub/b.txt")

    def crash() -> None:
        assert not (inbox / "done").exists()
        raise StateError("the disk does not keep up")

    receiver.on_durable = crash
    with pytest.raises(StateError):
        pull(inbox, receiver)
    assert len(receiver.documents) == 2
    assert not (inbox / "a.txt").exists()
    assert {path.name for path in (inbox / ".claimed").rglob("*.txt")} == {"a.txt", "b.txt"}

    receiver.on_durable = lambda: None
    assert pull(inbox, receiver).documents == 2
    assert receiver.documents[2:] == [
        msgspec.structs.replace(document, received_at=again.received_at)
        for document, again in zip(receiver.documents[:2], receiver.documents[2:], strict=True)
    ]
    assert sorted(files_below(inbox)) == ["done/a.txt", "done/sub/b.txt"]


def test_a_killed_puller_loses_its_claims_to_the_next(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt", "b.txt")
    code = (
        "import os, sys, pathlib; from worker.intake.claims import Claims; inbox = pathlib.Path(sys.argv[1]);"
        "claims = Claims(inbox); assert claims.take(inbox / 'a.txt', pathlib.Path('a.txt')); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(inbox)], check=False).returncode == -9
    assert not (inbox / "a.txt").exists()
    assert pull(inbox, receiver).documents == 2
    assert sorted(files_below(inbox)) == ["done/a.txt", "done/b.txt"]


def test_a_second_puller_takes_nothing_that_the_first_one_holds(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt", "b.txt", "c.txt")
    other = MemoryReceiver()
    receiver.on_durable = lambda: pull(inbox, other, settings_for(inbox.parent, documents=2))
    pull(inbox, receiver, settings_for(inbox.parent, documents=2))
    assert receiver.contents == [b"text of a.txt", b"text of b.txt"]
    assert other.contents == [b"text of c.txt"]
    assert sorted(files_below(inbox)) == ["done/a.txt", "done/b.txt", "done/c.txt"]


def test_the_disk_is_waited_for_once_per_group(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, *(f"{number}.txt" for number in range(5)))
    pull(inbox, receiver, settings_for(inbox.parent, documents=2))
    assert receiver.durable_waits == 3
    assert [len(documents) for _, documents in receiver.batches] == [2, 2, 1]


def test_done_files_are_never_overwritten(inbox: Path, receiver: MemoryReceiver) -> None:
    for text in ("first", "second", "third"):
        (inbox / "a.txt").write_text(text)
        (inbox / "plain").write_text(text)
        pull(inbox, receiver)
    assert files_below(inbox) == {
        "done/a.txt": b"first",
        "done/a.1.txt": b"second",
        "done/a.2.txt": b"third",
        "done/plain": b"first",
        "done/plain.1": b"second",
        "done/plain.2": b"third",
    }


def test_a_file_where_a_directory_is_needed_and_names_of_full_length_find_a_place(
    inbox: Path, receiver: MemoryReceiver
) -> None:
    long = "é" * 125 + ".html"
    fill(inbox, "x", long)
    pull(inbox, receiver)
    (inbox / "x").mkdir()
    fill(inbox, "x/y.txt", long)
    assert pull(inbox, receiver) == PullResult(next_due_seconds=2.0, documents=2)
    contents = sorted(files_below(inbox / "done").values())
    assert contents == sorted([b"text of x", b"text of x/y.txt", *[f"text of {long}".encode()] * 2])


def test_a_name_that_is_no_utf8_arrives(inbox: Path, receiver: MemoryReceiver) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (inbox / name).write_bytes(b"x")
    assert pull(inbox, receiver).documents == 1
    assert receiver.documents[0].origin == f"{inbox}/caf\\xe9.txt"
    assert (inbox / "done" / name).read_bytes() == b"x"


def test_a_file_that_cannot_be_read_goes_to_failed_beside_the_reason(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a.txt", "sub/bad.txt", "z.txt")
    for expected in ("sub/bad.txt", "sub/bad.1.txt"):
        (inbox / "sub" / "bad.txt").write_text("secret")
        (inbox / "sub" / "bad.txt").chmod(0)
        with unprivileged(inbox):
            result = pull(inbox, receiver)
        assert result.problem is not None
        assert (inbox / "failed" / expected).read_bytes() == b"secret"
        reason = json.loads((inbox / "failed" / f"{expected}.reason.json").read_text())
        assert reason["code"] == "unreadable"
        assert reason["original_name"] == str(inbox / "sub" / "bad.txt")
        assert set(reason) == {"code", "detail", "at", "original_name"}
    assert receiver.contents == [b"text of a.txt", b"text of z.txt"]
    assert pull(inbox, receiver).problem is None


def test_a_paused_inbox_claims_nothing_and_a_pause_stops_between_groups(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a", "b")
    receiver.pauses = ["queue is full"]
    result = pull(inbox, receiver)
    assert (result.problem, result.more) == ("paused: queue is full", True)
    assert sorted(files_below(inbox)) == ["a", "b"]
    receiver.pauses = [None, None, "queue is full"]
    assert pull(inbox, receiver, settings_for(inbox.parent, documents=1)).documents == 1
    assert sorted(files_below(inbox)) == ["b", "done/a"]


def test_files_left_claimed_by_an_early_stop_are_taken_up_whole(inbox: Path, receiver: MemoryReceiver) -> None:
    lines = [b'{"number":%d}' % number for number in range(300)]
    (inbox / "a.jsonl").write_bytes(b"\n".join(lines))
    fill(inbox, "b.txt", "c.txt")
    settings = msgspec.structs.replace(settings_for(inbox.parent, documents=70), workers=Workers(task_seconds=0))
    results = [pull(inbox, receiver, settings)]
    assert results[0].documents == 70
    assert not (inbox / "done" / "a.jsonl").exists()
    while results[-1].more:
        results.append(pull(inbox, receiver, settings))
    assert receiver.contents == [*lines, b"text of b.txt", b"text of c.txt"]
    assert sorted(files_below(inbox)) == ["done/a.jsonl", "done/b.txt", "done/c.txt"]
    assert receiver.recall("inbox") == {}


def test_a_document_that_was_read_ahead_but_not_received_is_not_done(inbox: Path, receiver: MemoryReceiver) -> None:
    fill(inbox, "a", "b")
    settings = settings_for(inbox.parent, batch_bytes=12)
    receiver.pauses = [None, "queue is full"]
    assert pull(inbox, receiver, settings).documents == 1
    assert (inbox / "done" / "a").exists()
    assert not (inbox / "done" / "b").exists()
    pull(inbox, receiver, settings)
    assert receiver.contents == [b"text of a", b"text of b"]
    assert sorted(files_below(inbox)) == ["done/a", "done/b"]


def test_an_inbox_that_cannot_be_worked_in_is_a_problem(tmp_path: Path, receiver: MemoryReceiver) -> None:
    (tmp_path / "file").write_text("x")
    result = pull(tmp_path / "file" / "inbox", receiver)
    assert result.problem is not None
    assert str(tmp_path / "file") in result.problem
    assert receiver.recall("inbox")["problem"] == result.problem


def test_a_missing_inbox_is_made(tmp_path: Path, receiver: MemoryReceiver) -> None:
    assert pull(tmp_path / "new" / "inbox", receiver).problem is None
    assert (tmp_path / "new" / "inbox").is_dir()


@given(st.floats(0, 1e9), st.floats(0.1, 1e6), st.floats(0, 100))
def test_a_file_is_still_when_nothing_touched_it_for_long_enough(changed: float, age: float, stable: float) -> None:
    look = Look(inode=1, size=1, modified_ns=0, changed_at=changed)
    assert is_still(look, changed + stable + age, stable)
    assert not is_still(look, changed + stable - age, stable)
    assert is_same(look, msgspec.structs.replace(look, changed_at=changed + 1))
    assert not is_same(look, msgspec.structs.replace(look, size=2))
    assert not is_same(look, msgspec.structs.replace(look, modified_ns=1))
    assert not is_same(look, msgspec.structs.replace(look, inode=2))
