"""Every key on the server is declared: permanent and bounded, or with an end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.desk_support import (
    Office,
    document,
    office_fixture,
    open_office,
    receive,
    settings_for,
    spooled,
    text_article,
)
from worker import pipeline
from worker.model import Source
from worker.operate.dead import purge, replay
from worker.state.keys import EXPIRING, PERMANENT, Keys
from worker.state.preflight import confirms_too_soon
from worker.state.pulses import Pulses

LARGE = {"COPYDESK_LIMITS_INLINE_BYTES": "2000", "COPYDESK_BATCHES_DOCUMENTS": "3"}
BOUNDED_BY_WORK = ("batch", "waiting", "due", "spool")


office = office_fixture(LARGE)


def run_everything(office: Office, base: Path) -> None:
    """Touch every kind of key: files small, large, broken and copied, two lanes, sources, letters, a split."""
    drop = base / "drop"
    drop.mkdir()
    for number in range(5):
        (drop / f"{number}.txt").write_text(text_article(number, words=60 + 200 * (number % 2)))
    (drop / "copy.txt").write_text(text_article(0))
    (drop / "row.json").write_text(json.dumps({"id": "r", "headline": "Row", "body": "row by row " * 20}))
    (drop / "again.json").write_text(json.dumps({"id": "r", "headline": "Row", "body": "row on row " * 20}))
    (drop / "empty.txt").write_bytes(b"")
    (drop / "large.bin").write_bytes(bytes(range(256)) * 20)
    office.ingest(drop, lane="backfill")
    office.ingest(drop, source=Source(id="other", kind="push"))
    office.desk.sources.add(Source(id="watched", kind="directory", path=str(drop)))
    pipeline.tick(office.desk)
    office.drain()
    claim = office.desk.ledger.claim(receive(office.desk, document(b"a"), document(b"b")), "received")
    assert claim is not None
    for child in office.desk.ledger.split(claim)[0]:
        office.bells.ring("parse", "news", child)
    office.drain()
    office.desk.memory.file_fresh()
    pipeline.sweep(office.desk)
    office.desk.redis.hset(office.desk.keys.name("paused"), "pull", "a reason")
    office.desk.pauses.pause("lane:backfill", "a reason")
    Pulses(office.desk.settings, office.server_url, "parse", ("parse",)).give()
    office.due_now("watched")
    assert office.desk.sources.pop_due() == ["watched"]
    office.desk.sources.add(Source(id="feed", kind="feed", url="https://feed.example/rss"))
    office.desk.hosts.take(["feed.example"])
    confirms_too_soon(office.desk.redis)
    office.desk.hosts.keep_rules("https://feed.example/robots.txt", b"{}", 60)
    office.desk.sources.add(Source(id="left", kind="feed", url="https://left.example/rss"))
    office.desk.note("left", {"url": "https://left.example/rss"})
    office.desk.sources.remove("left")


def kinds(office: Office) -> dict[str, list[bytes]]:
    """Keys on the server by what stands behind the hash tag; anything else would be a stranger."""
    found: dict[str, list[bytes]] = {}
    prefix = office.desk.keys.name("")
    names: Any = office.desk.redis.keys("*")
    for raw in names:
        name = raw.decode()
        assert name.startswith(prefix), f"{name} is outside the namespace"
        found.setdefault(name.removeprefix(prefix), []).append(raw)
    return found


def is_permanent(name: str) -> bool:
    return any(name == kind or (name.startswith(f"{kind}:") and kind != "counts") for kind in PERMANENT)


def is_expiring(name: str) -> bool:
    shapes = {
        "<source>": r".+",
        "<day>": r"\d{4}-\d\d-\d\d",
        "<minute>": r"\d+",
        "<generation>": r"g\d+",
        "<batch>": r"[nb][0-9a-f]{24}",
    }
    shapes |= {"<host>": r"[a-z0-9.:-]+", "<process>": r"\S+", "<url>": r"\S+"}
    for declared in EXPIRING:
        kind, _, variable = declared.partition(":")
        if re.fullmatch(f"{kind}:{shapes[variable]}" if variable else kind, name):
            return True
    return False


def test_every_key_is_declared_and_those_that_must_end_do(office: Office, tmp_path: Path) -> None:
    run_everything(office, tmp_path)
    found = kinds(office)
    strangers = [name for name in found if is_permanent(name) == is_expiring(name)]
    assert strangers == []
    for name, raws in found.items():
        for raw in raws:
            ends = office.desk.redis.ttl(raw)
            assert (ends == -1) if is_permanent(name) else (ends > 0), f"{name} ends in {ends}"


def test_every_declared_kind_is_one_that_exists(office: Office, tmp_path: Path) -> None:
    run_everything(office, tmp_path)
    receive(office.desk, document())
    receive(office.desk, spooled(office.desk, b"x"))
    found = kinds(office)
    for declared in (*PERMANENT, *EXPIRING):
        kind = declared.partition("<")[0]
        assert any(name == kind or name.startswith(kind) for name in found), f"nothing uses {declared}"


def test_a_settled_system_holds_no_work(office: Office, tmp_path: Path) -> None:
    run_everything(office, tmp_path)
    office.store()
    letters = list(office.desk.letters.find())
    large = [letter for letter in letters if letter.document.content_ref]
    assert large, "a letter about a large document holds its bytes"
    assert replay(office.desk, large[:1]) == 1
    office.drain()
    purge(office.desk, office.desk.letters.find())
    left = [name for name in kinds(office) if name.partition(":")[0] in (*BOUNDED_BY_WORK, "letter", "letters")]
    assert left == []
    assert list(office.desk.spool.directory.iterdir()) == []
    in_flight: Any = office.desk.redis.hgetall(office.desk.keys.name("in_flight"))
    assert {int(value) for value in in_flight.values()} == {0}
    assert office.desk.redis.xlen(office.desk.keys.stream) == 0
    assert office.reconcile().balanced


def test_all_keys_of_a_namespace_share_one_slot() -> None:
    keys = Keys("paper")
    names = [
        keys.batch("n1"),
        keys.waiting("received", "news"),
        keys.stream,
        keys.events,
        keys.minute(),
        keys.poll("a"),
    ]
    assert {re.search(r"\{(.*?)\}", name)[1] for name in names} == {"paper"}  # type: ignore[index]  # each has a tag


def test_two_namespaces_on_one_server_do_not_meet(office: Office, server_url: str, tmp_path: Path) -> None:
    other = settings_for(tmp_path / "other", {"COPYDESK_STATE_NAMESPACE": "other"})
    path = tmp_path / "a.txt"
    path.write_text(text_article(1))
    with open_office(server_url, other) as neighbour:
        office.ingest(path)
        neighbour.ingest(path)
        assert office.verdicts() == neighbour.verdicts() == {"stored": 1}
        assert len(neighbour.queued()) == 1
