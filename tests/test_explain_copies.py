"""Evidence of copies: each verdict is explained by path, by URL and by id, each with its own text."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.desk_support import Office, document, office_fixture, receive
from tests.test_cli_dedupe import HARBOUR, ORCHARD
from worker.errors import Failed
from worker.model import Source
from worker.operate import dedupe_files
from worker.operate.dedupe_files import BadLine, read_records
from worker.operate.explain import explain
from worker.operate.families import resolve, show, split
from worker.state.receipts import today

office = office_fixture()
NEAR = HARBOUR.replace("corroded", "rusted")


def ingest(office: Office, path: Path, source: str, *rows: dict[str, Any], policy: Any = None) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    office.ingest(path, source=Source(id=source, kind="push", dedupe_policy=policy))
    office.store()


def article(name: str, body: str) -> dict[str, str]:
    return {"guid": name, "url": f"https://{name}.example/a", "headline": f"Headline of {name}", "body_text": body}


def test_each_copy_of_a_file_is_explained_with_its_own_text(office: Office, tmp_path: Path) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    pair = [article("b", f"ELN (Agency) - {HARBOUR}\n\n(Reporting by Quill)"), article("c", NEAR)]
    ingest(office, tmp_path / "pair.jsonl", "b", *pair)
    receipts = explain(office.desk, office.sink, str(tmp_path / "pair.jsonl"))["receipts"]
    assert [Path(row["place"]).name for row in receipts] == ["pair.jsonl#0", "pair.jsonl#1"]
    own = [" ".join(passage["copy"] for passage in row["passages"]) for row in receipts]
    assert ["Quill" in text for text in own] == [True, False]
    assert ["rusted" in text for text in own] == [False, True]


@pytest.mark.parametrize("policy", ["drop", "tag"])
def test_a_near_copy_is_explained_by_its_url_and_id(office: Office, tmp_path: Path, policy: str) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    ingest(office, tmp_path / "near.jsonl", "b", article("b", NEAR), policy=policy)
    copy_id = resolve(office.sink, "https://b.example/a")
    for name in ("https://b.example/a", copy_id, copy_id[:10]):
        found = explain(office.desk, office.sink, name)
        (receipt,) = (row for row in found["receipts"] if row["verdict"] == "near_duplicate")
        assert receipt["matched_headline"] == "Headline of a"
        assert "containment=" in receipt["evidence"]
        assert any(passage["copy"] == "rusted" for passage in receipt["passages"])
        assert [copy["id"] for copy in found["copies"]] == ([copy_id] if policy == "drop" else [])
    assert resolve(office.sink, copy_id[:10]) == copy_id


def test_what_a_copy_says_itself_outlives_its_receipt(office: Office, tmp_path: Path, redis: Redis) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    ingest(office, tmp_path / "near.jsonl", "b", article("b", NEAR))
    kept = office.desk.keys.day("receipts", today())
    assert redis.delete(kept)
    (receipt,) = explain(office.desk, office.sink, "https://b.example/a")["receipts"]
    assert receipt["similarity"] > 0.5
    assert receipt["matched_headline"] == "Headline of a"
    assert receipt["passages"]


def test_an_exact_copy_is_explained_by_its_url(office: Office, tmp_path: Path) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    ingest(office, tmp_path / "same.jsonl", "b", article("b", HARBOUR))
    found = explain(office.desk, office.sink, "https://b.example/a")
    assert [record["headline"] for record in found["records"]] == ["Headline of a"]
    (receipt,) = found["receipts"]
    assert (receipt["verdict"], receipt["relation"], receipt["passages"]) == ("duplicate", "exact", [])
    head_id = resolve(office.sink, "https://b.example/a")
    family = show(office.desk, office.sink, head_id)
    assert family is not None
    assert (family["head_id"], [seen["source_id"] for seen in family["seen_in"]]) == (head_id, ["b"])


def test_a_dropped_copy_is_a_member_of_the_family_that_it_is_in_now_only(office: Office, tmp_path: Path) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    ingest(office, tmp_path / "tagged.jsonl", "b", article("b", NEAR), policy="tag")
    ingest(office, tmp_path / "dropped.jsonl", "c", article("c", f"ELN (Agency) - {HARBOUR}"))
    first, tagged, dropped = (resolve(office.sink, f"https://{name}.example/a") for name in "abc")
    alone = split(office.desk, office.sink, first)
    others = show(office.desk, office.sink, tagged)
    assert alone is not None
    assert others is not None
    assert [(row["id"], row["state"]) for row in alone["members"]] == [(first, "published"), (dropped, "kept")]
    assert {row["id"]: row["state"] for row in others["members"]} == {tagged: "published", dropped: "dropped"}


def test_an_address_as_long_as_an_id_is_an_address(office: Office, tmp_path: Path) -> None:
    url = "https://gazette.example/bridge-1"
    assert len(url) == 32
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR) | {"url": url})
    assert resolve(office.sink, url) == office.sink.newest(1)[0].id


def test_the_receipt_of_what_stands_in_an_articles_place_now_is_not_the_articles(office: Office) -> None:
    for name, body in (("a", HARBOUR), ("b", ORCHARD)):
        feed = document(json.dumps(article(name, body)).encode(), "https://feed.example/latest")
        office.bells.ring("parse", "news", receive(office.desk, feed))
        office.drain()
        office.store()
    assert explain(office.desk, office.sink, "https://a.example/a")["receipts"] == []
    (receipt,) = explain(office.desk, office.sink, "https://b.example/a")["receipts"]
    assert receipt["verdict"] == "stored"


def test_a_line_that_is_too_long_is_one_bad_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dedupe_files, "LINE_BYTES", 40)
    lines = io.BytesIO(b'{"id": "a"}\n' + b'{"id": "b", "body_text": "' + b"x" * 90 + b'"}\n' + b'{"id": "c"}\n[]\n')
    found = list(read_records(io.BufferedReader(lines)))
    assert [row.number if isinstance(row, BadLine) else row.id for row in found] == ["a", 2, "c", 4]
    assert found[1] == BadLine(2, "longer than 40 bytes")


def test_a_damaged_archive_ends_as_an_unreadable_one() -> None:
    whole = bytearray(gzip.compress(b"".join(b'{"id": "%d"}\n' % n for n in range(4000))))
    whole[200:300] = b"\xff" * 100
    with pytest.raises(Failed) as caught:
        list(read_records(io.BufferedReader(io.BytesIO(whole))))
    assert caught.value.code == "unreadable"
