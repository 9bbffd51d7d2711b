"""Near copies: what becomes of them by each policy, their families, and how the index keeps what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.dedupe_support import LONG, NOW, Desk, article, text
from worker.dedupe.judgement import Judgement
from worker.model import Article, Source
from worker.state import postings, scripts
from worker.state.counters import imbalance
from worker.state.families import Families, Family
from worker.state.index import (
    EVERYWHERE,
    EXACT_FILL,
    FILED_FROM_BYTES,
    FIRST_EXACT,
    PRELUDE,
)
from worker.state.memory import rules_for
from worker.state.receipts import find_receipts
from worker.state.remembered import latest_versions
from worker.state.windows import Windows

STORY = " ".join(f"story{i}" for i in range(200))
COPY = " ".join(STORY.split()[:190])
"""The story without its end: the same text to any reader."""


@pytest.fixture
def desk(redis: Redis, tmp_path: Path) -> Desk:
    return Desk(redis, tmp_path)


@pytest.fixture
def make_desk(redis: Redis, tmp_path: Path) -> Callable[..., Desk]:
    return lambda **dedupe: Desk(redis, tmp_path, **dedupe)


def story(guid: str = "s", **facts: Any) -> Article:
    return article(guid=guid, **{"body_text": STORY, **facts})


def near(guid: str = "n", **facts: Any) -> Article:
    return article(guid=guid, **{"body_text": COPY, "canonical_url": f"https://b.example/{guid}", **facts})


def family(desk: Desk, record_id: str) -> Family:
    found = Families(desk.redis, desk.settings).show(record_id)
    assert found is not None
    return found


def assert_balanced(desk: Desk) -> None:
    assert imbalance(desk.counters.totals(), desk.counters.in_flight()) == 0
    published = {(record.id, record.version) for record in desk.records()}
    assert set(latest_versions(desk.redis, desk.ledger.keys)) <= published


def test_a_near_copy_is_kept_beside_its_head(desk: Desk) -> None:
    desk.push(story(), source="a")
    assert desk.push(near(), source="b") == ("near_duplicate",)
    assert desk.push(near(), source="b") == ("duplicate",), "read again"
    (head,) = desk.records()
    (sighting,) = desk.sightings()
    assert (sighting.id, sighting.seen_in.source_id, sighting.seen_in.url) == (head.id, "b", "https://b.example/n")
    copy = sighting.copy
    assert copy is not None
    assert (copy.family_id, copy.matched_id, copy.body_text) == (head.id, head.id, COPY)
    assert copy.relation in ("syndicated", "excerpt", "rewrite")
    assert copy.similarity is not None
    assert copy.similarity > 0.5
    totals = desk.counters.totals()
    assert (totals["stored"], totals["duplicate"], totals["near_duplicate"]) == (1, 2, 1)
    assert_balanced(desk)


@pytest.mark.parametrize("policy", ["tag", "link"])
def test_a_near_copy_may_be_published_as_well(make_desk: Callable[..., Desk], policy: str) -> None:
    desk = make_desk(policy=policy)
    desk.push(story(), source="a")
    assert desk.push(near(), source="b") == ("near_duplicate",)
    assert desk.push(near(), source="b") == ("duplicate",)
    head, copy = desk.records()
    assert copy.id != head.id
    assert (copy.family_id, copy.matched_id, copy.version, copy.event) == (head.id, head.id, 1, "create")
    assert [s.id for s in desk.sightings()] == ([head.id] if policy == "link" else [])
    totals = desk.counters.totals()
    assert (totals["stored"], totals["duplicate"], totals["near_duplicate"]) == (2, 1, 1)
    assert_balanced(desk)


def test_copies_in_one_batch_find_each_other(desk: Desk) -> None:
    assert desk.push(near("1"), article(guid="x"), story("2"), near("3")) == (
        "stored",
        "stored",
        "near_duplicate",
        "duplicate",
    )


def test_a_source_may_have_its_own_policy_and_threshold(desk: Desk) -> None:
    own = Source(id="b", kind="push", dedupe_policy="tag", dedupe_threshold="strict")
    rules = rules_for(desk.settings, own)
    assert (rules.policy, rules.threshold) == ("tag", "strict")
    assert rules_for(desk.settings, None) == replace(rules, policy="drop", threshold="balanced")


def test_recognition_can_be_switched_off_but_for_exact_copies(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(enabled="false")
    assert desk.push(story(), source="a") == ("stored",)
    assert desk.push(near(), source="b") == ("stored",)
    assert desk.push(near("other"), source="c") == ("duplicate",)


def test_an_earlier_text_that_arrives_later_may_become_the_head(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(head="earliest_published")
    desk.push(story(published_at=NOW), source="a")
    assert desk.push(near(published_at=NOW - timedelta(days=2)), source="b") == ("stored",)
    first, earlier = desk.records()
    assert (earlier.family_id, earlier.matched_id) == (first.id, first.id)
    assert family(desk, first.id).head_id == earlier.id
    assert desk.push(story("again", published_at=NOW), source="c") == ("duplicate",)
    assert desk.sightings()[-1].id == earlier.id
    assert_balanced(desk)


def test_the_first_seen_is_the_head_unless_the_policy_says_otherwise(desk: Desk) -> None:
    desk.push(story(published_at=NOW), source="a")
    assert desk.push(near(published_at=NOW - timedelta(days=2)), source="b") == ("near_duplicate",)
    assert len(desk.records()) == 1


def kill(guid: str) -> Article:
    return story(guid, withdrawn=True)


def test_a_copy_is_never_dropped_for_a_withdrawn_article(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(kill("s"), source="a", at=NOW + timedelta(hours=1))
    assert desk.push(near(), source="b") == ("stored",)
    head, _, heir = desk.records()
    assert (heir.family_id, heir.matched_id) == (head.id, head.id)
    assert family(desk, heir.id).head_id == heir.id
    assert desk.push(near("c"), source="c") == ("duplicate",)
    assert desk.sightings()[-1].id == heir.id
    assert_balanced(desk)


def test_an_exact_copy_of_a_withdrawn_article_is_published(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(kill("s"), source="a", at=NOW + timedelta(hours=1))
    assert desk.push(story("x"), source="b") == ("stored",)
    assert desk.records()[-1].family_id == desk.records()[0].id


def test_a_copy_that_was_dropped_takes_over_when_it_comes_again(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(near(), source="b")
    desk.push(kill("s"), source="a", at=NOW + timedelta(hours=1))
    assert desk.push(near(), source="b") == ("stored",)
    assert desk.push(near(), source="b") == ("duplicate",)
    assert_balanced(desk)


def test_the_next_published_member_follows_a_withdrawn_head(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story(), source="a")
    desk.push(near("1"), source="b")
    desk.push(near("2", body_text=STORY + " and a few words more"), source="c")
    head, heir, _ = desk.records()
    desk.push(kill("s"), source="a", at=NOW + timedelta(hours=1))
    assert family(desk, head.id).head_id == heir.id
    assert desk.push(story("x"), source="d") == ("duplicate",)
    assert desk.sightings()[-1].id == heir.id


def test_a_record_that_comes_back_leads_a_family_nobody_leads(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(kill("s"), source="a", at=NOW + timedelta(hours=1))
    assert desk.push(story(body_text=STORY + " again"), source="a", at=NOW + timedelta(hours=2)) == ("updated",)
    head = desk.records()[0].id
    assert family(desk, head).head_id == head


def judged(desk: Desk, kind: str, relation: Any, one: Article, source: str) -> str:
    """Publish an article judged against the first candidate found for it, whatever its text says."""
    claim = desk.parsed([one], source)
    run = desk.memory.prepare(desk.candidates(claim), desk.rules)
    judgement = Judgement(0, kind, relation, 0.75, (("containment", 0.8),))  # type: ignore[arg-type]  # a literal
    answer = desk.memory.commit(claim, 0, replace(run, judgements=[judgement]), desk.rules)
    return str(answer[3][0].decode())


def test_a_revision_is_published_and_linked(desk: Desk) -> None:
    desk.push(story(), source="a")
    assert judged(desk, "revision", "revised", near("later"), "a") == "updated"
    first, revision = desk.records()
    assert (revision.version, revision.event, revision.supersedes) == (1, "create", None)
    assert (revision.family_id, revision.matched_id, revision.relation) == (first.id, first.id, "revised")
    assert desk.counters.totals()["updated"] == 1
    assert desk.push(near("copy of the revision"), source="b") == ("duplicate",)
    assert desk.sightings()[-1].id == revision.id, "a revision stands for its own text"
    assert_balanced(desk)


def test_the_receipt_tells_what_decided(desk: Desk) -> None:
    desk.push(story(), source="a")
    judged(desk, "copy", "rewrite", near(), "b")
    head = desk.records()[0].id
    (receipt,) = find_receipts(desk.redis, desk.ledger.keys, "/in/b", None, 3)
    assert (receipt.verdict, receipt.reference, receipt.detail) == ("near_duplicate", head, "0")
    assert (receipt.relation, receipt.similarity, receipt.matched_id) == ("rewrite", 0.75, head)
    assert receipt.evidence == "containment=0.8"
    (plain,) = find_receipts(desk.redis, desk.ledger.keys, "/in/a", None, 3)
    assert (plain.verdict, plain.relation, plain.similarity, plain.evidence) == ("stored", "", None, "")


def test_a_new_version_is_found_by_its_new_text(desk: Desk) -> None:
    desk.push(story(), source="a")
    fresh = " ".join(f"fresh{i}" for i in range(200))
    desk.push(story(body_text=fresh), source="a", at=NOW + timedelta(hours=1))
    assert desk.push(article(guid="b", body_text=fresh + " end"), source="b") == ("near_duplicate",)
    assert_balanced(desk)


def test_a_version_of_a_member_stays_in_its_family(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story(), source="a")
    desk.push(near(), source="b")
    desk.push(near(body_text=COPY + " later"), source="b", at=NOW + timedelta(hours=1))
    head, _, second = desk.records()
    assert (second.version, second.event, second.family_id) == (2, "update", head.id)


def test_texts_that_a_record_had_are_known_in_any_order(desk: Desk) -> None:
    versions = [text(number) for number in range(5)]
    for hour, body in enumerate(versions):
        desk.push(article(guid="g", body_text=body), at=NOW + timedelta(hours=hour))
    again = [article(guid="g", body_text=body) for body in reversed(versions)]
    assert set(desk.push(*again, at=NOW + timedelta(days=1))) == {"duplicate"}


def test_settling_without_a_ledger_remembers_and_publishes_nothing(desk: Desk) -> None:
    claim = desk.parsed([story(), near(), article(guid="x", body_text=LONG)])
    head, copy, other = desk.memory.settle(desk.candidates(claim), desk.rules)
    assert (head.verdict, copy.verdict, other.verdict) == ("stored", "near_duplicate", "stored")
    assert (copy.record_id, copy.family_id, copy.matched_id) == (head.record_id,) * 3
    assert copy.similarity is not None
    assert copy.evidence
    assert other.family_id == other.record_id
    assert desk.stream() == []
    (again,) = desk.memory.settle(desk.candidates(claim)[1:2], desk.rules)
    assert again.verdict == "duplicate"


@pytest.fixture
def tiny_buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Buckets are split from the first entries on."""
    tiny = PRELUDE.replace(f"EXACT_FILL = {FIRST_EXACT}, {EXACT_FILL}", "EXACT_FILL = 4, 4")
    tiny = tiny.replace(f"{FILED_FROM_BYTES}\n", "500\n")
    assert tiny.count("4, 4") == tiny.count("500\n") == 1
    monkeypatch.setattr(scripts, "PRELUDE", tiny)
    monkeypatch.setattr(postings, "POSTINGS_FILL", 1 / 24)
    monkeypatch.setattr(postings, "FILED_FROM_BYTES", 500)
    scripts.source_text.cache_clear()
    yield
    scripts.source_text.cache_clear()


@pytest.mark.usefixtures("tiny_buckets")
def test_the_index_grows_bucket_by_bucket_and_loses_nothing(desk: Desk) -> None:
    bodies = [text(number) for number in range(400)]
    for first in range(0, len(bodies), 50):
        chunk = [article(guid=f"g{first + at}", body_text=body) for at, body in enumerate(bodies[first : first + 50])]
        assert set(desk.push(*chunk)) == {"stored"}
    state = index_state(desk)
    assert state["posting_splits"] > 1000
    assert state["exact_splits"] > 100
    assert set(desk.push(*[article(guid=f"g{number}", body_text=body) for number, body in enumerate(bodies)])) == {
        "duplicate"
    }
    exact = [article(guid=f"e{number}", body_text=body) for number, body in enumerate(bodies)]
    assert set(desk.push(*exact, source="b")) == {"duplicate"}
    assert index_state(desk)["postings"] == state["postings"]
    near = [article(guid=f"c{number}", body_text=f"{body} end") for number, body in enumerate(bodies)]
    assert set(desk.push(*near, source="c")) == {"near_duplicate"}
    assert_balanced(desk)


def index_state(desk: Desk) -> dict[str, int]:
    """Sizes of the current generation."""
    (generation,) = Windows(desk.settings, desk.ledger.keys).now(desk.redis)
    state: Any = desk.redis.hgetall(desk.ledger.keys.generation("index", generation))
    return {name.decode(): int(value) for name, value in state.items()}


def test_a_feature_that_is_everywhere_costs_nothing_and_hides_nothing(desk: Desk) -> None:
    notice = " ".join(f"notice{i}" for i in range(40))
    many = [article(guid=f"g{number}", body_text=f"{text(number)}\n\n{notice}") for number in range(EVERYWHERE + 30)]
    for first in range(0, len(many), 10):
        assert set(desk.push(*many[first : first + 10], source=f"s{first}")) == {"stored"}
    assert desk.push(article(guid="copy", body_text=f"{text(3)}\n\n{notice} end"), source="z") == ("near_duplicate",)


def test_a_source_can_be_forgotten(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(*[article(guid=f"g{number}", body_text=text(number)) for number in range(20)], source="a")
    desk.push(article(guid="kept", body_text=LONG), source="b")
    assert desk.memory.forget_source("a") == 21
    assert desk.memory.forget_source("a") == 0
    assert desk.push(near(), source="c") == ("stored",), "nothing resembles it any more"
    assert desk.push(story(), source="a") == ("near_duplicate",), "and the source begins anew"
    assert desk.push(article(guid="kept", body_text=LONG), source="b") == ("duplicate",)
    assert_balanced(desk)


def test_a_member_can_stand_alone_and_join_again(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story(), source="a")
    desk.push(near("1"), source="b")
    desk.push(near("2", body_text=STORY + " more"), source="c")
    head, one, two = (record.id for record in desk.records())
    families = Families(desk.redis, desk.settings)
    alone = families.split(one)
    assert alone is not None
    assert (alone.family_id, alone.head_id, [m.record_id for m in alone.members]) == (one, one, [one])
    assert {m.record_id for m in family(desk, head).members} == {head, two}
    joined = families.merge(head, one)
    assert joined is not None
    assert (joined.family_id, joined.head_id) == (head, head)
    assert {m.record_id for m in joined.members} == {head, one, two}


def test_the_head_can_leave_its_family(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(policy="tag")
    desk.push(story(), source="a")
    desk.push(near("1"), source="b")
    head, one = (record.id for record in desk.records())
    desk.age()
    alone = Families(desk.redis, desk.settings).split(head)
    assert alone is not None
    assert [m.record_id for m in alone.members] == [head]
    left = family(desk, one)
    assert (left.family_id, left.head_id, [m.record_id for m in left.members]) == (one, one, [one])


def test_a_dropped_copy_can_be_published_after_all(desk: Desk) -> None:
    desk.push(story(), source="a")
    desk.push(near(), source="b")
    copy = desk.sightings()[0].copy
    assert copy is not None
    families = Families(desk.redis, desk.settings)
    assert [m.published for m in family(desk, copy.id).members] == [True, False]
    families.split(copy.id, copy)
    assert desk.records()[-1] == copy
    assert family(desk, copy.id).head_id == copy.id
    assert desk.push(near(), source="b") == ("duplicate",)
    assert_balanced(desk)


def test_an_unknown_record_has_no_family(desk: Desk) -> None:
    families = Families(desk.redis, desk.settings)
    assert families.show("00" * 16) is None
    assert families.show("no id") is None
    desk.push(story())
    assert families.merge(desk.records()[0].id, "00" * 16) is None
