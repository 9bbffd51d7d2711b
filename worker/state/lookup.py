"""Candidates for near copies: what is remembered and shares features with an article, most shared first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from redis import Redis

from worker.state.index import (
    CARD_BYTES,
    CHUNK_CARDS,
    HEADER,
    MOST_CANDIDATES,
    MOVED,
    MOVED_ON,
    PURGED,
    Found,
    reference,
)
from worker.state.keys import Keys
from worker.state.postings import Page, Postings

CURRENT, BEFORE = 0, 1
CHUNKS_AT_ONCE = 500
"""Most chunks of cards read by one command: about a megabyte."""

Place = tuple[int, int]
"""A generation (CURRENT or BEFORE) and a ticket there."""


class Lookup:
    """Reads the memory of one server. What it finds is validated when it is published."""

    def __init__(self, redis: Redis, keys: Keys, postings: Postings) -> None:
        self._redis = redis
        self._keys = keys
        self._postings = postings

    def candidates(self, generation: int, prints: Sequence[bytes]) -> tuple[int, list[list[Found]]]:
        """Tickets given so far in the generation, and for each article's features (4 bytes each) what shares some."""
        seen, pages = self._postings.look_up(generation, b"".join(prints))
        best, first = [], 0
        for features in prints:
            best.append(_most_shared(pages, features, first))
            first += len(features) // 4
        cards = self._cards(generation, {place for places in best for place in places})
        # Tickets of one record lead to the same card: it counts once.
        return seen, [
            list({found.reference: found for place in row if (found := cards.get(place))}.values()) for row in best
        ]

    def _cards(self, generation: int, places: Iterable[Place]) -> dict[Place, Found]:
        """The newest card of what each ticket once stood for, where it was not purged."""
        found: dict[Place, Found] = {}
        chunks: dict[Place, bytes] = {}
        leads = {place: place for place in places}
        while leads:
            wanted = {(side, ticket // CHUNK_CARDS) for side, ticket in leads.values()} - chunks.keys()
            chunks |= self._chunks(generation, sorted(wanted))
            following: dict[Place, Place] = {}
            for place, (side, ticket) in leads.items():
                begin = ticket % CHUNK_CARDS * CARD_BYTES
                card = chunks[side, ticket // CHUNK_CARDS][begin : begin + CARD_BYTES]
                if len(card) < CARD_BYTES:
                    continue
                _, owner, _, version, flags, *_ = HEADER.unpack_from(card)
                if flags & PURGED:
                    continue
                if flags & (MOVED | MOVED_ON):
                    following[place] = (CURRENT if flags & MOVED_ON else side, owner)
                else:
                    found[place] = Found(reference("cb"[side], ticket, version), card[HEADER.size :])
            leads = following
        return found

    def _chunks(self, generation: int, wanted: Sequence[Place]) -> dict[Place, bytes]:
        numbers = {side: [number for one, number in wanted if one == side] for side in (CURRENT, BEFORE)}
        with self._redis.pipeline(transaction=False) as pipe:
            for side, some in numbers.items():
                for at in range(0, len(some), CHUNKS_AT_ONCE):
                    fields = [str(number) for number in some[at : at + CHUNKS_AT_ONCE]]
                    pipe.hmget(self._keys.generation("cards", generation - side), fields)
            answer: list[Any] = pipe.execute()
        return dict(zip(wanted, (chunk or b"" for part in answer for chunk in part), strict=True))


def _most_shared(pages: Sequence[Page], features: bytes, first: int) -> list[Place]:
    """Where articles are that share features, the first of which is number `first` of those looked up."""
    votes: dict[Place, int] = {}
    for at in range(0, len(features), 4):
        feature = features[at : at + 4]
        for side, page in enumerate(pages):
            for ticket in page.tickets(first + at // 4, feature):
                votes[side, ticket] = votes.get((side, ticket), 0) + 1
    # Where two share as many, the newer is likelier to be the one.
    return heapq.nlargest(MOST_CANDIDATES, votes, key=lambda place: (votes[place], -place[0], place[1]))
