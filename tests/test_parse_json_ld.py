"""JSON-LD blocks as publishers write them: references, wrappers, escapes, pages without an article."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from worker.model import Article, Document
from worker.parse.document import parse_document
from worker.parse.json_ld import body_of, names_of, without_suffix


def parse(content: Any) -> Article:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    document = Document(source_id="t", origin="a.json", received_at=datetime(2025, 6, 1, tzinfo=UTC))
    (found,) = parse_document(document, data)
    assert isinstance(found, Article)
    return found


def test_authors_are_followed_to_the_node_they_refer_to() -> None:
    article = parse(
        {
            "@context": "https://schema.org",
            "@graph": [
                {"@type": "NewsArticle", "headline": "Bridge", "author": [{"@id": "#ann"}], "publisher": {"@id": "#v"}},
                {"@type": "Person", "@id": "#ann", "name": "Ann Lee"},
                {"@type": "Organization", "@id": "#v", "name": "Valley Press"},
            ],
        }
    )
    assert [person.name for person in article.authors] == ["Ann Lee"]
    assert article.source_name == "Valley Press"


def test_a_reference_to_itself_ends() -> None:
    article = parse({"@type": "NewsArticle", "@id": "#a", "headline": "Bridge", "author": {"@id": "#a"}})
    assert article.headline == "Bridge"


@pytest.mark.parametrize(
    ("before", "after"), [("//<![CDATA[\n", "\n//]]>"), ("<!--", "-->"), ("/*<![CDATA[*/", "/*]]>*/"), ("", ";")]
)
def test_the_wrapping_of_a_script_is_taken_off(before: str, after: str) -> None:
    text = f'{before}{{"@type": "NewsArticle", "headline": "Bridge"}}{after}'
    assert parse(text.encode()).headline == "Bridge"


def test_a_dated_page_stands_for_an_article_that_is_missing() -> None:
    article = parse(
        {
            "@context": "https://schema.org",
            "@graph": [
                {"@type": "WebSite", "name": "Valley Press"},
                {
                    "@type": "WebPage",
                    "url": "https://valley.example/bridge",
                    "name": "Bridge opens | Valley Press",
                    "datePublished": "2025-05-05T10:00:00+02:00",
                },
            ],
        }
    )
    assert (article.headline, article.url) == ("Bridge opens", "https://valley.example/bridge")
    assert article.published_at == datetime(2025, 5, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headline", "expected"),
    [
        ("Bridge opens | Valley Press", "Bridge opens"),
        ("Bridge opens | Traffic | Valley Press", "Bridge opens"),
        ("Bridge opens - valley press", "Bridge opens"),
        ("Bridge opens | at last", "Bridge opens | at last"),
        ("Valley Press", "Valley Press"),
    ],
)
def test_only_known_names_are_cut_off_a_headline(headline: str, expected: str) -> None:
    assert without_suffix(headline, ["Valley Press", "Traffic"]) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("One.\n\nTwo &amp;eacute;t&amp;eacute;.", "One.\n\nTwo été."),
        ("&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two.&lt;/p&gt;", "One.\n\nTwo."),
        ("AT&T and R&D", "AT&T and R&D"),
    ],
)
def test_escapes_of_escapes_are_resolved_and_paragraphs_kept(body: str, expected: str) -> None:
    assert body_of({"articleBody": body}) == expected


def test_a_body_put_together_twice_is_one() -> None:
    body = "The bridge over the river opens on Monday after three years of work. " * 2 + "Trains follow in autumn."
    assert body_of({"articleBody": f"{body} {body}"}) == body
    assert body_of({"articleBody": f"{body} {body} And more."}) == f"{body} {body} And more."


def test_names_in_parts_and_with_initials() -> None:
    assert names_of([{"givenName": "Ann", "familyName": "Lee"}]) == ["Ann Lee"]
    article = parse(
        {"@type": "NewsArticle", "headline": "Bridge", "author": {"@type": "Person", "name": "Ann Lee (all)"}}
    )
    assert [person.name for person in article.authors] == ["Ann Lee"]


def test_a_headline_ends_before_the_section_that_its_address_names() -> None:
    node = {"@type": "NewsArticle", "headline": "Bridge closes | Traffic", "url": "https://valley.example/traffic/a1"}
    assert parse(node).headline == "Bridge closes"
    assert parse({**node, "url": "https://valley.example/[/traffic"}).headline == "Bridge closes | Traffic"


def test_a_body_in_parts_has_a_paragraph_for_each() -> None:
    assert body_of({"articleBody": ["One.", "<b>Two.</b>", {"@value": "Three."}, None]}) == "One.\n\nTwo.\n\nThree."
