"""Large JSON arrays: every object a document of its own, whatever their number."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.model import Article, Document, Refusal
from worker.parse.containers import ContainerLimits, open_container
from worker.parse.document import parse_document
from worker.parse.open_json_array import LARGE_BYTES, open_json_array
from worker.parse.unpacking import Budget

LONG = 'Said "so" [twice] {thrice} \\ in Łódź. ' * 600


def document(name: str = "a.json", **facts: Any) -> Document:
    return Document(source_id="test", origin=name, received_at=datetime(2025, 6, 1, tzinfo=UTC), **facts)


def objects(number: int = 60) -> list[dict[str, Any]]:
    return [{"id": f"n{index}", "title": f"Headline {index}", "body": f"{index}. {LONG}"} for index in range(number)]


def members(content: bytes, container: Document | None = None, **limits: int) -> list[Document]:
    found = open_container(container or document(), io.BytesIO(content), ContainerLimits(**limits))
    assert found is not None
    return list(found)


def parsed(content: bytes, container: Document | None = None) -> list[Article | Refusal]:
    return [item for one in members(content, container) for item in parse_document(one, one.content or b"")]


def read(items: list[Article | Refusal]) -> list[tuple[int | str | None, str | None]]:
    return [(item.member, item.guid if isinstance(item, Article) else item.code) for item in items]


EXPECTED = [(index, f"n{index}") for index in range(60)]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "wrap", [lambda nodes: nodes, lambda nodes: {"status": "ok", "tags": ["a", {}], "articles": nodes, "next": None}]
)
def test_each_object_of_a_large_list_is_a_document_as_if_read_at_once(indent: int | None, wrap: Any) -> None:
    content = json.dumps(wrap(objects()), indent=indent, ensure_ascii=False).encode()

    found = parsed(content)

    assert read(found) == EXPECTED
    assert found == parse_document(document(), content)


def test_a_small_list_is_no_container() -> None:
    small = json.dumps(objects(2)).encode()

    assert open_container(document(), small) is None
    assert read(parse_document(document(), small)) == EXPECTED[:2]


@pytest.mark.parametrize(
    "value",
    [
        {"headline": "One", "body": LONG * 60, "related": objects(3)},
        {"headline": "One", "body": LONG, "related": objects()},
        [[1, 2, 3] * 200_000],
        [{"type": "Feature", "coordinates": [1, 2]}, *objects()],
        {"numbers": [1] * 400_000, "rows": [{"a": 1}]},
    ],
)
def test_what_is_no_list_of_articles_is_read_at_once(value: Any) -> None:
    content = json.dumps(value).encode()

    assert len(content) > LARGE_BYTES
    assert open_container(document(), content) is None


def test_a_list_that_ends_early_gives_what_is_whole_and_says_what_was_lost() -> None:
    content = json.dumps(objects()).encode()

    found = members(content[: -LARGE_BYTES // 8])

    whole = len(found) - 1
    assert [one.member for one in found] == [*range(whole), None]
    assert found[-1].refused is not None
    assert found[-1].refused.code == "truncated_container"
    assert f"after {whole} objects" in found[-1].refused.detail


def test_text_behind_the_list_is_told() -> None:
    found = members(json.dumps(objects()).encode() + b"<!-- served in 3 ms -->")

    assert len(found) == 61
    assert found[-1].refused is not None


def test_a_damaged_object_costs_itself_only() -> None:
    content = json.dumps(objects()).encode().replace(b'"id": "n7"', b'"id": n7')

    assert read(parsed(content)) == [*EXPECTED[:7], (7, "malformed_json"), *EXPECTED[8:]]


def test_what_is_not_an_object_is_passed_over_uncounted() -> None:
    content = json.dumps([None, 1.5, "x", ["y"], *objects()]).encode()

    assert read(parsed(content)) == EXPECTED


def test_an_object_above_the_limit_of_a_member_ends_the_list() -> None:
    nodes = objects()
    nodes[3]["body"] = LONG * 20

    found = members(json.dumps(nodes).encode(), member_bytes=300_000)

    assert [(one.member, one.refused.code if one.refused else None) for one in found] == [
        (0, None),
        (1, None),
        (2, None),
        (None, "too_large"),
    ]


def test_the_number_of_members_has_the_limit_of_all_containers() -> None:
    found = members(json.dumps(objects()).encode(), members=5)

    assert [one.refused.code if one.refused else None for one in found] == [None] * 5 + ["too_many_members"]


def test_a_packed_list_is_opened_too() -> None:
    packed = gzip.compress(json.dumps(objects()).encode())

    assert [one.member for one in members(packed, document("a.json.gz"))] == list(range(60))


def test_a_map_of_fields_says_what_an_article_is() -> None:
    mapped = document(fields={"headline": "data.name", "body_text": "data.said"})
    nodes = [{"data": {"name": f"N{index}", "said": LONG}} for index in range(60)]

    found = parsed(json.dumps({"rows": nodes}).encode(), mapped)

    assert [item.headline for item in found if isinstance(item, Article)] == [f"N{index}" for index in range(60)]


def test_a_letter_of_one_object_is_replayed_from_its_own_bytes() -> None:
    (seventh,) = [one for one in members(json.dumps(objects()).encode()) if one.member == 7]

    again = parse_document(msgspec.structs.replace(seventh, only_member=7), seventh.content or b"")

    assert read(again) == [(7, "n7")]


def test_a_letter_from_before_large_lists_were_containers_is_replayed_too() -> None:
    whole = document(only_member=7)

    assert read(parse_document(whole, json.dumps(objects()).encode())) == [(7, "n7")]


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text('ab"\\[]{},: é\n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab"]}\\'), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(VALUES, max_size=5), VALUES, st.booleans(), st.floats(0, 1))
def test_objects_come_as_they_are_wherever_the_list_is_cut(
    others: list[Any],
    more: Any,
    wrapped: bool,  # noqa: FBT001
    where: float,
) -> None:
    nodes = [{"title": "T", "body": "B"}, *others]
    content = json.dumps({"a": more, "list": nodes, "z": more} if wrapped else nodes, ensure_ascii=False).encode()
    wanted = [node for node in nodes if isinstance(node, dict)]
    assert taken(content) == (wanted, None)

    found, code = taken(content[: int(where * (len(content) - 1))])
    assert found == wanted[: len(found)]
    assert code == "truncated_container"


def taken(content: bytes) -> tuple[list[Any], str | None]:
    """The objects of a list, and the code of what was lost."""
    found: list[Any] = []
    try:
        parts = open_json_array(document(), io.BytesIO(content), Budget(ContainerLimits()))
        found.extend(json.loads(b"".join(part.pieces)) for part in parts)
    except Rejected as error:
        return found, error.code
    return found, None
