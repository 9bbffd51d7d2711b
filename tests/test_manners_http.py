"""Manners towards a real HTTP server on our own clock: what is sent, when, and what is remembered of the answers."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.http_support import Answer, Handler, Server, redirect_to
from tests.manners_support import DAY, HOUR, START, item, numbered, rss
from worker.config import Feeds, Settings
from worker.intake.feed import memory_of, poll_feed
from worker.intake.http import HttpClient
from worker.intake.polled import Polled
from worker.model import Source
from worker.state.spool import Spool


@dataclass
class Reader:
    """Polls one feed again and again, each time when it is due; what is learned is kept as the state server would."""

    source: Source
    settings: Settings
    state: dict[str, str] = field(default_factory=dict)
    now: float = START
    documents: list[bytes] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)

    def poll(self) -> Polled:
        moment = datetime.fromtimestamp(self.now, UTC)
        spool = Spool(self.settings.data / "spool")
        client = HttpClient("copydesk tests")
        polled = asyncio.run(poll_feed(self.source, self.state, client, self.settings, spool, moment))
        self.state = {name: value for name, value in {**self.state, **polled.learned}.items() if value}
        if polled.document is not None:
            self.documents.append(polled.document.content or b"")
        if polled.host_rest_seconds is not None:
            self.rests.append(polled.host_rest_seconds)
        self.now += polled.next_due_seconds if math.isfinite(polled.next_due_seconds) else 0.0
        return polled

    def until_idle(self) -> None:
        """Poll, and take all steps that are left to do."""
        while self.poll().more:
            pass


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", config=tmp_path / "config", feeds=Feeds(full_text="never"))


@pytest.fixture
def reader(server: Server, settings: Settings) -> Reader:
    source = Source(id="paper", kind="feed", url=server.url("/feed"), allowed_hosts=("127.0.0.1",))
    return Reader(source, settings)


def paths(server: Server) -> list[str]:
    return [path for path, _ in server.seen]


def conditions(server: Server) -> list[tuple[str | None, str | None]]:
    return [(sent.get("if-none-match"), sent.get("if-modified-since")) for _, sent in server.seen]


def with_tag(content: bytes, tag: str) -> Answer:
    """304 to who has the tag, else 200."""

    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == tag:
            handler.give(304)
        else:
            handler.give(200, content, ETag=tag)

    return answer


def test_one_unconditional_request_in_a_feeds_life(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = with_tag(numbered(1, 2), '"one"')
    for _ in range(5):
        reader.poll()
    assert conditions(server) == [(None, None), *[('"one"', None)] * 4]
    assert reader.documents == [numbered(1, 2)]


def test_validators_are_echoed_byte_for_byte_and_never_kept_too_long(server: Server, reader: Reader) -> None:
    tag, date = 'W/"caf\xe9 ,;=\\"', "Tue,  3 Jun 2008 11:05:30 GMT (about)"
    answers: list[Answer] = [
        lambda handler: handler.give(200, numbered(1), ETag=tag, Last_Modified=date),
        lambda handler: handler.give(304, ETag='"new"'),
        lambda handler: handler.give(200, numbered(1, 2), Last_Modified="Wednesday"),
        lambda handler: handler.give(200, numbered(1, 2, 3)),
        lambda handler: handler.give(200, numbered(1, 2, 3, 4)),
    ]
    while answers:
        server.answers["/feed"] = answers.pop(0)
        reader.poll()
    sent = [(None, None), (tag, date), ('"new"', date), (None, "Wednesday"), (None, None)]
    assert conditions(server) == sent


def test_at_least_an_hour_lies_between_two_polls_and_a_day_without_validators(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = with_tag(numbered(1), '"one"')
    waits = [reader.poll().next_due_seconds for _ in range(6)]
    assert min(waits) >= HOUR
    server.answers["/feed"] = lambda handler: handler.give(200, numbered(1))
    assert reader.poll().next_due_seconds == DAY


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_rests_the_whole_host(server: Server, reader: Reader, status: int) -> None:
    server.answers["/feed"] = lambda handler: handler.give(status, Retry_After="9000")
    assert reader.poll().next_due_seconds >= 9000
    server.answers["/feed"] = lambda handler: handler.give(status, Retry_After="Tue, 06 Jan 2026 00:00:00 GMT")
    now = reader.now
    reader.poll()
    assert reader.rests[0] == 9000
    assert now + reader.rests[1] == pytest.approx(datetime(2026, 1, 6, tzinfo=UTC).timestamp(), abs=1)


def test_a_failing_feed_is_never_given_up(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = lambda handler: handler.give(500)
    waits = [reader.poll().next_due_seconds for _ in range(12)]
    assert waits == sorted(waits)
    assert waits[-1] == DAY
    server.answers["/feed"] = lambda handler: handler.give(200, numbered(1), ETag='"one"')
    polled = reader.poll()
    assert (polled.problem, reader.documents) == (None, [numbered(1)])


@pytest.mark.parametrize("status", [301, 308])
def test_a_permanent_move_is_adopted_after_three_polls(server: Server, reader: Reader, status: int) -> None:
    server.answers["/feed"] = lambda handler: handler.give(status, Location="/new")
    server.answers["/new"] = with_tag(numbered(1), '"one"')
    for _ in range(5):
        reader.poll()
    assert paths(server) == ["/feed", "/new"] * 3 + ["/new"] * 2
    assert conditions(server)[-1] == ('"one"', None), "validators move with the feed"


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_move_is_never_adopted(server: Server, reader: Reader, status: int) -> None:
    server.answers["/feed"] = lambda handler: handler.give(status, Location="/new")
    server.answers["/new"] = with_tag(numbered(1), '"one"')
    for _ in range(5):
        reader.poll()
    assert paths(server) == ["/feed", "/new"] * 5


def test_a_loop_of_redirects_is_a_failure(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = redirect_to("/other")
    server.answers["/other"] = redirect_to("/feed")
    problem = reader.poll().problem
    assert problem is not None
    assert "more than 5 redirects" in problem


def test_a_move_to_a_page_that_is_no_feed_is_not_adopted(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = lambda handler: handler.give(301, Location="/parked")
    server.answers["/parked"] = lambda handler: handler.give(
        200, b"<!doctype html><html><body><p>For sale</p></body></html>", Content_Type="text/html"
    )
    for _ in range(5):
        problem = reader.poll().problem
        assert problem is not None
        assert problem.startswith("no_feed: the answer is no feed (text/html)")
    assert paths(server) == ["/feed", "/parked"] * 5
    assert reader.documents == []


def test_gone_stops(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = lambda handler: handler.give(410)
    assert math.isinf(reader.poll().next_due_seconds)
    assert reader.state["gone_at"]


def test_what_a_batch_did_not_take_is_asked_again_in_full(server: Server, reader: Reader) -> None:
    """Validators are part of what is saved with the batch: lose the batch and they are lost with it."""
    server.answers["/feed"] = with_tag(numbered(1), '"one"')
    before = dict(reader.state)
    reader.poll()
    reader.state = before
    reader.poll()
    assert conditions(server) == [(None, None), (None, None)]


def test_a_restart_or_another_url_never_mixes_validators(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = server.answers["/other"] = with_tag(numbered(1), '"one"')
    reader.poll()
    reader.source = msgspec.structs.replace(reader.source, url=server.url("/other"))
    reader.poll()
    assert conditions(server)[1] == (None, None)


def test_guids_that_prove_no_names_are_told_to_the_parser(server: Server, reader: Reader) -> None:
    content = rss(*(item(number, guid="same") for number in range(4)))
    server.answers["/feed"] = lambda handler: handler.give(200, content, ETag='"one"')
    document = reader.poll().document
    assert document is not None
    assert document.untrusted_ids == ("guid",)


# Gaps


def page(*numbers: int, link: str = "", relation: str = "prev-archive") -> bytes:
    head = f"<atom:link rel='{relation}' href='{link}'/>" if link else ""
    return numbered(*numbers, head=head)


def arrange_gap(server: Server, reader: Reader, later: bytes) -> None:
    """A first fetch with entries 1 to 3, and `later` from then on."""
    server.answers["/feed"] = lambda handler: handler.give(200, numbered(3, 2, 1), ETag='"one"')
    reader.poll()
    server.answers["/feed"] = with_tag(later, '"two"')
    server.seen.clear()
    reader.documents.clear()


@pytest.mark.parametrize("relation", ["prev-archive", "next"])
def test_a_gap_is_closed_by_the_feeds_own_links(server: Server, reader: Reader, relation: str) -> None:
    arrange_gap(server, reader, page(12, 11, 10, link="/archive/2", relation=relation))
    server.answers["/archive/2"] = lambda handler: handler.give(
        200, page(9, 8, 7, link="/archive/1", relation=relation)
    )
    server.answers["/archive/1"] = lambda handler: handler.give(200, page(6, 5, 4, 3, link="/archive/0"))
    reader.until_idle()
    assert paths(server) == ["/feed", "/archive/2", "/archive/1"], "entry 3 was known"
    assert len(reader.documents) == 3
    due_at = memory_of(reader.source, reader.state).due_at
    assert reader.now == pytest.approx(due_at, abs=1), "and then the feed waits for its own time"
    assert all(condition == (None, None) for condition in conditions(server)[1:])


@pytest.mark.parametrize(
    ("generator", "query"), [("<generator>https://wordpress.org/?v=6.5</generator>", "paged"), ("", "page")]
)
def test_a_gap_is_closed_by_page_numbers_where_the_source_allows(
    server: Server, reader: Reader, generator: str, query: str
) -> None:
    reader.source = msgspec.structs.replace(reader.source, archives="paged")
    arrange_gap(server, reader, numbered(12, 11, 10, head=generator))
    server.answers[f"/feed?{query}=2"] = lambda handler: handler.give(200, numbered(9, 8, 7))
    server.answers[f"/feed?{query}=3"] = lambda handler: handler.give(200, numbered(6, 5, 4, 3))
    reader.until_idle()
    assert paths(server) == ["/feed", f"/feed?{query}=2", f"/feed?{query}=3"]
    assert len(reader.documents) == 3


def test_no_page_numbers_are_guessed_unless_the_source_allows(server: Server, reader: Reader) -> None:
    arrange_gap(server, reader, numbered(12, 11, 10))
    reader.until_idle()
    assert paths(server) == ["/feed"]
    assert reader.state["gap_at"]


def test_a_server_that_knows_no_page_numbers_is_asked_once(server: Server, reader: Reader) -> None:
    reader.source = msgspec.structs.replace(reader.source, archives="paged")
    arrange_gap(server, reader, numbered(12, 11, 10))
    server.answers["/feed?page=2"] = lambda handler: handler.give(200, numbered(12, 11, 10))
    reader.until_idle()
    assert paths(server) == ["/feed", "/feed?page=2"]
    assert len(reader.documents) == 1


def test_a_walk_is_bounded_and_ends_where_a_page_fails(server: Server, reader: Reader) -> None:
    feeds = msgspec.structs.replace(reader.settings.feeds, archive_pages=4)
    reader.settings = msgspec.structs.replace(reader.settings, feeds=feeds)
    reader.source = msgspec.structs.replace(reader.source, archives="paged")
    arrange_gap(server, reader, numbered(1002, 1001, 1000))
    for number in range(2, 20):
        content = numbered(*range(1000 - 3 * number, 1003 - 3 * number))
        server.answers[f"/feed?page={number}"] = lambda handler, content=content: handler.give(200, content)  # type: ignore[misc]
    reader.until_idle()
    assert paths(server) == ["/feed", *(f"/feed?page={number}" for number in range(2, 6))]
    server.answers["/feed"] = with_tag(numbered(3002, 3001, 3000), '"three"')
    server.answers["/feed?page=2"] = lambda handler: handler.give(404)
    server.seen.clear()
    reader.until_idle()
    assert paths(server) == ["/feed", "/feed?page=2"]
    assert reader.poll().problem is None, "the feed itself is well"


def test_archives_of_other_origins_are_left_alone(server: Server, reader: Reader) -> None:
    arrange_gap(server, reader, page(12, 11, 10, link="http://elsewhere.example/archive"))
    reader.until_idle()
    assert paths(server) == ["/feed"]


# Sitemaps


def index(*named: tuple[str, str]) -> bytes:
    rows = "".join(
        f"<sitemap><loc>{url}</loc>{f'<lastmod>{day}</lastmod>' if day else ''}</sitemap>" for url, day in named
    )
    return f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{rows}</sitemapindex>".encode()


def sitemap(*numbers: int) -> bytes:
    rows = "".join(
        f"<url><loc>https://paper.example/{n}</loc><news:news><news:title>Headline {n}</news:title>"
        f"<news:publication_date>2026-01-05</news:publication_date></news:news></url>"
        for n in numbers
    )
    return (
        "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' "
        f"xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'>{rows}</urlset>"
    ).encode()


def test_a_news_sitemap_is_a_source_like_a_feed(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = with_tag(sitemap(1, 2), '"one"')
    reader.poll()
    reader.poll()
    assert reader.documents == [sitemap(1, 2)]
    assert len(conditions(server)) == 2


def test_an_index_of_sitemaps_is_followed_to_what_is_new_in_it(server: Server, reader: Reader) -> None:
    places = {name: server.url(f"/{name}.xml") for name in ("old", "news", "late")}
    server.answers["/feed"] = with_tag(
        index((places["old"], "2025-01-01"), (places["news"], "2026-01-01"), (places["late"], "2026-01-04")), '"one"'
    )
    for number, name in enumerate(places):
        content = sitemap(number)
        server.answers[f"/{name}.xml"] = lambda handler, content=content: handler.give(200, content)  # type: ignore[misc]
    reader.until_idle()
    assert paths(server) == ["/feed", "/news.xml", "/late.xml", "/old.xml"]
    assert len(reader.documents) == 3
    server.seen.clear()
    server.answers["/feed"] = with_tag(
        index((places["old"], "2025-01-01"), (places["news"], "2026-01-05"), (places["late"], "2026-01-04")), '"two"'
    )
    reader.until_idle()
    assert paths(server) == ["/feed", "/news.xml"], "only what has changed"


def test_a_sitemap_that_fails_is_left_out(server: Server, reader: Reader) -> None:
    server.answers["/feed"] = with_tag(index((server.url("/a.xml"), ""), (server.url("/b.xml"), "")), '"one"')
    server.answers["/a.xml"] = lambda handler: handler.give(404)
    server.answers["/b.xml"] = lambda handler: handler.give(200, sitemap(1))
    reader.until_idle()
    assert paths(server) == ["/feed", "/a.xml", "/b.xml"]
    assert reader.documents == [sitemap(1)]
