"""Feeds: what the golden pairs cannot say, because it is about refusals or many small variants."""

from __future__ import annotations

from datetime import UTC, datetime

from worker.model import Article, Document, Http, Refusal
from worker.parse import parse_document

RECEIVED = datetime(2025, 6, 1, tzinfo=UTC)


def rss(
    items: str, channel: str = "<link>https://valley.example/</link>", url: str | None = None
) -> list[Article | Refusal]:
    content = f'<rss version="2.0"><channel><title>Valley</title>{channel}{items}</channel></rss>'.encode()
    http = Http(url=url, status=200) if url else None
    return parse_document(Document(source_id="t", origin="t", received_at=RECEIVED, http=http), content)


def test_an_entry_without_text_is_refused_with_its_facts() -> None:
    (found,) = rss(
        "<item><link>https://valley.example/bridge</link><guid isPermaLink='false'>b-1</guid>"
        "<pubDate>Mon, 05 May 2025 10:00:00 GMT</pubDate></item>"
    )
    assert isinstance(found, Refusal)
    assert (found.code, found.member) == ("no_article", 0)
    assert found.article is not None
    assert (found.article.url, found.article.guid) == ("https://valley.example/bridge", "b-1")
    assert found.article.published_at == datetime(2025, 5, 5, 10, tzinfo=UTC)


def test_an_empty_entry_has_no_facts() -> None:
    (found,) = rss("<item></item>")
    assert isinstance(found, Refusal)
    assert found.article is None
