"""Containers on their way in: read piece by piece, resumed, and nothing lost without a word."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis import Redis

from tests import desk_support
from tests.intake_support import moment, settings_for
from worker.config import Limits
from worker.intake.containers import Piece, read_documents
from worker.intake.lines import Position
from worker.model import Document, Refusal, Source
from worker.operate.parse_files import parse_paths
from worker.parse.document import parse_document
from worker.state.letters import Filter
from worker.state.spool import Spool

SOURCE = Source(id="box", kind="push")
LINES = b"".join(b'{"headline": "Number %d", "body": "Text."}\n' % number for number in range(200))


def pieces(path: Path, base: Path, start: Position | None = None, **limits: int) -> list[Piece]:
    settings = replace(settings_for(base), limits=Limits(**{"inline_bytes": 1000, "document_bytes": 5000, **limits}))
    return list(read_documents(path, SOURCE, settings, Spool(base / "spool"), moment(), start=start))


def documents(path: Path, base: Path, **limits: int) -> list[Document]:
    return [piece.document for piece in pieces(path, base, None, **limits)]


def test_a_container_may_be_larger_than_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES, 0))
    found = documents(path, tmp_path)
    assert path.stat().st_size > 5000
    assert [document.member for document in found] == list(range(200))
    assert json.loads(found[-1].content or b"")["headline"] == "Number 199"


def test_reading_goes_on_behind_any_member(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.bz2"
    path.write_bytes(bz2.compress(LINES))
    first = pieces(path, tmp_path)
    again = pieces(path, tmp_path, start=first[122].position)
    assert [piece.document.member for piece in again] == list(range(123, 200))
    assert again[-1].last


def test_a_large_array_is_taken_object_by_object_and_goes_on_behind_any(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"headline": f"Number {number}", "body": "Text. " * 600} for number in range(300)]))

    first = pieces(path, tmp_path)
    again = pieces(path, tmp_path, start=first[122].position)

    assert [piece.document.member for piece in first] == list(range(300))
    assert [piece.document.member for piece in again] == list(range(123, 300))


def test_large_members_travel_through_the_spool(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small.txt", "Kiln\n\nText.")
        archive.writestr("large.txt", "Kiln\n\n" + "Text. " * 500)
        archive.writestr("too_large.txt", "Kiln\n\n" + "Text. " * 5000)
    small, large, refused = documents(path, tmp_path)
    assert small.content == b"Kiln\n\nText."
    assert large.content is None
    assert Spool(tmp_path / "spool").read(large.content_ref or "").startswith(b"Kiln")
    assert refused.refused is not None
    assert (refused.refused.code, refused.member) == ("too_large", "too_large.txt")


@pytest.mark.parametrize("size", [500, 20_000])
def test_what_a_cut_container_lost_is_a_document_with_its_bytes(tmp_path: Path, size: int) -> None:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = size
        archive.addfile(info, io.BytesIO(b"Kiln\n\nText. " * (size // 10)))
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(target.getvalue(), 0)[: size // 2 + 300])
    found = documents(path, tmp_path)
    lost = found[-1]
    content = lost.content if lost.content is not None else Spool(tmp_path / "spool").read(lost.content_ref or "")
    assert content == path.read_bytes()
    (refusal,) = parse_document(lost, content)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "truncated_container"


def test_a_container_without_documents_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w"):
        pass
    (document,) = documents(path, tmp_path)
    assert [getattr(item, "code", None) for item in parse_document(document, document.content or b"")] == [
        "empty_container"
    ]


def test_the_limits_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES))
    found = documents(path, tmp_path, members=10)
    assert [document.refused.code for document in found if document.refused] == ["too_many_members"]
    assert len(found) == 10


def test_the_parse_command_opens_what_intake_opens(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES)[:-50])
    found = [(line["member"], line["reason"]) for line in parse_paths([tmp_path])]
    assert found[0] == (0, None)
    assert found[-1] == (None, "truncated_container")


def test_a_cut_container_balances_and_keeps_its_bytes(redis: Redis, server_url: str, tmp_path: Path) -> None:
    assert redis.ping()
    drop = tmp_path / "drop"
    drop.mkdir()
    texts = "".join(
        json.dumps({"id": str(n), "headline": f"Story {n}", "body": desk_support.text_article(n)}) + "\n"
        for n in range(9)
    )
    whole = gzip.compress(texts.encode(), 0)
    (drop / "a.jsonl.gz").write_bytes(whole[:-1200])
    settings = desk_support.settings_for(tmp_path, {"COPYDESK_LIMITS_DOCUMENT_BYTES": "1000"})
    with desk_support.open_office(server_url, settings) as office:
        office.ingest(drop)
        (lost,) = [letter for letter in office.desk.letters.find(Filter()) if letter.code == "truncated_container"]
        assert office.desk.read(lost.document) == whole[:-1200]
        assert office.verdicts()["stored"] >= 5
        office.store()
        assert office.reconcile().balanced
