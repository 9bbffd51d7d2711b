"""Reading the memory of published records back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis

from worker.state.index import UNPUBLISHED, read_cards
from worker.state.keys import Keys


def latest_versions(redis: Redis, keys: Keys) -> Iterator[tuple[str, int]]:
    """(record id, latest version) of every remembered record; a record may come twice, with an older version too."""
    for key in redis.scan_iter(match=keys.name("cards", "*").replace("{", "\\{").replace("}", "\\}"), count=1000):
        chunks: Any = redis.hscan_iter(key, count=200)
        for _, chunk in chunks:
            for card in read_cards(chunk):
                if card.is_current and not card.flags & UNPUBLISHED:
                    yield card.record_id, card.version
