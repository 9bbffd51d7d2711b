"""The publish step: identity ladder, exact copies, versions, balance, and that a step sent twice counts once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from tests.dedupe_support import LONG, NOW, Desk, article, text
from worker.state.counters import imbalance
from worker.state.index import KINDS
from worker.state.windows import Windows


@pytest.fixture
def desk(redis: Redis, tmp_path: Path) -> Desk:
    return Desk(redis, tmp_path)


def test_a_new_article_is_published_once(desk: Desk) -> None:
    assert desk.push(article(guid="g1")) == ("stored",)
    assert desk.push(article(guid="g1")) == ("duplicate",)
    (record,) = desk.records()
    assert (record.version, record.event, record.family_id) == (1, "create", record.id)


def test_changed_text_under_the_same_guid_is_the_next_version(desk: Desk) -> None:
    desk.push(article(guid="g1"))
    assert desk.push(article(guid="g1", body_text=LONG + " more"), at=NOW + timedelta(hours=1)) == ("updated",)
    first, second = desk.records()
    assert second.id == first.id
    assert (second.version, second.event, second.supersedes) == (2, "update", f"{first.id}:1")


def test_an_older_version_that_arrives_late_does_not_replace_the_newer(desk: Desk) -> None:
    desk.push(article(guid="g1", updated_at=NOW, body_text=LONG + " second"))
    late = article(guid="g1", updated_at=NOW - timedelta(hours=2))
    assert desk.push(late, at=NOW + timedelta(hours=1)) == ("duplicate",)
    assert len(desk.records()) == 1


def test_the_url_identifies_where_the_guid_changed(desk: Desk) -> None:
    desk.push(article(guid="g1", canonical_url="https://a.example/bridge"))
    changed = article(guid="g2", canonical_url="https://a.example/bridge", body_text=LONG + " more")
    assert desk.push(changed, at=NOW + timedelta(hours=1)) == ("updated",)
    assert desk.push(changed, at=NOW + timedelta(hours=1)) == ("duplicate",)


def test_an_exact_copy_from_another_source_is_seen_not_stored(desk: Desk) -> None:
    desk.push(article(guid="g1"), source="a")
    copy = article(guid="x9", headline="Another headline", canonical_url="https://b.example/1")
    assert desk.push(copy, source="b") == ("duplicate",)
    assert desk.push(copy, source="b") == ("duplicate",)
    (head,) = desk.records()
    assert [(s.id, s.seen_in.source_id, s.seen_in.url) for s in desk.sightings()] == [
        (head.id, "b", "https://b.example/1")
    ]


def test_a_copy_that_changes_becomes_a_record_of_its_own(desk: Desk) -> None:
    desk.push(article(guid="g1"), source="a")
    desk.push(article(guid="x9"), source="b")
    assert desk.push(article(guid="x9", body_text=text(9)), source="b") == ("stored",)
    assert desk.push(article(guid="x9", body_text=text(9)), source="b") == ("duplicate",)
    assert len({record.id for record in desk.records()}) == 2


def test_a_kill_notice_withdraws_the_record_it_names(desk: Desk) -> None:
    desk.push(article(guid="g1"))
    kill = article(guid="g1", withdrawn=True)
    assert desk.push(kill, at=NOW + timedelta(hours=1)) == ("updated",)
    assert desk.push(kill, at=NOW + timedelta(hours=1)) == ("duplicate",)
    first, second = desk.records()
    assert (second.id, second.version, second.event, second.supersedes) == (first.id, 2, "withdraw", f"{first.id}:1")


def test_a_kill_notice_is_no_copy_of_another_sources_article(desk: Desk) -> None:
    desk.push(article(guid="g1"), source="a")
    assert desk.push(article(guid="g1", withdrawn=True), source="b") == ("stored",)
    assert [record.event for record in desk.records()] == ["create", "withdraw"]


def test_short_texts_are_no_copies_across_sources(desk: Desk) -> None:
    brief = {"headline": "Live updates", "body_text": "More soon."}
    assert desk.push(article(guid="1", **brief), source="a") == ("stored",)
    assert desk.push(article(guid="2", **brief), source="b") == ("stored",)


def test_copies_within_one_batch_give_one_record(desk: Desk) -> None:
    assert desk.push(*[article(guid=f"g{i}") for i in range(5)]) == ("stored", *["duplicate"] * 4)


def test_a_long_batch_is_published_in_runs_and_balances(desk: Desk) -> None:
    articles = [article(guid=f"g{i}", body_text=text(i)) for i in range(250)]
    assert desk.push(*articles) == ("stored",) * 250
    assert len(desk.records()) == 250
    assert imbalance(desk.counters.totals(), desk.counters.in_flight()) == 0
    assert desk.counters.in_flight() == 0


def test_publishing_a_batch_again_changes_nothing(desk: Desk) -> None:
    claim = desk.parsed([article(guid="g1"), article(guid="g2", body_text=text(2))])
    desk.publish(claim)
    assert not desk.publish(claim).settled
    assert len(desk.records()) == 2
    assert imbalance(desk.counters.totals(), 0) == 0


def test_sixty_four_concurrent_ingests_give_one_new_and_63_duplicates(desk: Desk) -> None:
    claims = [desk.parsed([article(guid=f"g{i}")], source=f"s{i}") for i in range(64)]
    with ThreadPoolExecutor(16) as pool:
        verdicts = [verdict for published in pool.map(desk.publish, claims) for verdict in published.verdicts]
    assert sorted(verdicts) == ["duplicate"] * 63 + ["stored"]
    assert len(desk.records()) == 1


def test_memory_outlives_a_generation_and_then_expires(desk: Desk, redis: Redis) -> None:
    desk.push(article(guid="g1"))
    keys = desk.ledger.keys
    (generation,) = Windows(desk.settings, keys).now(redis)
    for kind in KINDS:
        if redis.exists(keys.generation(kind, generation)):
            redis.rename(keys.generation(kind, generation), keys.generation(kind, generation.before))
    assert desk.push(article(guid="g1")) == ("duplicate",)
    assert redis.exists(keys.generation("exact", generation)) == 1, "what is seen again moves on"
    assert 0 < redis.ttl(keys.generation("exact", generation)) <= 2 * 30 * 86_400
