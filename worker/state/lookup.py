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
    MOVED_ACROSS,
    MOVED_ON,
    PURGED,
    Found,
    reference,
)
from worker.state.keys import Generation, Keys
from worker.state.postings import Page, Postings

CHUNKS_AT_ONCE = 500
"""Most chunks of cards read by one command: about a megabyte."""

Place = tuple[int, int]
"""A generation, by its number among those that are read, and a ticket there."""


class Lookup:
    """Reads the memory of one server. What it finds is validated when it is published."""

    def __init__(self, redis: Redis, keys: Keys, postings: Postings) -> None:
        self._redis = redis
        self._keys = keys
        self._postings = postings

    def candidates(
        self, current: Sequence[Generation], prints: Sequence[bytes]
    ) -> tuple[tuple[int, ...], list[list[Found]]]:
        """Tickets given so far in each window, and for each article's features (4 bytes each) what shares some.

        `current`: each window's generation.
        """
        read = [place for generation in current for place in (generation, generation.before)]
        seen, pages = self._postings.look_up(read, b"".join(prints))
        best, first = [], 0
        for features in prints:
            best.append(_most_shared(pages, features, first))
            first += len(features) // 4
        cards = self._cards(read, {place for places in best for place in places})
        # Tickets of one record lead to the same card: it counts once.
        return tuple(seen[::2]), [
            list({found.reference: found for place in row if (found := cards.get(place))}.values()) for row in best
        ]

    def _cards(self, read: Sequence[Generation], places: Iterable[Place]) -> dict[Place, Found]:
        """The newest card of what each ticket once stood for, where it was not purged."""
        found: dict[Place, Found] = {}
        chunks: dict[Place, bytes] = {}
        leads = {place: place for place in places}
        while leads:
            wanted = {(side, ticket // CHUNK_CARDS) for side, ticket in leads.values()} - chunks.keys()
            chunks |= self._chunks(read, sorted(wanted))
            following: dict[Place, Place] = {}
            for place, (side, ticket) in leads.items():
                begin = ticket % CHUNK_CARDS * CARD_BYTES
                card = chunks[side, ticket // CHUNK_CARDS][begin : begin + CARD_BYTES]
                if len(card) < CARD_BYTES:
                    continue
                _, owner, _, version, flags, _, _, _, received, *_ = HEADER.unpack_from(card)
                if flags & PURGED:
                    continue
                if not flags & (MOVED | MOVED_ON | MOVED_ACROSS):
                    found[place] = Found(reference(side, ticket, version), card[HEADER.size :])
                elif (to := _moved_to(read, side, flags, received)) is not None:
                    following[place] = (to, owner)
            leads = following
        return found

    def _chunks(self, read: Sequence[Generation], wanted: Sequence[Place]) -> dict[Place, bytes]:
        numbers = {side: [number for one, number in wanted if one == side] for side in range(len(read))}
        with self._redis.pipeline(transaction=False) as pipe:
            for side, some in numbers.items():
                for at in range(0, len(some), CHUNKS_AT_ONCE):
                    fields = [str(number) for number in some[at : at + CHUNKS_AT_ONCE]]
                    pipe.hmget(self._keys.generation("cards", read[side]), fields)
            answer: list[Any] = pipe.execute()
        return dict(zip(wanted, (chunk or b"" for part in answer for chunk in part), strict=True))


def _moved_to(read: Sequence[Generation], side: int, flags: int, received: int) -> int | None:
    """Where a card went: to its own generation's or window's newest, or across to the other window."""
    if flags & MOVED:
        return side
    window = side // 2 * 2
    if flags & MOVED_ON:
        return window if side != window else None  # where the clock was stepped back, the next is not known yet
    others = range(2 - window, min(4 - window, len(read)))
    return next((other for other in others if read[other].number == received), None)


def _most_shared(pages: Sequence[Page], features: bytes, first: int) -> list[Place]:
    """Where articles are that share features, the first of which is number `first` of those looked up."""
    votes: dict[Place, int] = {}
    for at in range(0, len(features), 4):
        feature = features[at : at + 4]
        for side, page in enumerate(pages):
            for ticket in page.tickets(first + at // 4, feature):
                votes[side, ticket] = votes.get((side, ticket), 0) + 1
    # Where two share as many, the newer is likelier to be the one.
    return heapq.nlargest(MOST_CANDIDATES, votes, key=lambda place: (votes[place], -(place[0] % 2), place[1]))
