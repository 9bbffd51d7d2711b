"""Intake on the real ledger: what the in-memory receiver promises holds there too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from tests.intake_support import moment, settings_for
from worker.config import Settings, Workers
from worker.desk import Desk, SilentBells
from worker.intake.pull import pull_source
from worker.intake.receiver import Receiver
from worker.model import Document, Source


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return msgspec.structs.replace(settings_for(tmp_path, documents=50), workers=Workers(task_seconds=0))


@pytest.fixture
def desk(redis: Redis, server_url: str, settings: Settings) -> Iterator[Desk]:
    assert redis.ping()
    desk = Desk(settings, SilentBells(), server_url)
    yield desk
    desk.close()


def received(desk: Desk) -> list[Document]:
    names: Any = desk.redis.zrange(desk.keys.waiting("received", "news"), 0, -1)
    claims = [desk.ledger.claim(name.decode(), "received") for name in names]
    return [document for claim in claims if claim is not None for document in claim.batch.documents]


@pytest.mark.parametrize("claim", [True, False])
def test_every_line_of_an_interrupted_file_reaches_the_ledger_once(tmp_path: Path, desk: Desk, claim: object) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    lines = [b'{"number":%d}' % number for number in range(120)]
    (drop / "a.jsonl").write_bytes(b"\n".join(lines))
    source = Source(id="drop", kind="directory", path=str(drop), claim=bool(claim))
    receiver: Receiver = desk
    results = [pull_source(source, receiver, desk.settings, desk.spool, moment(60))]
    assert len(desk.recall("drop")) == 1
    while results[-1].more:
        results.append(pull_source(source, receiver, desk.settings, desk.spool, moment(60)))
    assert [result.problem for result in results if result.problem] == []
    assert sorted(document.member for document in received(desk) if isinstance(document.member, int)) == list(
        range(120)
    )
    assert (drop / "done" / "a.jsonl").exists() is claim
    assert len(desk.recall("drop")) == (0 if claim else 1)


def test_a_large_file_is_held_by_the_ledger(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "big.txt").write_bytes(b"x" * 4000)
    source = Source(id="drop", kind="directory", path=str(tmp_path / "drop"))
    pull_source(source, desk, desk.settings, desk.spool, moment())
    (document,) = received(desk)
    assert document.content_ref is not None
    assert desk.ledger.holds(document.content_ref)
    assert desk.read(document) == b"x" * 4000
