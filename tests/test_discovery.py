"""Finding a site's feeds: what it declares, what it links to, what robots.txt names, and usual places."""

from __future__ import annotations

import asyncio

import pytest

from tests.desk_support import Office, office_fixture
from tests.http_support import Answer, Handler, Server, feed_answer, redirect_to
from tests.manners_support import item, numbered, rss
from tests.test_manners_http import index, sitemap
from worker.errors import FetchError
from worker.intake.discovery import Found, candidates, declared, guesses, sitemaps
from worker.intake.http import HttpClient
from worker.operate.discover import Asker, discover

PAGE = """<!doctype html><html><head><base href="/section/"><title>Paper</title>
<link rel="alternate" type="application/rss+xml" title="All" href="all.rss">
<link rel="alternate" type="application/rss+xml" title="Comments on this" href="/comments/feed">
<link rel="alternate" hreflang="de" href="/de"><link rel="stylesheet" href="/feed.css"></head>
<body><a href="/rss/sport.xml">Sport  news</a><a href="https://feeds.paper.example/x">All</a>
<a href="https://other.example/rss">Theirs</a><a href="javascript:feed()">x</a><a href="/feedback">Write</a></body>
</html>"""


def give(body: bytes | str) -> Answer:
    return feed_answer(body if isinstance(body, bytes) else body.encode())


def missing(handler: Handler) -> None:
    handler.give(404)


office = office_fixture({"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0"})


def look(office: Office, server: Server, path: str = "/", *, allowed: bool = True) -> list[Found]:
    for place in [*(f"/{each.url.rpartition('/')[2]}" for each in guesses(server.url("/"))), "/robots.txt"]:
        server.answers.setdefault(place, missing)
    server.answers.setdefault("/feeds/posts/default", missing)
    hosts = frozenset(("127.0.0.1",)) if allowed else frozenset[str]()
    asker = Asker(HttpClient("copydesk tests"), office.desk.hosts, office.desk.settings, hosts)
    return asyncio.run(discover(server.url(path), asker))


def test_what_a_page_declares_and_links_to() -> None:
    found = declared(PAGE.encode(), (), "https://www.paper.example/home")
    assert [(each.url, each.origin, each.title) for each in found] == [
        ("https://www.paper.example/section/all.rss", "declared", "All"),
        ("https://www.paper.example/rss/sport.xml", "linked", "Sport news"),
        ("https://feeds.paper.example/x", "linked", "All"),
    ]


def test_link_headers_declare_too() -> None:
    header = b'</f.atom>; rel="alternate"; type="application/atom+xml", </x>; rel="next"'
    (found,) = declared(b"", ((b"Link", header),), "https://paper.example/")
    assert found.url == "https://paper.example/f.atom"


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"<", b"<a href='http://[x'>rss</a><base href='http://['>"])
def test_pages_that_are_none_declare_nothing(content: bytes) -> None:
    assert declared(content, (), "https://paper.example/") == []


def test_robots_names_sitemaps_those_for_news_first() -> None:
    text = (
        "User-agent: *\nDisallow: /x\nSITEMAP: https://p.example/all.xml\n Sitemap:/news-map.xml\nSitemap: ftp://x/\n"
    )
    assert [each.url for each in sitemaps(text, "https://p.example/robots.txt")] == [
        "https://p.example/news-map.xml",
        "https://p.example/all.xml",
    ]


def test_no_more_is_asked_than_is_polite() -> None:
    assert len(candidates(guesses("https://p.example/a/b"), guesses("https://q.example/a"))) == 20


def test_the_declared_feeds_of_a_site_are_looked_at(office: Office, server: Server) -> None:
    server.answers["/"] = give(PAGE)
    server.answers["/section/all.rss"] = give(rss(item(1), item(2)))
    server.answers["/rss/sport.xml"] = give("<html><body>no feed</body></html>")
    found = look(office, server)
    assert [(each.url, each.kind, each.title, each.entries) for each in found] == [
        (server.url("/section/all.rss"), "feed", "Paper", 2)
    ]


def test_a_feed_is_itself(office: Office, server: Server) -> None:
    server.answers["/"] = redirect_to("/feed.xml")
    server.answers["/feed.xml"] = give(numbered(1))
    (found,) = look(office, server)
    assert (found.url, found.origin) == (server.url("/feed.xml"), "itself")


def test_usual_places_are_tried_where_nothing_is_declared(office: Office, server: Server) -> None:
    server.answers["/"] = give("<html><body><p>Welcome</p></body></html>")
    server.answers["/atom.xml"] = give(numbered(1))
    server.answers["/rss"] = give(numbered())
    server.answers["/robots.txt"] = give(f"Sitemap: {server.url('/map.xml')}\nSitemap: {server.url('/news.xml')}")
    server.answers["/map.xml"] = give(index((server.url("/a.xml"), "")))
    server.answers["/news.xml"] = give(sitemap(1, 2))
    assert [(each.url, each.origin, each.kind) for each in look(office, server)] == [
        (server.url("/atom.xml"), "guessed", "feed"),
        (server.url("/news.xml"), "robots", "sitemap"),
        (server.url("/map.xml"), "robots", "sitemap_index"),
    ]


def test_private_addresses_are_behind_the_same_door(office: Office, server: Server) -> None:
    with pytest.raises(FetchError) as caught:
        look(office, server, allowed=False)
    assert caught.value.code == "refused"
    assert server.seen == []


def test_hosts_are_leased_while_they_are_asked_and_free_afterwards(office: Office, server: Server) -> None:
    held: list[bool] = []

    def answer(handler: Handler) -> None:
        held.append(isinstance(office.desk.hosts.take(["127.0.0.1"])["127.0.0.1"], float))
        handler.give(200, numbered(1))

    server.answers["/"] = answer
    look(office, server)
    assert held == [True]
    assert not isinstance(office.desk.hosts.take(["127.0.0.1"])["127.0.0.1"], float)


def test_a_site_that_cannot_be_had_is_an_error(office: Office, server: Server) -> None:
    server.answers["/"] = missing
    with pytest.raises(FetchError, match="HTTP 404"):
        look(office, server)
