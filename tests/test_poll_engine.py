"""The poll engine: many feeds at once, one request at a time at each host, nothing lost and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from redis import Redis

from tests.desk_support import Office, open_office, settings_for, text_article
from tests.http_support import Handler, Server, serving
from worker import pipeline
from worker.model import Source

NO_REST = {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0"}


@pytest.fixture
def office(redis: Redis, server_url: str, tmp_path: Path) -> Iterator[Office]:
    assert redis.ping()
    with open_office(server_url, settings_for(tmp_path, NO_REST)) as office:
        yield office


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server("0.0.0.0")) as server:
        yield server


def rss(*numbers: int) -> bytes:
    items = "".join(
        f"<item><guid>entry-{number}</guid><title>Entry {number}</title><description>{text_article(number)}"
        f"</description><link>http://news.example/{number}</link></item>"
        for number in numbers
    )
    return f"<rss version='2.0'><channel><title>News</title>{items}</channel></rss>".encode()


def host(number: int) -> str:
    """Each loopback address is a host of its own."""
    return f"127.0.{number // 250 + 1}.{number % 250 + 1}"


def add_feeds(office: Office, server: Server, hosts: Sequence[str]) -> None:
    """A feed for each host named, at a path of its own that answers 200 once and 304 from then on."""
    rows = []
    for number, name in enumerate(hosts):
        server.answers[f"/{number}"] = answer_once(number)
        url = server.url(f"/{number}", name)
        rows.append(Source(id=f"feed-{number}", kind="feed", url=url, allowed_hosts=(name,)))
    office.desk.sources.sync(tuple(rows))


def answer_once(number: int) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == f'"{number}"':
            handler.give(304)
        else:
            handler.give(200, rss(number), ETag=f'"{number}"')

    return answer


def test_all_due_feeds_are_polled_and_come_due_again_later(office: Office, server: Server) -> None:
    add_feeds(office, server, [host(number) for number in range(3)])
    assert pipeline.tick(office.desk) == 3
    office.drain()
    assert office.verdicts() == {"stored": 3}
    assert office.desk.feeds.due() == 0
    assert pipeline.poll(office.desk) == 0
    for number in range(3):
        office.due_now(f"feed-{number}")
    assert pipeline.poll(office.desk) == 3
    state = office.desk.sources.recall("feed-0")
    assert (state["status"], state["etag"]) == ("304", '"0"')
    assert office.verdicts() == {"stored": 3}
