"""Large feeds: read fast where that gives the same articles as feedparser, and by feedparser where not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.model import Article, Document, Http, Refusal
from worker.parse import feed, feed_fast
from worker.parse.document import parse_document

ENTRIES = 150
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:odd="https://valley.example/odd"'
)
UNUSUAL = [
    "<title>Ward &lt;b&gt;seven&lt;/b&gt; votes</title><link>https://valley.example/n/7</link>",
    "<title>No address</title><guid isPermaLink='false'>n-8</guid><description>Text.</description>",
    "<title>Relative</title><link>/n/9</link><description>Text.</description>",
    "<title>Person</title><author>a@valley.example (Ann Marsh)</author><description>Text.</description>",
    "<title>Twice</title><title>Again</title><description>Text.</description>",
    "<title>Nested</title><description><p xmlns='http://www.w3.org/1999/xhtml'>Text <b>here</b>.</p></description>",
    "<title>Unknown</title><odd:summary>Odd.</odd:summary><description>Text.</description>",
    "<title>Date</title><pubDate>martes, 5 de mayo de 2026 a las 10</pubDate><description>Text.</description>",
    "<title>Rights</title><dc:rights>All kept.</dc:rights><description>Text.</description>",
    "<title>Mended</title><description>It\u00e2\u0080\u0099s text.</description>",
    "<link>https://valley.example/n/empty</link>",
]


def item(number: int) -> str:
    return (
        f"<item><title>Ward {number} votes &amp; waits</title><link>https://valley.example/n/{number}?a=1&amp;b=2</link>"
        f"<guid isPermaLink='false'>n-{number}</guid><pubDate>Tue, 05 May 2026 10:{number % 60:02}:00 +0200</pubDate>"
        f"<dc:creator>Ann Marsh</dc:creator><category domain='wards'>Ward {number % 7}</category>"
        f"<description>Ward {number} in short.</description>"
        f"<content:encoded><![CDATA[<p>Ward {number} voted.</p><p><img src='/i.jpg' alt='hall'> It waits.</p>]]>"
        f"</content:encoded><media:content url='https://valley.example/{number}.jpg' medium='image'/></item>"
    )


def large(*unusual: str) -> bytes:
    items = [item(number) for number in range(ENTRIES)]
    for place, content in enumerate(unusual):
        items.insert(10 * place + 5, f"<item>{content}</item>")
    head = "<title>Valley</title><link>https://valley.example/</link><language>en</language>"
    return f"<rss version='2.0' {NAMESPACES}><channel>{head}{''.join(items)}</channel></rss>".encode()


def parse(content: bytes, url: str | None = None) -> list[Article | Refusal]:
    received = datetime(2026, 6, 1, tzinfo=UTC)
    http = Http(url=url, status=200) if url else None
    return parse_document(Document(source_id="t", origin="t", received_at=received, http=http), content)


def by_feedparser(monkeypatch: pytest.MonkeyPatch, content: bytes, url: str | None = None) -> list[Article | Refusal]:
    with monkeypatch.context() as patch:
        patch.setattr(feed_fast, "FEWEST_ENTRIES", 10_000)
        return parse(content, url)


@pytest.fixture
def read_by_feedparser(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each call of feedparser was given."""
    given: list[int] = []
    real = feed._feedparser

    def spy(text: str, document: Document) -> object:
        given.append(text.count("<item"))
        return real(text, document)

    monkeypatch.setattr(feed, "_feedparser", spy)
    return given


@pytest.mark.parametrize("url", [None, "https://hill.example/feeds/rss"])
def test_a_large_plain_feed_gives_what_feedparser_gives(
    monkeypatch: pytest.MonkeyPatch, read_by_feedparser: list[int], url: str | None
) -> None:
    found = parse(large(), url)
    assert len(found) == ENTRIES
    assert [count < ENTRIES for count in read_by_feedparser] == [True]
    for ours, theirs in zip(found, by_feedparser(monkeypatch, large(), url), strict=True):
        assert isinstance(ours, Article)
        assert isinstance(theirs, Article)
        assert "hall" in (ours.body_html or "")
        assert unordered(ours) == unordered(theirs)


def unordered(article: Article) -> list[tuple[str, object]]:
    """Everything, but attributes of markup in any order."""
    facts = {name: getattr(article, name) for name in article.__struct_fields__}
    return [*((name, value) for name, value in facts.items() if name != "body_html"), words(article.body_html)]


def words(markup: str | None) -> tuple[str, object]:
    return "body_html", sorted((markup or "").replace(">", " > ").replace("<", " < ").split())


def test_unusual_entries_of_a_large_feed_are_read_by_feedparser(
    monkeypatch: pytest.MonkeyPatch, read_by_feedparser: list[int]
) -> None:
    content = large(*UNUSUAL)
    found = parse(content)
    assert [len(UNUSUAL) < count < ENTRIES for count in read_by_feedparser] == [True]
    reference = by_feedparser(monkeypatch, content)
    for place in range(len(UNUSUAL)):
        assert found[10 * place + 5] == reference[10 * place + 5]
    assert [type(item) for item in found] == [type(item) for item in reference]


def test_a_feed_of_another_kind_is_read_by_feedparser_alone(read_by_feedparser: list[int]) -> None:
    for content in (
        large().replace(b"<channel>", b"<channel xml:base='https://hill.example/'>", 1),
        large().replace(b"version='2.0'", b"version='0.91'", 1),
        large().replace(b"</rss>", b""),
        large(*UNUSUAL * 12)[:-1] + b">",
    ):
        read_by_feedparser.clear()
        parse(content)
        assert min(read_by_feedparser) >= ENTRIES


def test_where_the_two_readings_differ_feedparser_reads_everything(
    monkeypatch: pytest.MonkeyPatch, read_by_feedparser: list[int]
) -> None:
    monkeypatch.setitem(feed_fast._TEXTS, "title", "summary")
    content = large().replace(b"<description>", b"<comments>").replace(b"</description>", b"</comments>")
    found = parse(content)
    assert read_by_feedparser[-1] == ENTRIES
    assert isinstance(found[0], Article)
    assert found[0].headline == "Ward 0 votes & waits"
