"""Families that are corrected by hand: the storage queue tells it, and what is stored follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from redis import Redis

from tests.dedupe_support import Desk, text
from tests.desk_support import Office, office_fixture
from tests.store_entries import entry
from tests.test_cli_dedupe import HARBOUR
from tests.test_dedupe_index import STORY, near, story
from tests.test_explain_copies import NEAR, article, ingest
from worker.events import FamilyChange
from worker.model import Record
from worker.operate import dead
from worker.operate.explain import explain
from worker.operate.families import merge, resolve, show, split
from worker.state import families as state_families
from worker.state.families import Families
from worker.state.letters import Filter
from worker.store.schema import family_schema

SCHEMA = Path(__file__).parent.parent / "docs" / "family.schema.json"

office = office_fixture()


@pytest.fixture
def desk(redis: Redis, tmp_path: Path) -> Desk:
    return Desk(redis, tmp_path)


def told(desk: Desk) -> list[FamilyChange]:
    rows = (row for row in desk.stream() if row["event"] == b"family")
    changes = [(row["id"].decode(), msgspec.json.decode(row["family"], type=FamilyChange)) for row in rows]
    assert all(name == change.family_id for name, change in changes)
    return [change for _, change in changes]


def relations(change: FamilyChange) -> dict[str, str | None]:
    return {member.id: member.relation for member in change.members}


def test_a_correction_is_told_with_all_whom_it_concerns(redis: Redis, tmp_path: Path) -> None:
    desk = Desk(redis, tmp_path, policy="tag")
    desk.push(story(), source="a")
    desk.push(near("1"), source="b")
    desk.push(near("2", body_text=STORY + " more"), source="c")
    head, one, two = (record.id for record in desk.records())
    relation = desk.records()[2].relation
    families = Families(desk.redis, desk.settings)
    families.split(head)
    alone, others = told(desk)
    assert (alone.family_id, alone.head_id, relations(alone)) == (head, head, {head: None})
    assert others.family_id == others.head_id
    assert relations(others) == {others.family_id: None, ({one, two} - {others.family_id}).pop(): relation}
    families.merge(head, one)
    joined = told(desk)[-1]
    assert (joined.family_id, joined.head_id, set(relations(joined))) == (head, head, {head, one, two})


def test_what_changes_nothing_is_not_told(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(near(), source="b")
    (head,), (copy,) = desk.records(), (sighting.copy for sighting in desk.sightings())
    assert copy is not None
    families = Families(desk.redis, desk.settings)
    before = families.show(head.id)
    families.merge(head.id, head.id)
    families.promote(head.id, copy, [])
    assert families.split(copy.id) == families.show(copy.id) == before, "it cannot stand alone without its record"
    assert told(desk) == []


def test_a_large_family_is_told_in_several_entries(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_families, "TOLD_AT_ONCE", 2)
    desk.push(story(), source="a")
    for number in range(3):
        desk.push(near(str(number), body_text=f"{STORY} more{number}"), source=f"s{number}")
    desk.push(*[story("other", body_text=" ".join(f"other{number}" for number in range(90)))], source="z")
    head, other = (record.id for record in desk.records())
    family = Families(desk.redis, desk.settings).merge(other, head)
    assert family is not None
    assert [len(change.members) for change in told(desk)] == [2, 2, 1]
    members = {member.id for change in told(desk) for member in change.members}
    assert members == {member.record_id for member in family.members}


def rows_of(office: Office, record_id: str) -> set[tuple[str | None, str | None, str | None]]:
    return {(row.family_id, row.relation, row.matched_id) for row in office.sink.versions(record_id)}


def test_stored_rows_follow_and_every_look_agrees(office: Office, tmp_path: Path) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    ingest(office, tmp_path / "near.jsonl", "b", article("b", NEAR), policy="tag")
    head, copy = (resolve(office.sink, f"https://{name}.example/a") for name in "ab")
    ((family, relation, matched),) = rows_of(office, copy)
    assert (family, matched) == (head, head)
    assert relation

    split(office.desk, office.sink, copy)
    later = article("b", f"{NEAR} The port opens in May.") | {"updated_at": "2099-01-01T00:00:00Z"}
    ingest(office, tmp_path / "later.jsonl", "b", later, policy="tag")
    assert len(office.sink.versions(copy)) == 2
    assert rows_of(office, copy) == {(copy, None, None)}

    merge(office.desk, office.sink, head, copy)
    office.store()
    for record_id in (head, copy):
        shown = show(office.desk, office.sink, record_id)
        assert shown is not None
        assert shown["family_id"] == head
        assert {row["id"] for row in shown["members"]} == {head, copy}
        assert {row["family_id"] for row in explain(office.desk, office.sink, record_id)["records"]} == {head}
    assert office.reconcile().balanced


def test_a_dropped_copy_that_stands_alone_is_known_by_its_url_too(office: Office, tmp_path: Path) -> None:
    ingest(office, tmp_path / "first.jsonl", "a", article("a", HARBOUR))
    ingest(office, tmp_path / "near.jsonl", "b", article("b", NEAR))
    copy = resolve(office.sink, "https://b.example/a")
    split(office.desk, office.sink, copy)
    office.store()
    nameless: dict[str, Any] = article("b", f"{NEAR} The port opens in May.") | {"updated_at": "2099-01-01T00:00:00Z"}
    del nameless["guid"]
    ingest(office, tmp_path / "later.jsonl", "b", nameless)
    assert [row.version for row in office.sink.versions(copy)] == [1, 2]


def test_a_refused_record_is_replayed_with_its_place_in_the_order(office: Office) -> None:
    fields = {"event": "create", "id": "a", "version": 1, "record": b'{"id": "a"}'}
    for sent in ("5-1", "6-1"):
        (refused,) = office.sink.write([entry(fields, sent)]).refused
        dead.bury_refused(office.desk, refused.entry, refused.reason)
        letter = next(one for one in office.desk.letters.find(Filter()) if one.id.endswith("5-1"))
        assert dead.replay(office.desk, [letter]) == 1
        rows: Any = office.desk.redis.xrange(office.desk.keys.stream)
        ((_, again),) = rows
        assert again[b"first_entry"] == b"5-1"
        office.desk.redis.delete(office.desk.keys.stream)
        fields = {name.decode(): value for name, value in again.items()}


def test_what_is_sent_obeys_the_published_schema(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(near(), source="b")
    (head,), (copy,) = desk.records(), (sighting.copy for sighting in desk.sightings())
    assert copy is not None
    Families(desk.redis, desk.settings).split(copy.id, copy)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema == json.loads(json.dumps(family_schema())), "run the command in docs/storage-queue.md"
    sent = [json.loads(row["family"]) for row in desk.stream() if row["event"] == b"family"]
    assert [one["members"][0]["id"] for one in sent] == [copy.id, head.id]
    for one in sent:
        jsonschema.Draft202012Validator(schema).validate(one)


def dropped_and_published(desk: Desk) -> tuple[Record, Record]:
    """A story, and a near copy of it that was dropped and later published with another text (as it was kept)."""
    desk.push(story(), source="a")
    desk.push(near(), source="b")
    assert desk.push(near(body_text=text(9)), source="b") == ("stored",)
    (copy,) = (sighting.copy for sighting in desk.sightings())
    assert copy is not None
    return desk.records()[0], copy


def test_a_dropped_copy_that_became_a_record_is_not_published_again(desk: Desk) -> None:
    head, copy = dropped_and_published(desk)
    desk.push(story(withdrawn=True), source="a")
    families = Families(desk.redis, desk.settings)
    family = families.promote(head.id, copy, [])
    assert family is not None
    assert (family.head_id, [member.record_id for member in family.members]) == (None, [head.id])
    assert [record.id for record in desk.records()].count(copy.id) == 1


def test_a_dropped_copy_that_became_a_record_keeps_its_name(redis: Redis, tmp_path: Path, desk: Desk) -> None:
    head, copy = dropped_and_published(desk)
    Desk(redis, tmp_path, policy="tag").push(near("other", body_text=f"{STORY} more"), source="c")
    Families(desk.redis, desk.settings).split(head.id)
    assert desk.push(near(body_text=text(8)), source="b") == ("updated",)
    assert [(record.id, record.version) for record in desk.records()][-1] == (copy.id, 2)


def test_a_dropped_copy_that_came_with_several_texts_is_one_member(desk: Desk) -> None:
    desk.push(story(), source="a")
    for words in (190, 180):
        assert desk.push(near(body_text=" ".join(STORY.split()[:words])), source="b") == ("near_duplicate",)
    (head,), (*_, newest) = desk.records(), (sighting.copy for sighting in desk.sightings())
    assert newest is not None
    families = Families(desk.redis, desk.settings)
    family = families.show(head.id)
    assert family is not None
    assert [member.record_id for member in family.members] == [head.id, newest.id]
    alone = families.split(newest.id, newest)
    assert alone is not None
    assert [(member.record_id, member.version) for member in alone.members] == [(newest.id, 1)]
    assert [relations(change) for change in told(desk)] == [{newest.id: None}, {head.id: None}]
