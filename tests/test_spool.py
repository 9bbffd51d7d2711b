"""The spool: large documents on disk, by reference."""

from __future__ import annotations

import io
import os
import resource
from pathlib import Path

import pytest

from worker.errors import Failed, StateError
from worker.state.spool import CHUNK_BYTES, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def make_old(spool: Spool, name: str) -> None:
    os.utime(spool.directory / name, (1, 1))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7])
def test_bytes_come_back_as_they_went_in(spool: Spool, size: int) -> None:
    content = os.urandom(size)
    for ref in (spool.put(content), spool.put(io.BytesIO(content))):
        assert spool.read(ref) == content
        assert spool.size(ref) == size
        with spool.open(ref) as stream:
            assert stream.read() == content


def test_equal_bytes_have_references_and_lives_of_their_own(spool: Spool) -> None:
    first, second = spool.put(b"same"), spool.put(b"same")
    spool.delete(first)
    assert first != second
    assert spool.read(second) == b"same"


def test_a_missing_object_is_unreadable_and_deleting_it_again_is_no_error(spool: Spool) -> None:
    ref = spool.put(b"x")
    spool.delete(ref)
    spool.delete(ref)
    for access in (spool.read, spool.open, spool.size):
        with pytest.raises(Failed) as caught:
            access(ref)
        assert caught.value.code == "unreadable"


@pytest.mark.parametrize(
    "ref", ["spool:../secret", "spool:/etc/passwd", "../secret", "spool:", "", f"spool:{'a' * 16}-{'b' * 32}/../x"]
)
def test_a_reference_never_leads_out_of_the_directory(spool: Spool, ref: str) -> None:
    spool.put(b"x")
    (spool.directory.parent / "secret").write_bytes(b"secret")
    for access in (spool.read, spool.delete, spool.open, spool.size):
        with pytest.raises(Failed):
            access(ref)
    assert (spool.directory.parent / "secret").exists()


def test_a_stream_that_breaks_leaves_nothing(spool: Spool) -> None:
    class Broken(io.RawIOBase):
        asked = 0

        def read(self, size: int = -1) -> bytes:  # noqa: ARG002  # the base class names it
            self.asked += 1
            if self.asked > 1:
                raise OSError(5, "Input/output error")
            return b"first part"

    with pytest.raises(OSError, match="Input/output error"):
        spool.put(Broken())
    assert list(spool.directory.iterdir()) == []


def test_a_spool_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StateError):
        Spool(tmp_path / "file" / "spool").put(b"x")


@pytest.mark.parametrize("size", [100, 5_000, 3 * CHUNK_BYTES])
def test_a_disk_that_takes_no_more_bytes_is_the_spools_fault_and_not_the_documents(spool: Spool, size: int) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, limits[1]))
    try:
        with pytest.raises(StateError, match="spool cannot"):
            spool.put(io.BytesIO(b"x" * size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(spool.directory.iterdir())


def test_old_references_are_listed_for_collection_young_ones_are_not(spool: Spool) -> None:
    assert list(spool.references_older_than(0)) == []
    old, _young = spool.put(b"old"), spool.put(b"young")
    make_old(spool, old.removeprefix("spool:"))
    assert list(spool.references_older_than(3600)) == [old]


def test_what_a_crashed_writer_left_is_no_reference_and_is_removed_when_old(spool: Spool) -> None:
    kept = spool.put(b"whole")
    for name in (".unfinished-old", ".unfinished-young"):
        (spool.directory / name).write_bytes(b"half")
    make_old(spool, ".unfinished-old")
    make_old(spool, kept.removeprefix("spool:"))
    assert list(spool.references_older_than(3600)) == [kept]
    assert spool.remove_unfinished(3600) == 1
    assert sorted(path.name for path in spool.directory.iterdir()) == [".unfinished-young", kept.removeprefix("spool:")]
