"""Feeds on the whole system: what lists and `why` say, what comes back after a removal, and which entries are news."""

from __future__ import annotations

import msgspec

from tests.desk_support import Office, office_fixture, text_article
from tests.http_support import Handler, Server
from tests.manners_support import item, numbered, rss
from worker import pipeline
from worker.intake.opml import OpmlFeed, sources_of
from worker.model import Source
from worker.operate.feeds import why
from worker.operate.idle import what_waits
from worker.operate.status import snapshot

NO_REST = {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0"}


office = office_fixture(NO_REST)


def paper(server: Server, path: str = "/feed", **facts: str) -> Source:
    return Source(id="paper", kind="feed", url=server.url(path), allowed_hosts=("127.0.0.1",), **facts)  # type: ignore[arg-type]


def serve(server: Server, content: bytes, tag: str = '"one"', path: str = "/feed") -> None:
    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == tag:
            handler.give(304)
        else:
            handler.give(200, content, ETag=tag)

    server.answers[path] = answer


def poll(office: Office) -> None:
    """Poll the feed now, take all steps it leaves, and do all the work behind them."""
    office.due_now("paper")
    while pipeline.poll(office.desk):
        office.drain()


def story(number: int, **names: str) -> str:
    return item(number, text=text_article(number), **names)


def test_why_tells_the_last_polls_and_the_next(office: Office, server: Server) -> None:
    serve(server, numbered(1, 2, 3))
    office.desk.sources.add(paper(server))
    for _ in range(12):
        poll(office)
    look = why(office.desk, "paper")
    assert (look["state"], len(look["polls"]), look["validators"]["etag"]) == ("healthy", 10, '"one"')
    newest = look["polls"][0]
    assert (newest["status"], newest["conditional"], newest["new"], newest["wire_bytes"]) == (304, True, 0, 0)
    assert look["due_in_seconds"] > 1800
    assert look["why_then"] == "feeds.interval_seconds"


def test_a_feed_that_is_gone_stays_gone_until_somebody_asks(office: Office, server: Server) -> None:
    server.answers["/feed"] = lambda handler: handler.give(410)
    office.desk.sources.sync((paper(server),))
    poll(office)
    office.desk.sources.sync((paper(server),))
    assert (office.desk.feeds.due(), what_waits(office.desk)) == (0, None)
    look = why(office.desk, "paper")
    assert (look["state"], look["due_in_seconds"]) == ("gone", None)
    (trouble,) = snapshot(office.desk)["sources_in_trouble"]
    assert (trouble["state"], trouble["due_in_seconds"]) == ("gone", None)
    serve(server, numbered(1))
    poll(office)
    assert why(office.desk, "paper")["state"] == "healthy"
    assert snapshot(office.desk)["sources_in_trouble"] == []


def test_a_feed_that_fails_is_in_trouble_with_its_reason(office: Office, server: Server) -> None:
    server.answers["/feed"] = lambda handler: handler.give(500)
    office.desk.sources.add(paper(server))
    poll(office)
    poll(office)
    (trouble,) = snapshot(office.desk)["sources_in_trouble"]
    assert trouble["state"] == "failing"
    assert trouble["problem"] == "http_status: HTTP 500 Internal Server Error (2 times in a row)"


def test_a_list_that_is_imported_again_polls_nobody_early(office: Office, server: Server) -> None:
    serve(server, numbered(1))
    office.desk.sources.add(paper(server))
    poll(office)
    due = office.desk.redis.zscore(office.desk.keys.name("feeds"), "paper")
    office.desk.sources.remove("paper")
    assert office.desk.sources.recall("paper") == {}
    office.desk.sources.add_all([paper(server)])
    assert office.desk.redis.zscore(office.desk.keys.name("feeds"), "paper") == due
    assert office.desk.feeds.due() == 0
    poll(office)
    assert [sent.get("if-none-match") for _, sent in server.seen] == [None, '"one"']


def test_a_feed_at_another_address_is_another_feed(office: Office, server: Server) -> None:
    serve(server, numbered(1))
    serve(server, numbered(2), path="/other")
    office.desk.sources.sync((paper(server),))
    poll(office)
    assert office.desk.feeds.due() == 0
    office.desk.sources.sync((paper(server, "/other"),))
    assert office.desk.feeds.due() == 1
    pipeline.poll(office.desk)
    assert [sent.get("if-none-match") for _, sent in server.seen] == [None, None]
    office.desk.sources.sync(())
    office.desk.sources.sync((paper(server),))
    assert office.desk.feeds.due() == 1, "what is remembered of one address is not for the other"


def test_a_list_becomes_sources_that_are_due(office: Office) -> None:
    imported = sources_of([OpmlFeed(url=f"https://a{n}.example/", name=f"A {n}", tags=("x",)) for n in range(3)], [])
    office.desk.sources.add_all(imported.sources)
    assert office.desk.feeds.due() == 3
    assert [state.source.tags for state in office.desk.sources.all()] == [("x",)] * 3


# Which entries are news


def test_other_guids_and_tracked_links_make_no_news(office: Office, server: Server) -> None:
    serve(server, rss(*(story(n, guid=f"v1-{n}") for n in range(10))))
    office.desk.sources.add(paper(server))
    poll(office)
    later = (story(n, guid=f"v2-{n}-x", link=f"https://paper.example/news/{n}?utm_source=rss") for n in range(12))
    serve(server, rss(*later), '"two"')
    poll(office)
    assert office.verdicts() == {"stored": 12, "duplicate": 10}


def test_a_site_that_changes_to_https_brings_no_news(office: Office, server: Server) -> None:
    for scheme in ("http", "https"):
        names = [f"{scheme}://paper.example/{n}" for n in range(5)]
        serve(server, rss(*(story(n, guid=name, link=name) for n, name in enumerate(names))), f'"{scheme}"')
        if scheme == "http":
            office.desk.sources.add(paper(server))
        poll(office)
    assert office.verdicts() == {"stored": 5, "duplicate": 5}


def test_a_corrected_entry_is_a_new_version(office: Office, server: Server) -> None:
    serve(server, rss(story(1, title="Quake hits city, 3 dead")))
    office.desk.sources.add(paper(server))
    poll(office)
    serve(server, rss(item(1, title="Quake hits city, 12 dead", text="Revised. " + text_article(1))), '"two"')
    poll(office)
    assert office.verdicts() == {"stored": 1, "updated": 1}


def test_entries_that_share_a_guid_are_all_kept_also_one_at_a_time(office: Office, server: Server) -> None:
    serve(server, rss(*(story(n, guid="paper") for n in range(4))))
    office.desk.sources.add(paper(server))
    poll(office)
    for number in range(4, 7):
        serve(server, rss(story(number, guid="paper"), story(number - 1, guid="paper")), f'"{number}"')
        poll(office)
    assert office.verdicts()["stored"] == 7
    serve(server, rss(story(9, guid="paper")), '"alone"')
    poll(office)
    assert office.verdicts()["stored"] == 8
    assert "updated" not in office.verdicts()


def test_a_gap_is_closed_and_every_entry_stored_once(office: Office, server: Server) -> None:
    source = msgspec.structs.replace(paper(server), archives="paged")
    serve(server, rss(*(story(n) for n in (3, 2, 1))))
    office.desk.sources.add(source)
    poll(office)
    serve(server, rss(*(story(n) for n in (12, 11, 10))), '"two"')
    server.answers["/feed?page=2"] = lambda handler: handler.give(200, rss(*(story(n) for n in (9, 8, 7))))
    server.answers["/feed?page=3"] = lambda handler: handler.give(200, rss(*(story(n) for n in (6, 5, 4, 3))))
    poll(office)
    assert office.verdicts() == {"stored": 12, "duplicate": 1}
    assert (why(office.desk, "paper")["gaps_suspected"], why(office.desk, "paper")["steps_left"]) == (1, 0)
    assert office.desk.feeds.due() == 0
