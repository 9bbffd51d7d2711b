"""Pages of articles that a feed only summarises: fetched once each, politely, with the entry itself to fall back on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.desk_support import NOW, Office, die_in_a_child, office_fixture, open_office
from tests.http_support import Answer, Handler, Server, feed_answer, serving
from worker import pipeline
from worker.config import Feeds
from worker.intake.fulltext import Cutter, PageTask, applies, field_of, next_task, tried_again
from worker.intake.glance import MOST_ENTRIES, glance
from worker.intake.robots import UNREACHABLE, Robots, robots_of
from worker.model import Document, FeedEntry, Record, Source
from worker.operate.feeds import why
from worker.operate.idle import what_waits

AGENT = "copydesk/1 (+https://desk.example)"
SETTINGS = {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0", "COPYDESK_FEEDS_FULL_TEXT": Feeds().full_text}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        server.answers["/robots.txt"] = lambda handler: handler.give(404)
        yield server


office = office_fixture(SETTINGS)


def source(server: Server, **facts: Any) -> Source:
    facts = {"full_text": "auto", "allowed_hosts": ("127.0.0.1",), **facts}
    return Source(id="paper", kind="feed", url=server.url("/feed"), **facts)


def feed_of(server: Server, *numbers: int, text: str = "") -> bytes:
    items = "".join(
        f"<item><title>Headline {n}</title><link>{server.url(f'/news/{n}')}</link><guid isPermaLink='false'>g{n}</guid>"
        f"<pubDate>Mon, 05 Jan 2026 10:0{n % 10}:00 GMT</pubDate>"
        f"<description>{text or f'In short, what happened in {n}.'}</description></item>"
        for n in numbers
    )
    return f"<rss version='2.0'><channel><title>Paper</title>{items}</channel></rss>".encode()


def sentences(number: int) -> str:
    return " ".join(
        f"Sentence {index} of story {number} tells at some length what the council decided on point {index * number}."
        for index in range(1, 30)
    )


def page(number: int, head: str = "", html: str = "<html lang='en'>") -> bytes:
    text = sentences(number)
    return (
        f"<!doctype html>{html}<head><title>Headline {number}</title>{head}</head><body><nav>Home Sport</nav><article>"
        f"<h1>Headline {number}</h1><p>{text[:900]}</p><p>{text[900:]}</p></article></body></html>"
    ).encode()


def serve_pages(server: Server, *numbers: int) -> None:
    for number in numbers:
        server.answers[f"/news/{number}"] = feed_answer(page(number), Content_Type="text/html")


def with_tag(content: bytes, tag: str) -> Answer:
    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == tag:
            handler.give(304)
        else:
            handler.give(200, content, ETag=tag)

    return answer


def poll(office: Office) -> None:
    office.due_now("paper")
    while pipeline.poll(office.desk):
        office.drain()


def records(office: Office) -> dict[str, Record]:
    """Newest record by guid."""
    return {record.guid or "": record for record in office.queued()}


def paths(server: Server) -> list[str]:
    return [path for path, _ in server.seen]


def test_the_pages_of_summaries_are_fetched_once_each(office: Office, server: Server) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2, 3), '"one"')
    serve_pages(server, 1, 2, 3, 4)
    office.desk.sources.add(source(server))
    poll(office)
    assert office.verdicts() == {"stored": 3}
    server.answers["/feed"] = with_tag(feed_of(server, 4, 3, 2, 1), '"two"')
    poll(office)
    poll(office)
    assert office.verdicts() == {"stored": 4}
    fetched = [path for path in paths(server) if path != "/feed"]
    assert fetched == ["/robots.txt", "/news/1", "/news/2", "/news/3", "/news/4"]
    assert all("if-none-match" not in sent for path, sent in server.seen if path != "/feed")
    record = records(office)["g2"]
    assert record.headline == "Headline 2"
    assert "Sentence 29 of story 2" in record.body_text
    assert record.abstract == "In short, what happened in 2."
    assert (record.is_full_text, record.url) == (True, server.url("/news/2"))
    assert record.published_at is not None
    assert (record.published_at.minute, record.published_source) == (2, "feed")
    assert what_waits(office.desk) == "4 records for the store"


def test_what_a_feed_of_summaries_takes_back_is_withdrawn(office: Office, server: Server) -> None:
    entry = f"<entry><id>tag:g1</id><title>Headline 1</title><link href='{server.url('/news/1')}'/></entry>"
    gone = (
        "<at:deleted-entry xmlns:at='http://purl.org/atompub/tombstones/1.0' ref='tag:g1' when='2026-01-06T10:00:00Z'/>"
    )
    other = entry.replace("tag:g1", "tag:g2").replace("1<", "2<").replace("/1'", "/2'")
    feeds = (f"<feed xmlns='http://www.w3.org/2005/Atom'>{all_of}</feed>" for all_of in (entry + other, other + gone))
    server.answers["/feed"] = with_tag(next(feeds).encode(), '"one"')
    serve_pages(server, 1, 2)
    office.desk.sources.add(source(server))
    poll(office)
    server.answers["/feed"] = with_tag(next(feeds).encode(), '"two"')
    poll(office)
    events = [(record.guid, record.event) for record in office.queued()]
    assert events == [("tag:g1", "create"), ("tag:g2", "create"), ("tag:g1", "withdraw")]


def test_entries_that_share_a_page_or_lead_to_a_front_page_are_all_kept(office: Office, server: Server) -> None:
    feed = feed_of(server, 1, 2, 3, 4)
    for link, other in (("/news/2", "/news/1#second"), ("/news/3", "/"), ("/news/4", "")):
        feed = feed.replace(server.url(link).encode() + b"<", server.url(other).encode() + b"<")
    server.answers["/feed"] = with_tag(feed, '"one"')
    office.desk.sources.add(source(server))
    poll(office)
    assert paths(server) == ["/feed"]
    assert set(records(office)) == {"g1", "g2", "g3", "g4"}


def test_an_entry_takes_the_place_of_its_own_task_and_of_no_other() -> None:
    entry = FeedEntry(content=b"<rss/>", url="https://paper.example/feed")
    first = PageTask(url="https://paper.example/1", guid="g1", entry=entry, since=1.0)
    changed, other = msgspec.structs.replace(first, since=2.0), msgspec.structs.replace(first, guid="g9")
    assert field_of(changed) == field_of(first) != field_of(other)


def test_a_changed_entry_has_its_page_fetched_again(office: Office, server: Server) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2), '"one"')
    serve_pages(server, 1, 2)
    office.desk.sources.add(source(server))
    poll(office)
    server.answers["/feed"] = with_tag(
        feed_of(server, 1, 2).replace(b"happened in 1", b"really happened in 1"), '"two"'
    )
    server.answers["/news/1"] = feed_answer(page(1).replace(b"Sentence 5", b"Corrected sentence 5"))
    poll(office)
    assert office.verdicts() == {"stored": 2, "updated": 1}
    assert "Corrected sentence 5" in records(office)["g1"].body_text


@pytest.mark.parametrize(("mode", "fetched"), [(None, True), ("never", False)])
def test_pages_of_summaries_are_fetched_unless_the_source_says_otherwise(
    office: Office, server: Server, mode: str | None, *, fetched: bool
) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2), '"one"')
    serve_pages(server, 1, 2)
    office.desk.sources.add(source(server, full_text=mode))
    poll(office)
    assert paths(server) == ["/feed", *(["/robots.txt", "/news/1", "/news/2"] if fetched else [])]
    assert office.verdicts() == {"stored": 2}
    assert {record.is_full_text for record in office.queued()} == {fetched}


def test_a_feed_whose_texts_are_whole_has_no_page_fetched_by_default(office: Office, server: Server) -> None:
    notes = b"<description>In short.</description>"
    whole = notes + b"<encoded>In short, and that is all there was to say of it.</encoded>"
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2, text="In short.").replace(notes, whole), '"one"')
    office.desk.sources.add(source(server, full_text=None))
    poll(office)
    assert paths(server) == ["/feed"]
    assert office.verdicts() == {"stored": 2}


def test_whether_a_feed_carries_summaries_is_seen_by_looking(server: Server) -> None:
    short = glance(feed_of(server, 1, 2), None, server.url("/feed"))
    long = glance(feed_of(server, 1, 2, text=sentences(1)), None, server.url("/feed"))
    assert (applies("auto", short), applies("auto", long)) == (True, False)
    assert (applies("always", long), applies("never", short)) == (True, False)


@pytest.mark.parametrize(
    ("ending", "teaser"),
    [
        ("and so on.", False),
        ("what became of it...", True),
        ("what became of it […]", True),
        ("&lt;a href='/news/1'&gt;Continue reading &#8594;&lt;/a&gt;", True),
        ("&lt;p&gt;Read more&lt;/p&gt;", True),
        ("She has read more.", False),
    ],
)
def test_a_text_that_leads_on_is_a_teaser_wherever_it_stands(server: Server, ending: str, *, teaser: bool) -> None:
    feed = feed_of(server, 1, text=f"In short, {ending}").replace(b"description>", b"content>")
    assert applies("auto", glance(feed, None, server.url("/feed"))) == teaser


def test_markup_that_changes_with_every_answer_changes_no_entry(office: Office, server: Server) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1, text="In short. &lt;img src='t?1'/&gt;"), '"one"')
    serve_pages(server, 1)
    office.desk.sources.add(source(server))
    poll(office)
    server.answers["/feed"] = with_tag(feed_of(server, 1, text="In short. &lt;img src='t?2'/&gt;"), '"two"')
    poll(office)
    assert paths(server).count("/news/1") == 1


def test_a_feed_too_large_to_look_through_is_handed_over_whole(office: Office, server: Server) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, *range(MOST_ENTRIES + 5)), '"one"')
    office.desk.sources.add(source(server))
    poll(office)
    assert paths(server) == ["/feed"]
    assert office.verdicts() == {"stored": MOST_ENTRIES + 5}


FALLBACKS: dict[str, Answer] = {
    "missing": lambda handler: handler.give(404),
    "no page": feed_answer(b"%PDF-1.4", Content_Type="application/pdf"),
    "a teaser": feed_answer(b"<!doctype html><html><body><article><p>In short.</p></article></body></html>"),
}


@pytest.mark.parametrize("answer", FALLBACKS.values(), ids=list(FALLBACKS))
def test_the_entry_goes_alone_where_its_page_cannot_be_had(office: Office, server: Server, answer: Answer) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2), '"one"')
    serve_pages(server, 2)
    server.answers["/news/1"] = answer
    office.desk.sources.add(source(server))
    poll(office)
    assert office.verdicts() == {"stored": 2}
    record = records(office)["g1"]
    assert record.body_text == "In short, what happened in 1."
    assert "full_text_unavailable" in record.warnings
    assert record.is_full_text is False or record.is_full_text is None
    assert "full_text_unavailable" not in records(office)["g2"].warnings


def test_robots_are_obeyed_and_asked_once_a_day(office: Office, server: Server) -> None:
    server.answers["/robots.txt"] = feed_answer(
        b"User-agent: copydesk\nDisallow: /news/1\n\nUser-agent: *\nDisallow: /"
    )
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2), '"one"')
    serve_pages(server, 2)
    office.desk.sources.add(source(server))
    poll(office)
    assert paths(server) == ["/feed", "/robots.txt", "/news/2"]
    assert "full_text_unavailable" in records(office)["g1"].warnings
    assert office.desk.redis.ttl(office.desk.keys.robots(server.url("/robots.txt"))) > 80_000


def test_a_host_that_does_not_tell_its_rules_is_left_alone(office: Office, server: Server) -> None:
    server.answers["/robots.txt"] = lambda handler: handler.give(500)
    server.answers["/feed"] = with_tag(feed_of(server, 1), '"one"')
    office.desk.sources.add(source(server))
    poll(office)
    assert paths(server) == ["/feed", "/robots.txt"]
    assert office.verdicts() == {"stored": 1}


def test_pages_on_private_hosts_are_behind_the_same_door(office: Office, server: Server) -> None:
    content = feed_of(server, 1).replace(b"127.0.0.1", b"127.0.0.2")
    server.answers["/feed"] = with_tag(content, '"one"')
    office.desk.sources.add(source(server))
    poll(office)
    assert paths(server) == ["/feed"]
    assert "full_text_unavailable" in records(office)["g1"].warnings


def test_a_busy_host_is_asked_again_later_and_the_feed_not_before_its_time(office: Office, server: Server) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1), '"one"')
    server.answers["/news/1"] = lambda handler: handler.give(503, Retry_After="600")
    office.desk.sources.add(source(server))
    poll(office)
    look = why(office.desk, "paper")
    assert (office.verdicts(), look["steps_left"]) == ({}, 1)
    assert 300 < look["due_in_seconds"] <= 600
    assert paths(server) == ["/feed", "/robots.txt", "/news/1"]


def test_secrets_go_to_the_feeds_own_origin_only(office: Office, server: Server) -> None:
    with serving(Server()) as other:
        other.answers["/robots.txt"] = lambda handler: handler.give(404)
        serve_pages(other, 1)
        serve_pages(server, 2)
        both = feed_of(other, 1)[: -len(b"</channel></rss>")] + feed_of(server, 2).partition(b"</title>")[2]
        server.answers["/feed"] = with_tag(both, '"one"')
        office.desk.sources.add(source(server, headers={"X-Key": "secret"}))
        poll(office)
        assert office.verdicts() == {"stored": 2}
        assert all("x-key" not in sent for _, sent in other.seen)
        assert all(sent["x-key"] == "secret" for _, sent in server.seen)


def test_an_amp_page_is_left_for_the_page_itself(office: Office, server: Server) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1), '"one"')
    server.answers["/news/1"] = feed_answer(
        page(1, "<link rel='canonical' href='/whole/1'>", html="<html amp lang='en'>")
    )
    server.answers["/whole/1"] = feed_answer(page(1, "<link rel='canonical' href='/whole/1'>"))
    office.desk.sources.add(source(server))
    poll(office)
    assert paths(server) == ["/feed", "/robots.txt", "/news/1", "/whole/1"]
    record = records(office)["g1"]
    assert "amp_page" not in record.warnings
    assert "Sentence 29" in record.body_text


def test_a_paywall_is_noted(office: Office, server: Server) -> None:
    walled = (
        '<script type="application/ld+json">'
        + json.dumps(
            {
                "@context": "https://schema.org",
                "@type": "NewsArticle",
                "headline": "Headline 1",
                "isAccessibleForFree": False,
            }
        )
        + "</script>"
    )
    server.answers["/feed"] = with_tag(feed_of(server, 1), '"one"')
    server.answers["/news/1"] = feed_answer(page(1, walled))
    office.desk.sources.add(source(server))
    poll(office)
    record = records(office)["g1"]
    assert "paywall" in record.warnings
    assert record.is_accessible_for_free is False


def test_a_kill_loses_no_page_and_repeats_no_article(office: Office, server: Server, server_url: str) -> None:
    server.answers["/feed"] = with_tag(feed_of(server, 1, 2, 3), '"one"')
    serve_pages(server, 1, 2, 3)
    office.desk.sources.add(source(server))

    def poll_until_a_page_and_die() -> None:
        with open_office(server_url, office.desk.settings) as mine:
            settle = mine.desk.settle

            def settle_or_die(ended: Any) -> None:
                if any(each.polled and each.polled.document and each.polled.document.entry for each in ended):
                    os.kill(os.getpid(), signal.SIGKILL)
                settle(ended)

            mine.desk.settle = settle_or_die  # type: ignore[method-assign]
            while pipeline.poll(mine.desk):
                pass

    die_in_a_child(poll_until_a_page_and_die)
    assert why(office.desk, "paper")["steps_left"] == 3
    for name in office.desk.redis.scan_iter(match="*host:*"):
        office.desk.redis.delete(name)  # the dead one's lease
    poll(office)
    assert office.verdicts() == {"stored": 3}
    assert paths(server).count("/feed") == 1
    assert [paths(server).count(f"/news/{n}") for n in (1, 2, 3)] == [2, 1, 1]


def test_cut_feeds_hold_what_they_were_cut_for(server: Server) -> None:
    content = feed_of(server, 1, 2, 3).decode().replace("happened", "härpened").encode("iso-8859-1")
    document = Document(
        source_id="x",
        origin="x",
        received_at=NOW,
        encoding_declared="iso-8859-1",
    )
    cutter = Cutter(content, document)
    for position, number in enumerate((1, 2, 3)):
        cut = cutter.cut((position,))
        assert cut is not None
        (entry,) = glance(cut, None, server.url("/feed")).entries
        assert (entry.guid, f"härpened in {number}" in cut.decode()) == (f"g{number}", True)
    assert cutter.cut((0, 2)) is not None
    assert Cutter(b"\x00\x01", document).cut((0,)) is None


def test_tasks_wait_after_failures_and_end_after_the_third() -> None:
    task = PageTask(url="https://a.example/", entry=FeedEntry(content=b"", url="https://a.example/f"), since=1.0)
    second = tried_again(task, 100.0, None)
    assert second is not None
    assert second.due_at == 160
    assert (next_task({"a": second}, 120.0), next_task({"a": second, "b": task}, 120.0)) == (None, ("b", task))
    third = tried_again(second, 200.0, 999_999.0)
    assert third is not None
    assert third.due_at == 3800
    assert tried_again(third, 300.0, None) is None


@pytest.mark.parametrize(("status", "allowed"), [(200, True), (404, True), (403, True), (429, False), (503, False)])
def test_robots_that_are_missing_allow_and_robots_that_fail_do_not(status: int, *, allowed: bool) -> None:
    assert robots_of(status, b"").allows("https://a.example/x", AGENT) is allowed


def test_crawl_delay_is_kept_within_reason() -> None:
    assert Robots(text="User-agent: *\nCrawl-delay: 4").rest_seconds(AGENT) == 4
    assert Robots(text="User-agent: *\nCrawl-delay: 86400").rest_seconds(AGENT) == 30
    assert UNREACHABLE.rest_seconds(AGENT) == 0
