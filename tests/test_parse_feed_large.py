"""Large feeds: read fast where that gives the same articles as feedparser, and by feedparser where not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.model import Article, Document, Http, Refusal
from worker.parse import feed, feed_fast, feed_fast_rss
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


UNUSUAL_ATOM = [
    "<title type='html'>Ward &lt;b&gt;seven&lt;/b&gt; votes</title><link href='https://valley.example/n/7'/>",
    "<title>No address</title><id>urn:n:8</id><summary>Text.</summary>",
    "<title>Relative</title><link href='/n/9'/><summary>Text.</summary>",
    "<title>Two pages</title><link href='https://valley.example/a'/><link href='https://valley.example/b'/>",
    "<title type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'>Nine</div></title><link href='https://a.example/9'/>",
    "<title>Packed</title><link href='https://valley.example/n/p'/><content type='image/png'>aGVsbG8=</content>",
    "<title>Person</title><link href='https://a.example/q'/><author><name>a@valley.example (Ann)</name></author>",
    "<title>Source</title><link href='https://valley.example/n/s'/><source><title>Hill</title></source>",
    "<title>Helped</title><link href='https://valley.example/n/h'/><contributor><name>Bo Hill</name></contributor>",
    "<title>Mended</title><link href='https://valley.example/n/m'/><summary>It\u00e2\u0080\u0099s text.</summary>",
    "<link href='https://valley.example/n/empty'/>",
]


def atom_entry(number: int) -> str:
    return (
        f"<entry><id>urn:n:{number}</id><title>Ward {number} votes &amp; waits</title>"
        f"<link href='https://valley.example/n/{number}'/><link rel='self' href='/n/{number}.atom'/>"
        f"<link rel='enclosure' type='image/jpeg' href='https://valley.example/{number}.jpg'/>"
        f"<updated>2026-05-05T10:{number % 60:02}:00Z</updated><published>2026-05-05T08:00:00+02:00</published>"
        f"<author><name>Ann Marsh</name><uri>https://a.example/ann</uri></author><author><name>Bo Hill</name></author>"
        f"<content type='html'>&lt;p&gt;Ward {number} voted.&lt;/p&gt;&lt;p&gt;&lt;img src='/i.jpg' alt='hall'&gt; "
        f"It waits.&lt;/p&gt;</content><summary>Ward {number} in short.</summary>"
        f"<category term='w{number % 7}' scheme='https://valley.example/wards' label='Ward {number % 7}'/></entry>"
    )


def large_atom(*unusual: str) -> bytes:
    entries = [atom_entry(number) for number in range(ENTRIES)]
    for place, content in enumerate(unusual):
        entries.insert(10 * place + 5, f"<entry>{content}</entry>")
    head = "<title>Valley</title><id>urn:valley</id><author><name>The desk</name></author>"
    return f"<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='en-GB'>{head}{''.join(entries)}</feed>".encode()


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
        given.append(text.count("<item") + text.count("<entry"))
        return real(text, document)

    monkeypatch.setattr(feed, "_feedparser", spy)
    return given


@pytest.mark.parametrize("url", [None, "https://hill.example/feeds/rss"])
@pytest.mark.parametrize(
    "content",
    [
        large(),
        large_atom(),
        large_atom().replace(b"xml:lang", b"xml:base='https://dale.example/blog/' xml:lang", 1),
        large_atom().replace(b"<content ", b"<content xml:base='https://dale.example/blog/' "),
    ],
)
def test_a_large_plain_feed_gives_what_feedparser_gives(
    monkeypatch: pytest.MonkeyPatch, read_by_feedparser: list[int], content: bytes, url: str | None
) -> None:
    found = parse(content, url)
    assert len(found) == ENTRIES
    assert [count < ENTRIES for count in read_by_feedparser] == [True]
    for ours, theirs in zip(found, by_feedparser(monkeypatch, content, url), strict=True):
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


@pytest.mark.parametrize(
    ("unusual", "content"), [(UNUSUAL, large(*UNUSUAL)), (UNUSUAL_ATOM, large_atom(*UNUSUAL_ATOM))]
)
def test_unusual_entries_of_a_large_feed_are_read_by_feedparser(
    monkeypatch: pytest.MonkeyPatch, read_by_feedparser: list[int], unusual: list[str], content: bytes
) -> None:
    found = parse(content)
    assert [len(unusual) < count < ENTRIES for count in read_by_feedparser] == [True]
    reference = by_feedparser(monkeypatch, content)
    for place in range(len(unusual)):
        assert found[10 * place + 5] == reference[10 * place + 5]
    assert [type(item) for item in found] == [type(item) for item in reference]


def test_a_feed_of_another_kind_is_read_by_feedparser_alone(read_by_feedparser: list[int]) -> None:
    for content in (
        large().replace(b"<channel>", b"<channel xml:base='https://hill.example/'>", 1),
        large().replace(b"version='2.0'", b"version='0.91'", 1),
        large().replace(b"</rss>", b""),
        large(*UNUSUAL * 12)[:-1] + b">",
        large_atom().replace(b"xml:lang", b"xml:base='/hill/' xml:lang", 1),
        large_atom().replace(b"<summary>", b"<summary xml:lang='de'>"),
        large_atom().replace(b"2005/Atom", b"2004/Other", 1),
    ):
        read_by_feedparser.clear()
        parse(content)
        assert min(read_by_feedparser) >= ENTRIES


def test_where_the_two_readings_differ_feedparser_reads_everything(
    monkeypatch: pytest.MonkeyPatch, read_by_feedparser: list[int]
) -> None:
    monkeypatch.setitem(feed_fast_rss._TEXTS, "title", "summary")
    content = large().replace(b"<description>", b"<comments>").replace(b"</description>", b"</comments>")
    found = parse(content)
    assert read_by_feedparser[-1] == ENTRIES
    assert isinstance(found[0], Article)
    assert found[0].headline == "Ward 0 votes & waits"
