"""The storage queue on a real server: reading, claiming, and deleting only what every group has acknowledged."""

from __future__ import annotations

import pytest
from redis import Redis

from tests.store_entries import KEYS, publish
from worker.state.queue import Entry, StorageQueue


def queue_of(redis: Redis, group: str) -> StorageQueue:
    queue = StorageQueue(redis, KEYS, group)
    queue.create_group()
    return queue


def add(redis: Redis, count: int) -> list[str]:
    fields = {"event": "create", "id": "a", "version": 1, "record": "{}"}
    return publish(redis, *[fields] * count)


def ids(entries: list[Entry]) -> list[str]:
    return [entry.entry_id for entry in entries]


def test_a_group_created_late_still_gets_what_is_in_the_stream(redis: Redis) -> None:
    added = add(redis, 3)
    queue = queue_of(redis, "store")
    queue.create_group()
    read = queue.read_new("c", 10, block_ms=0)
    assert ids(read) == added
    assert read[0].fields == {b"event": b"create", b"id": b"a", b"version": b"1", b"record": b"{}"}


def test_acknowledged_entries_leave_the_stream(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    add(redis, 2500)
    queue.acknowledge(queue.read_new("c", 5000, block_ms=0))
    assert queue.length() == 0
    assert queue.groups()[0].pending == 0


def test_an_entry_stays_until_every_group_has_acknowledged_it(redis: Redis) -> None:
    first, second = queue_of(redis, "first"), queue_of(redis, "second")
    added = add(redis, 4)
    first.acknowledge(first.read_new("c", 10, block_ms=0))
    assert first.length() == 4
    read = second.read_new("c", 10, block_ms=0)
    assert ids(read) == added
    second.acknowledge(read[:2])
    assert second.length() == 2
    second.acknowledge(read[2:])
    assert second.length() == 0


def test_out_of_order_acknowledgement_keeps_the_lower_pending_entry(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    add(redis, 3)
    read = queue.read_new("c", 10, block_ms=0)
    queue.acknowledge(read[1:])
    assert queue.read_own_pending("c", 10) == read[:1]
    assert read[0].fields


def test_entries_not_yet_read_are_never_deleted(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    add(redis, 4)
    queue.acknowledge(queue.read_new("c", 2, block_ms=0))
    assert queue.length() == 2
    assert queue.groups()[0].lag == 2


def test_a_group_set_back_keeps_what_it_reads_again(redis: Redis) -> None:
    queue, other = queue_of(redis, "store"), queue_of(redis, "other")
    add(redis, 4)
    read = queue.read_new("c", 10, block_ms=0)
    redis.xgroup_setid(KEYS.stream, "store", "0")
    other.acknowledge(other.read_new("c", 10, block_ms=0))
    queue.acknowledge(read[:2])
    assert queue.length() == 4


def test_a_bare_xack_is_trimmed_by_the_next_trim(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    add(redis, 2)
    read = queue.read_new("c", 10, block_ms=0)
    redis.xack(KEYS.stream, "store", *ids(read))
    assert queue.length() == 2
    queue.trim()
    assert queue.length() == 0


def test_pending_is_read_in_pages(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    added = add(redis, 5)
    queue.read_new("c", 10, block_ms=0)
    first = queue.read_own_pending("c", 3)
    rest = queue.read_own_pending("c", 3, after=first[-1].entry_id)
    assert ids(first + rest) == added


def test_stale_entries_are_claimed_from_a_dead_consumer(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    added = add(redis, 3)
    queue.read_new("dead", 10, block_ms=0)
    assert queue.claim_stale("alive", 3600, 10) == ([], 0)
    claimed, deleted = queue.claim_stale("alive", 0, 10)
    assert (ids(claimed), deleted) == (added, 0)
    assert ids(queue.read_own_pending("alive", 10)) == added
    assert queue.read_own_pending("dead", 10) == []


def test_stale_entries_are_found_behind_many_fresh_ones(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    added = add(redis, 40)
    queue.read_new("busy", 39, block_ms=0)
    queue.read_new("dead", 1, block_ms=0)
    redis.xclaim(KEYS.stream, "store", "dead", 0, [added[-1]], idle=7_200_000)
    claimed, _ = queue.claim_stale("alive", 3600, 2)
    assert ids(claimed) == added[-1:]


def test_claiming_counts_entries_deleted_before_they_were_acknowledged(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    added = add(redis, 3)
    queue.read_new("dead", 10, block_ms=0)
    redis.xdel(KEYS.stream, added[0])
    claimed, deleted = queue.claim_stale("alive", 0, 10)
    assert (ids(claimed), deleted) == (added[1:], 1)


def test_lag_is_never_reported_as_zero_while_entries_wait(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    added = add(redis, 5)
    queue.read_new("c", 2, block_ms=0)
    redis.xdel(KEYS.stream, added[3])
    assert queue.groups()[0].lag >= 2
    queue.read_new("c", 10, block_ms=0)
    assert queue.groups()[0].lag == 0


def test_a_missing_stream_is_an_empty_queue(redis: Redis) -> None:
    queue = StorageQueue(redis, KEYS, "store")
    queue.acknowledge([Entry("1-1", {})])
    queue.trim()
    assert (queue.length(), queue.groups(), queue.oldest_seconds()) == (0, [], 0.0)


def test_the_oldest_entry_tells_the_age_of_the_backlog(redis: Redis) -> None:
    queue = queue_of(redis, "store")
    seconds, _ = redis.time()
    redis.xadd(KEYS.stream, {"event": "create"}, id=f"{(seconds - 90) * 1000}-0")
    assert queue.oldest_seconds() == pytest.approx(90, abs=30)
