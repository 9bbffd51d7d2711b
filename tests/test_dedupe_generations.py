"""What is remembered moves on from generation to generation, whole, as long as it is met."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from tests.dedupe_support import NOW, Desk, article, text
from tests.test_dedupe_windows import assert_sound, family
from tests.test_dedupe_windows import story as near
from worker.model import Article
from worker.state.families import Families


@pytest.fixture
def desk(redis: Redis, tmp_path: Path) -> Desk:
    return Desk(redis, tmp_path)


@pytest.fixture
def make_desk(redis: Redis, tmp_path: Path) -> Callable[..., Desk]:
    return lambda **dedupe: Desk(redis, tmp_path, **dedupe)


def test_what_is_found_moves_on_with_its_family(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(near("a", 200), source="a")
    desk.push(near("b", 190), source="b")
    head = desk.records()[0].id
    for number in range(4):
        desk.age()
        assert desk.push(near(f"later{number}", 189 - number), source="c") == ("near_duplicate",)
        assert desk.records()[-1].family_id == head
    assert family(desk, head).head_id == head
    assert_sound(desk)


def test_a_withdrawn_head_is_followed_by_a_member_that_did_not_move_yet(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(near("a", 200), source="a")
    desk.push(near("b", 190), source="b")
    head, heir = desk.records()
    desk.age()
    desk.push(near("a", 200, withdrawn=True), source="a", at=NOW + timedelta(hours=1))
    assert family(desk, head.id).head_id == heir.id


def test_versions_go_on_over_generations(desk: Desk) -> None:
    for number in range(4):
        desk.age()
        desk.push(article(guid="g", body_text=text(number)), at=NOW + timedelta(hours=number))
    assert [record.version for record in desk.records()] == [1, 2, 3, 4]
    again = desk.push(article(guid="g", body_text=text(1)), at=NOW + timedelta(days=1))
    assert again == ("duplicate",), "its earlier texts moved on with it"
    desk.age()
    desk.age()
    assert desk.push(article(guid="g", body_text=text(3)), at=NOW + timedelta(days=2)) == ("stored",), "forgotten"


@pytest.mark.parametrize("words", [14, 80])
def test_an_exact_copy_is_known_as_long_as_its_text_is_met(make_desk: Callable[..., Desk], words: int) -> None:
    desk = make_desk(policy="tag")
    bodies = [" ".join(text(number).split()[:words]) for number in range(2)]
    for number in range(4):
        own, copy = article(guid="a", body_text=bodies[0]), article(guid=f"copy{number}", body_text=bodies[1])
        expected = "duplicate" if number else "stored"
        assert desk.push(own, source="a") == (expected,), "its own article"
        assert desk.push(copy, source=f"b{number}") == (expected,), "a copy of another source"
        desk.age()
    assert desk.push(article(guid="c", body_text=bodies[0]), source="c") == ("duplicate",)
    assert_sound(desk)


def test_a_look_at_a_family_hides_nothing_from_copies(desk: Desk) -> None:
    desk.push(near("a"), source="a")
    desk.age()
    family(desk, desk.records()[0].id)
    assert desk.push(near("a"), source="a") == ("duplicate",)
    desk.age()
    assert desk.push(near("b", 190), source="b") == ("near_duplicate",)


def test_members_of_a_family_whose_forgotten_head_moved_on_get_another(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(near("a"), source="a")
    desk.push(near("b", 197), source="b")
    desk.push(near("c", 194), source="c")
    root, head, other = (record.id for record in desk.records())
    desk.push(near("a", withdrawn=True), source="a")
    assert family(desk, root).head_id == head
    desk.memory.forget_source("b")
    desk.age()
    assert family(desk, root).head_id == other


def test_a_member_that_comes_later_leads_a_family_whose_forgotten_root_came_alone(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(policy="tag")
    others = {"b": near("b", 197), "c": near("c", 194)}
    desk.push(near("a"), source="a")
    for source, one in others.items():
        desk.push(one, source=source)
    desk.memory.forget_source("a")
    for _ in range(2):
        desk.age()
        assert [desk.push(one, source=source) for source, one in others.items()] == [("duplicate",)] * 2
    desk.age()
    assert desk.push(near("b", withdrawn=True), source="b") == ("updated",)
    assert desk.push(others["c"], source="c") == ("duplicate",)
    left = desk.records()[2].id
    assert family(desk, left).head_id == left


def test_a_member_left_behind_follows_a_merge(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    others = {"b": near("b", 197), "c": near("c", 194)}
    desk.push(near("a"), source="a")
    for source, one in others.items():
        desk.push(one, source=source)
    desk.push(article(guid="other", body_text=text(1)), source="o")
    *_, left, other = (record.id for record in desk.records())
    desk.memory.forget_source("a")
    for source in ("bc", "b"):
        desk.age()
        assert [desk.push(others[name], source=name) for name in source] == [("duplicate",)] * len(source)
        desk.push(article(guid="other", body_text=text(1)), source="o")
    assert Families(desk.redis, desk.settings).merge(other, desk.records()[1].id)
    assert family(desk, left).family_id == other


def test_earlier_texts_expire_with_their_generation(desk: Desk) -> None:
    def version(words: int, hour: int) -> Article:
        return near("a", words, updated_at=NOW + timedelta(hours=hour))

    desk.push(version(200, 0), version(150, 1), source="a")
    desk.age()
    assert desk.push(near("b", 150), source="b") == ("duplicate",), "the record moves on"
    assert desk.push(version(200, 0), near("a", 200), source="a") == ("duplicate", "duplicate"), "its texts follow"
    assert all(desk.redis.ttl(key) > 0 for key in desk.redis.scan_iter("*:g*"))


def test_a_clock_that_is_stepped_back_into_the_generation_before_costs_only_memory(desk: Desk) -> None:
    ours, others = article(guid="a", body_text=text(1)), article(guid="b", body_text=text(2))
    desk.push(ours, others)
    desk.age()
    assert desk.push(others, ours) == ("duplicate", "duplicate"), "they moved on, in another order"
    desk.step_back()
    assert desk.push(ours, others) == ("stored", "stored")
    assert desk.push(ours, others) == ("duplicate", "duplicate")


def test_a_copy_under_its_record_s_address_takes_no_name_from_it(desk: Desk) -> None:
    place, other = "https://a.example/story", "https://a.example/again"
    assert desk.push(article(canonical_url=place)) == ("stored",)
    for url in (other, place):
        assert desk.push(article(guid="copy", canonical_url=url)) == ("duplicate",)
    assert desk.push(article(canonical_url=place, body_text=text(1)), at=NOW + timedelta(hours=1)) == ("updated",)
