"""Taking a batch apart costs no more than the server can take, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.desk_support import Bells, assert_balanced, document, receive, settings_for
from worker.desk import Desk
from worker.model import Article
from worker.state import ledger
from worker.state.codec import Item
from worker.state.keys import PARSED, RECEIVED
from worker.state.ledger import Claim


@pytest.fixture
def desk(redis: Redis, server_url: str, tmp_path: Path) -> Iterator[Desk]:
    assert redis.ping()
    desk = Desk(settings_for(tmp_path), Bells(), server_url)
    yield desk
    desk.close()


def parsed(desk: Desk, sizes: list[int], articles_each: int) -> Claim:
    """A claimed batch of documents of these sizes in bytes, each with so many articles."""
    batch_id = receive(desk, *(document(b"x" * size, f"drop/{number}") for number, size in enumerate(sizes)))
    claim = desk.ledger.claim(batch_id, RECEIVED)
    assert claim is not None
    items = [
        Item(number, Article(headline=f"{number}.{member}", member=member))
        for number in range(len(sizes))
        for member in range(articles_each)
    ]
    assert desk.ledger.advance(claim, items, []) == []
    return claimed(desk, batch_id)


def claimed(desk: Desk, batch_id: str) -> Claim:
    claim = desk.ledger.claim(batch_id, PARSED)
    assert claim is not None
    return claim


def places(claim: Claim) -> list[tuple[str, str | None]]:
    """Origin and headline of every article of a claim."""
    return [(claim.batch.documents[item.document].origin, item.article.headline) for item in claim.items]


def test_a_batch_of_large_feeds_is_halved_until_its_parts_are_cheap(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "SPLIT_BYTES", 4000)
    whole = parsed(desk, [1000, 1000, 1000], articles_each=4)
    waiting = [whole]
    alone: list[Claim] = []
    while waiting:
        parts = [claimed(desk, child) for child in desk.ledger.split(waiting.pop())[0]]
        copied = sum(len(document.content or b"") for part in parts for document in part.batch.documents)
        assert copied <= 4000
        assert_balanced(desk)
        assert desk.counters.in_flight() == 12
        alone += [part for part in parts if part.remaining == 1]
        waiting += [part for part in parts if part.remaining > 1]
    assert sorted(place for part in alone for place in places(part)) == sorted(places(whole))
    assert {(part.batch.documents[0].part, part.items[0].article.member) for part in alone} == {
        (member, member) for member in range(4)
    }


def test_a_cheap_batch_is_taken_apart_at_once(desk: Desk) -> None:
    whole = parsed(desk, [10, 10], articles_each=3)
    children, _ = desk.ledger.split(whole)
    assert [claimed(desk, child).remaining for child in children] == [1] * 6
