"""Two windows: what came by the lane `backfill` is remembered for another time, and yet is one memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from tests.dedupe_support import NOW, Desk, article, text
from worker.model import Article, Lane
from worker.state.counters import imbalance
from worker.state.families import Families, Family
from worker.state.remembered import latest_versions

STORY = " ".join(f"story{i}" for i in range(200))
SHORTER, LONGER = 7, 90
NEWS, BACKFILL = "", "backfill"


@pytest.fixture
def make_desk(redis: Redis, tmp_path: Path) -> Callable[..., Desk]:
    return lambda days=SHORTER, **dedupe: Desk(redis, tmp_path, days, **dedupe)


def story(guid: str, words: int = 200, **facts: object) -> Article:
    """The story cut after so many words: all are near copies of each other."""
    return article(guid=guid, **{"body_text": " ".join(STORY.split()[:words]), **facts})


def family(desk: Desk, record_id: str) -> Family:
    found = Families(desk.redis, desk.settings).show(record_id)
    assert found is not None
    return found


def assert_sound(desk: Desk) -> None:
    assert imbalance(desk.counters.totals(), desk.counters.in_flight()) == 0
    published = {(record.id, record.version) for record in desk.records()}
    assert set(latest_versions(desk.redis, desk.ledger.keys)) <= published


LANES: list[tuple[Lane, Lane]] = [("news", "backfill"), ("backfill", "news")]


@pytest.mark.parametrize("days", [SHORTER, LONGER])
@pytest.mark.parametrize(("first", "second"), LANES)
def test_copies_are_recognised_across_lanes(
    make_desk: Callable[..., Desk], days: int, first: Lane, second: Lane
) -> None:
    desk = make_desk(days, policy="tag")
    assert desk.push(story("a"), source="a", lane=first) == ("stored",)
    assert desk.push(story("a"), source="a", lane=second) == ("duplicate",)
    assert desk.push(story("exact"), source="b", lane=second) == ("duplicate",)
    assert desk.push(story("near", 190), source="c", lane=second) == ("near_duplicate",)
    assert desk.push(story("near again", 185), source="d", lane=first) == ("near_duplicate",)
    assert desk.push(story("a", 150, headline="More of it"), source="a", lane=second) == ("updated",)
    head = desk.records()[0].id
    assert {record.family_id for record in desk.records()} == {head}
    assert [member.version for member in family(desk, head).members if member.is_head] == [2]
    assert_sound(desk)


@pytest.mark.parametrize(("days", "forgotten", "kept"), [(SHORTER, BACKFILL, NEWS), (LONGER, NEWS, BACKFILL)])
def test_each_lane_is_remembered_for_its_own_time(
    make_desk: Callable[..., Desk], days: int, forgotten: str, kept: str
) -> None:
    desk = make_desk(days)
    lanes: dict[str, Lane] = {NEWS: "news", BACKFILL: "backfill"}
    desk.push(article(guid="short", body_text=text(1)), lane=lanes[forgotten])
    desk.push(article(guid="long", body_text=text(2)), lane=lanes[kept])
    desk.age(forgotten)
    assert desk.push(article(guid="copy", body_text=text(1) + " end"), source="b") == ("near_duplicate",)
    desk.age(forgotten)
    desk.age(forgotten)
    desk.age(forgotten)
    assert desk.push(article(guid="other", body_text=text(2) + " end"), source="b") == ("near_duplicate",)
    assert_sound(desk)


def test_what_only_the_shorter_window_knew_expires_with_it(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    desk.push(article(guid="old", body_text=text(1)), lane="backfill")
    desk.age(BACKFILL)
    desk.age(BACKFILL)
    assert desk.push(article(guid="old", body_text=text(1)), lane="backfill") == ("stored",)
    assert desk.redis.ttl(desk.ledger.keys.name("cards", *desk_generation(desk))) <= 2 * SHORTER * 86_400


def desk_generation(desk: Desk) -> tuple[str, str]:
    """The name of the only generation of the lane `backfill` that holds cards."""
    keys: list[bytes] = list(desk.redis.scan_iter(desk.ledger.keys.name("cards", BACKFILL, "*")))
    (key,) = keys
    window, generation = key.decode().split(":")[-2:]
    return window, generation


@pytest.mark.parametrize("policy", ["drop", "tag"])
def test_a_family_moves_to_the_longer_window(make_desk: Callable[..., Desk], policy: str) -> None:
    desk = make_desk(policy=policy)
    desk.push(story("a"), source="a", lane="backfill")
    desk.push(story("b", 195), source="b", lane="backfill")
    assert desk.push(story("c", 190), source="c") == ("near_duplicate",)
    head = desk.records()[0].id
    for _ in range(3):
        desk.age(BACKFILL)
        assert desk.push(story("d", 180), source="d", lane="backfill")[0] in ("near_duplicate", "duplicate")
    assert desk.push(story("a"), source="a", lane="backfill") == ("duplicate",), "it lives with the news"
    assert family(desk, head).head_id == head
    assert_sound(desk)


def test_cards_that_went_across_are_found_after_a_generation(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story("a"), source="a", lane="backfill")
    desk.push(story("b", 190), source="b")
    desk.age(NEWS)
    assert desk.push(story("c", 180), source="c", lane="backfill") == ("near_duplicate",)
    desk.age(NEWS)
    desk.age(NEWS)
    assert desk.push(story("x", 150, canonical_url="https://x.example/"), source="x") == ("stored",), "all is forgotten"
    assert_sound(desk)


def test_a_withdrawn_head_is_followed_by_a_member_left_in_the_other_window(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story("a"), source="a", lane="backfill")
    desk.push(story("b", 195), source="b", lane="backfill")
    assert desk.push(story("a", withdrawn=True), source="a") == ("updated",)
    assert desk.push(story("c", 190), source="c") == ("near_duplicate",)
    head, second, *_ = desk.records()
    assert family(desk, head.id).head_id == second.id
    assert_sound(desk)


def test_a_place_that_a_new_text_took_over_leads_to_it_in_both_windows(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    place = "https://a.example/live"
    desk.push(story("a"), source="a", lane="backfill")
    assert desk.push(article(canonical_url=place, body_text=STORY), source="b", lane="backfill") == ("duplicate",)
    assert desk.push(article(canonical_url=place, body_text=text(3)), source="b") == ("stored",)
    taken = desk.records()[-1].id
    assert desk.push(article(canonical_url=place, body_text=text(4)), source="b", lane="backfill") == ("updated",)
    assert desk.records()[-1].id == taken
    desk.age(NEWS)
    assert desk.push(article(canonical_url=place, body_text=text(4)), source="b", lane="backfill") == ("duplicate",)
    assert_sound(desk)


def test_families_of_two_windows_are_joined_and_split(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story("a"), source="a", lane="backfill")
    desk.push(story("b", 190), source="b", lane="backfill")
    desk.push(article(guid="c", body_text=text(1)), source="c")
    first, second, third = (record.id for record in desk.records())
    families = Families(desk.redis, desk.settings)
    joined = families.merge(first, third)
    assert joined is not None
    assert {member.record_id for member in joined.members} == {first, second, third}
    desk.age(BACKFILL)
    desk.age(BACKFILL)
    alone = families.split(second)
    assert alone is not None
    assert [member.record_id for member in alone.members] == [second]
    assert family(desk, third).head_id == first


def test_a_source_is_forgotten_in_both_windows(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    desk.push(article(guid="1", body_text=text(1)), source="a")
    desk.push(article(guid="2", body_text=text(2)), source="a", lane="backfill")
    assert desk.memory.forget_source("a") == 2
    assert desk.push(article(guid="3", body_text=text(1) + " end"), source="b") == ("stored",)
    assert desk.push(article(guid="4", body_text=text(2) + " end"), source="b") == ("stored",)


@pytest.mark.parametrize("aged", [(), (NEWS, BACKFILL)])
def test_earlier_texts_are_those_of_the_window_a_record_went_to(
    make_desk: Callable[..., Desk], aged: tuple[str, ...]
) -> None:
    desk = make_desk(LONGER)
    lanes: list[Lane] = ["news", "news", "backfill", "backfill", "backfill"]
    for hour, lane in enumerate(lanes):
        desk.push(article(guid="a", body_text=text(hour)), lane=lane, at=NOW + timedelta(hours=hour))
    for window in aged:
        desk.age(window)
    again = [article(guid="a", body_text=text(hour)) for hour in range(len(lanes))]
    assert set(desk.push(*again, at=NOW + timedelta(days=1))) == {"duplicate"}


@pytest.mark.parametrize("later_days", [None, SHORTER, LONGER + 1])
def test_a_window_may_change_while_families_lie_in_both(make_desk: Callable[..., Desk], later_days: int | None) -> None:
    desk = make_desk(LONGER, policy="tag")
    desk.push(story("a"), source="a")
    desk.push(story("b", 195), source="b")
    assert desk.push(story("a"), source="a", lane="backfill") == ("duplicate",), "its family goes across"
    desk = make_desk(later_days, policy="tag")
    assert desk.push(story("copy", 195), source="c") == ("duplicate",)
    left = desk.records()[1].id
    assert family(desk, left).head_id == left
    assert_sound(desk)


def test_a_look_changes_no_window(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    desk.push(story("a"), lane="backfill")
    family(desk, desk.records()[0].id)
    assert list(desk.redis.scan_iter("*:cards:g*")) == []
    desk_generation(desk)


@pytest.mark.parametrize("days", [SHORTER, LONGER])
@pytest.mark.parametrize("policy", ["drop", "tag"])
def test_two_windows_decide_as_one(redis: Redis, make_desk: Callable[..., Desk], days: int, policy: str) -> None:
    """While nothing expires, by which lane an article came changes nothing."""
    dice = random.Random(days)

    def step() -> tuple[Article, str, Lane]:
        number = dice.randrange(12)
        body = f"{text(number % 3)} {' '.join(STORY.split()[: dice.randrange(2, 5)])}"
        facts = {"withdrawn": dice.random() < 0.1, "headline": f"Take {dice.randrange(3)}"}
        return article(guid=f"{number}", body_text=body, **facts), f"s{dice.randrange(3)}", dice.choice(LANES)[0]

    steps = [step() for _ in range(120)]

    def outcome(desk: Desk) -> list[object]:
        redis.flushall()
        verdicts = [desk.push(one, source=source, lane=lane) for one, source, lane in steps]
        records = [(one.id, one.version, one.family_id, one.matched_id, one.relation) for one in desk.records()]
        assert_sound(desk)
        return [verdicts, records, {family(desk, one.id).head_id for one in desk.records()}]

    assert outcome(make_desk(days, policy=policy)) == outcome(make_desk(None, policy=policy))


@pytest.mark.parametrize("days", [SHORTER, LONGER])
def test_no_order_of_articles_and_expiries_breaks_the_memory(make_desk: Callable[..., Desk], days: int) -> None:
    dice = random.Random(days)
    desk = make_desk(days, policy="tag")
    for _ in range(200):
        number = dice.randrange(9)
        if dice.random() < 0.15:
            desk.age(dice.choice((NEWS, BACKFILL)))
        words = f"{text(number % 3)} {' '.join(STORY.split()[: dice.randrange(2, 8)])}"
        one = article(guid=f"{number}", body_text=words, withdrawn=dice.random() < 0.1)
        (verdict,) = desk.push(one, source=f"s{dice.randrange(3)}", lane=dice.choice(LANES)[0])
        assert verdict in ("stored", "updated", "duplicate", "near_duplicate")
        known = family(desk, desk.records()[-1].id) if verdict != "duplicate" else None
        if known:
            assert len({member.record_id for member in known.members}) == len(known.members)
            assert sum(member.is_head for member in known.members) <= 1
