"""Reading the memory of published records back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis

from worker.state.keys import Keys


def latest_versions(redis: Redis, keys: Keys) -> Iterator[tuple[str, int]]:
    """(record id, latest version) of every remembered record; a record may come twice, with an older version too."""
    for key in redis.scan_iter(match=keys.name("known", "*").replace("{", "\\{").replace("}", "\\}"), count=1000):
        rows: Any = redis.hscan_iter(key, count=1000)
        for record_id, packed in rows:
            yield record_id.hex(), _version(packed)


def _version(packed: bytes) -> int:
    """The first of publish.lua's cmsgpack values: a small array that starts with the version.

    The other values hold raw bytes in MessagePack's old string type, which is no UTF-8: only the head is read.
    """
    head = packed[1:10]
    kind = head[0]
    if kind < 0x80:
        return kind
    width = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}[kind]
    return int.from_bytes(head[1 : 1 + width], "big")
