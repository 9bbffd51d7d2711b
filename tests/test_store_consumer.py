"""The protocol of docs/storage-queue.md, by raw commands: what a consumer in another language does and gets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from tests.store_entries import publish, record, sighting
from worker.config import Settings, State, Store
from worker.state.keys import Keys
from worker.state.queue import StorageQueue
from worker.store.sink import open_sink
from worker.store.writer import Writer

STREAM = "{copydesk}:articles"
PAGE = Path(__file__).parent.parent / "docs" / "storage-queue.md"


class Consumer:
    """The loop of the page, with a dict for a database."""

    def __init__(self, redis: Any, name: str) -> None:
        self.redis = redis
        self.name = name
        self.articles: dict[tuple[str, int], dict[str, Any]] = {}
        self.seen: set[tuple[str, str, str]] = set()
        try:
            redis.execute_command("XGROUP", "CREATE", STREAM, "search", "0", "MKSTREAM")
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read(self, start: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        group = ("GROUP", "search", self.name, "COUNT", 500)
        answer = self.redis.execute_command("XREADGROUP", *group, "STREAMS", STREAM, start)
        return answer[0][1] if answer else []

    def claim(self) -> tuple[list[tuple[bytes, dict[bytes, bytes]]], list[bytes]]:
        answer = self.redis.execute_command("XAUTOCLAIM", STREAM, "search", self.name, 0, "0-0", "COUNT", 500)
        return answer[1], answer[2]

    def store(self, messages: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for _, message in messages:
            if message[b"event"] == b"seen":
                place = json.loads(message[b"sighting"])
                seen = place["seen_in"]
                self.seen.add((place["id"], seen["source_id"], seen["url"] or seen["origin"] or ""))
            else:
                article = json.loads(message[b"record"])
                assert article["schema_version"] == 1
                assert article["id"].encode() == message[b"id"]
                assert str(article["version"]).encode() == message[b"version"]
                self.articles[article["id"], article["version"]] = article

    def acknowledge(self, messages: list[tuple[bytes, dict[bytes, bytes]]]) -> int:
        return int(self.redis.execute_command("XACK", STREAM, "search", *(entry_id for entry_id, _ in messages)))


@pytest.fixture
def consumer(redis: Redis) -> Consumer:
    publish(redis, record("a"), sighting("a"), record("a", version=2, event="update", headline="Bridge reopens late"))
    return Consumer(redis, "search-1")


def test_a_new_group_reads_what_is_there(consumer: Consumer) -> None:
    messages = consumer.read(">")
    consumer.store(messages)
    assert set(consumer.articles) == {("a", 1), ("a", 2)}
    assert consumer.articles["a", 2]["headline"] == "Bridge reopens late"
    assert consumer.seen == {("a", "courier", "inbox/copy.txt")}
    assert consumer.acknowledge(messages) == 3
    assert consumer.read("0") == consumer.read(">") == []


def test_after_a_crash_the_same_entries_come_again_without_a_second_effect(redis: Redis, consumer: Consumer) -> None:
    consumer.store(consumer.read(">"))
    before = dict(consumer.articles), set(consumer.seen)
    Consumer(redis, "search-1")
    again = consumer.read("0")
    assert len(again) == 3
    consumer.store(again)
    assert (consumer.articles, consumer.seen) == before
    consumer.acknowledge(again)
    assert consumer.read("0") == []


def test_another_consumer_takes_over_from_a_dead_one(redis: Redis, consumer: Consumer) -> None:
    consumer.read(">")
    heir = Consumer(redis, "search-2")
    messages, deleted = heir.claim()
    assert deleted == []
    heir.store(messages)
    assert set(heir.articles) == {("a", 1), ("a", 2)}
    assert heir.acknowledge(messages) == 3


def test_entries_stay_for_the_other_group_and_copydesk_deletes_them(
    redis: Redis, consumer: Consumer, tmp_path: Path
) -> None:
    settings = Settings(
        data=tmp_path, config=tmp_path, state=State(durability="none"), store=Store(claim_idle_seconds=0)
    )
    sink = open_sink(settings.sink_url)
    writer = Writer(StorageQueue(redis, Keys(), "store"), sink, redis, settings, "c", lambda *_: None)
    assert writer.run_once() == 3
    messages = consumer.read(">")
    assert len(messages) == redis.xlen(STREAM) == 3
    consumer.acknowledge(messages)
    assert redis.xlen(STREAM) == 3
    writer.run_once()
    assert redis.xlen(STREAM) == 0
    sink.close()


def test_every_command_of_the_page_is_one_the_server_takes(redis: Any, consumer: Consumer) -> None:
    assert consumer.read(">")
    lines = re.findall(r"^> (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(lines) >= 8
    for line in lines:
        if not line.startswith(("XGROUP CREATE", "XREADGROUP")):  # done above
            redis.execute_command(*line.split())
