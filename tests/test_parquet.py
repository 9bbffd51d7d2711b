"""Parquet files: each row a document, within limits, whatever is wrong with the file."""

from __future__ import annotations

import io
import random
import sys
import zipfile
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from worker.model import Article, Document, Refusal
from worker.parse.containers import ContainerLimits, open_container
from worker.parse.document import parse_document

ROWS = [
    {
        "title": f"Ward {number} votes",
        "text": f"Ward {number} voted on Tuesday.\n\nThe bridge stays.",
        "published": datetime(2026, 5, 5, 10, number % 60),  # noqa: DTZ001 - as tables have them
        "authors": [{"name": "Ann Marsh"}],
        "raw": b"\xff\x00",
        "score": float("nan"),
    }
    for number in range(150)
]


def parquet(rows: list[dict[str, Any]], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, **options)
    return sink.getvalue()


def document(**facts: Any) -> Document:
    return Document(source_id="t", origin="a.parquet", received_at=datetime(2026, 6, 1, tzinfo=UTC), **facts)


def members(content: bytes, **limits: float) -> list[Document]:
    found = open_container(document(), content, ContainerLimits(**limits))  # type: ignore[arg-type]
    assert found is not None
    return list(found)


def codes(found: list[Document]) -> list[str | None]:
    return [member.refused.code if member.refused else None for member in found]


def only_refusal(found: list[Article | Refusal]) -> Refusal:
    (refusal,) = found
    assert isinstance(refusal, Refusal)
    return refusal


def test_each_row_is_an_article() -> None:
    found = parse_document(document(timezone="Europe/Vienna"), parquet(ROWS, row_group_size=40))
    assert [item.member for item in found] == list(range(150))
    article = found[77]
    assert isinstance(article, Article)
    assert article.headline == "Ward 77 votes"
    assert article.body_text == "Ward 77 voted on Tuesday.\n\nThe bridge stays."
    assert article.published_at == datetime(2026, 5, 5, 8, 17, tzinfo=UTC)
    assert [person.name for person in article.authors] == ["Ann Marsh"]


def test_columns_are_found_by_the_source_s_map() -> None:
    rows: list[dict[str, Any]]
    rows = [{"meta": {"kop": "Brug open"}, "inhoud": b"De brug is open.", "nr": 7}, {"meta": None, "inhoud": None}]
    fields = {"headline": "meta.kop", "body_text": "inhoud", "guid": "nr"}
    first, second = parse_document(document(fields=fields), parquet(rows))
    assert isinstance(first, Article)
    assert (first.headline, first.body_text, first.guid) == ("Brug open", "De brug is open.", "7")
    assert isinstance(second, Refusal)
    assert (second.code, second.member) == ("no_article", 1)


def test_a_table_of_other_things_is_refused() -> None:
    assert only_refusal(parse_document(document(), parquet([{"x": 1}]))).code == "unsupported_format"


def test_without_rows_there_is_nothing() -> None:
    empty = parquet(ROWS[:1])
    table = pq.read_table(io.BytesIO(empty)).slice(0, 0)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    assert only_refusal(parse_document(document(), sink.getvalue())).code == "empty_container"


def test_rows_inside_an_archive() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("day.parquet", parquet(ROWS[:3]))
    assert [member.member for member in members(packed.getvalue())] == [f"day.parquet/{number}" for number in range(3)]
    assert codes(members(packed.getvalue(), member_bytes=100)) == ["too_large"]


def test_a_truncated_file_says_so() -> None:
    whole = parquet(ROWS)
    for content in (whole[:-200], whole[: len(whole) // 2], whole[:12], b"PAR1"):
        refusal = only_refusal(parse_document(document(), content))
        assert (refusal.verdict, refusal.code) == ("rejected", "truncated_container")


def test_rows_before_the_damage_are_kept() -> None:
    whole = bytearray(parquet(ROWS, row_group_size=50, compression="NONE", use_dictionary=False))
    start = whole.index(b"Ward 120 votes") - 400
    whole[start : start + 300] = b"\xff" * 300
    found = codes(members(bytes(whole)))
    assert found[:100] == [None] * 100
    assert found[-1] == "truncated_container"


def test_what_unpacks_too_far_is_stopped() -> None:
    rows = [{"title": "Same", "text": "x" * 100_000}] * 1_000
    found = codes(members(parquet(rows, compression="ZSTD")))
    assert found[-1] == "expansion_limit"
    assert len(found) < 1_000
    assert codes(members(parquet(ROWS), total_bytes=2_000))[-1] == "expansion_limit"
    assert codes(members(parquet(ROWS), members=10)) == [*[None] * 10, "too_many_members"]


def test_without_pyarrow_the_refusal_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    content = parquet(ROWS[:1])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refusal = only_refusal(parse_document(document(), content))
    assert refusal.code == "unsupported_format"
    assert "copydesk[parquet]" in refusal.detail


def test_damage_anywhere_gives_documents_or_refusals() -> None:
    whole = parquet(ROWS[:20])
    chance = random.Random(7)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            damaged[chance.randrange(4, len(damaged))] = chance.randrange(256)
        for item in parse_document(document(), bytes(damaged)):
            assert isinstance(item, Article) or item.verdict == "rejected", item
