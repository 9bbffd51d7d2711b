"""What a page says beside its text: rights, opt-outs, subjects, pictures, whether it is free."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.model import Article, Document, Http, Media, Rights, Subject
from worker.parse.document import parse_document

TEXT = (
    "<article>"
    + "<p>The valley council voted on Monday to close the old bridge, its chair said.</p>" * 6
    + "</article>"
)


def page(head: str = "", body: str = "", http: Http | None = None) -> Article:
    """The article of a page with these elements."""
    markup = (
        f"<html><head><title>Old bridge closes</title>{head}</head><body><h1>Old bridge closes</h1>{TEXT}{body}</body>"
    )
    document = Document(
        source_id="s", origin="a.html", received_at=datetime(2026, 5, 1, tzinfo=UTC), media_type="text/html", http=http
    )
    (article,) = parse_document(document, f"{markup}</html>".encode())
    assert isinstance(article, Article), article
    return article


def json_ld(properties: str) -> str:
    node = f'{{"@type": "NewsArticle", "headline": "Old bridge closes", {properties}}}'
    return f'<script type="application/ld+json">{node}</script>'


def test_rights_are_read_from_json_ld_and_elements() -> None:
    head = json_ld('"copyrightHolder": {"name": "Valley Press"}, "copyrightNotice": "(c) 2026 Valley Press"')
    article = page(head + '<link rel="license" href="https://licences.example/by/4.0/">')
    assert article.rights == Rights(
        holder="Valley Press", notice="(c) 2026 Valley Press", usage_terms="https://licences.example/by/4.0/"
    )
    assert article.provenance["rights.holder"] == "json-ld"
    assert article.provenance["rights.usage_terms"] == "link"


@pytest.mark.parametrize(
    ("head", "training", "origin"),
    [
        ('<meta name="robots" content="index, noai">', False, "meta robots"),
        ('<meta name="robots" content="NOIMAGEAI">', False, "meta robots"),
        ('<meta name="tdm-reservation" content="1">', False, "meta tdm-reservation"),
        ('<meta name="tdm-reservation" content="0">', True, "meta tdm-reservation"),
        ('<meta name="tdm-reservation" content="0"><meta name="robots" content="noai">', False, "meta robots"),
    ],
)
def test_a_page_may_refuse_training(*, head: str, training: bool, origin: str) -> None:
    article = page(head)
    assert article.rights is not None
    assert (article.rights.ai_training, article.provenance["rights.ai_training"]) == (training, origin)


def test_a_page_that_says_nothing_of_rights_has_none() -> None:
    assert page('<meta name="robots" content="index, follow, noarchive">').rights is None


def test_http_headers_may_refuse_training() -> None:
    address = "https://valley.example/a"
    article = page(http=Http(url=address, status=200, tdm_reservation="1", tdm_policy="/policy.json"))
    assert article.rights == Rights(ai_training=False, usage_terms="https://valley.example/policy.json")
    article = page(http=Http(url=address, status=200, robots="otherbot: noai"))
    assert article.provenance["rights.ai_training"] == "http x-robots-tag"


def test_subjects_keep_their_vocabulary() -> None:
    about = """"about": [
        {"@type": "Thing", "name": "Bridges", "sameAs": "https://things.example/entity/Q12280"},
        {"@type": "Thing", "name": "Transport", "@id": "http://cv.iptc.org/newscodes/mediatopic/20000337"},
        {"@type": "Thing", "name": "Valley"}]"""
    assert page(json_ld(about)).subjects == (
        Subject(name="Bridges", scheme="https://things.example/entity/", code="Q12280"),
        Subject(name="Transport", scheme="medtop", code="20000337"),
        Subject(name="Valley"),
    )


def test_iptc_codes_in_meta_are_subjects() -> None:
    article = page('<meta name="iptc-codes" content="medtop:20000337, medtop:11000000">')
    assert [subject.code for subject in article.subjects] == ["20000337", "11000000"]
    assert article.provenance["subjects"] == "meta"


def test_a_part_that_must_be_paid_for_is_a_paywall() -> None:
    part = '"hasPart": {"@type": "WebPageElement", "isAccessibleForFree": "False", "cssSelector": ".paid"}'
    assert page(json_ld(part)).is_accessible_for_free is False


def test_a_correction_in_the_data_is_told() -> None:
    assert "correction" in page(json_ld('"correction": "The vote was on Monday, not Tuesday."')).warnings


def test_figures_give_caption_and_credit() -> None:
    head = '<meta property="og:image" content="https://valley.example/i/large/bridge.jpg">'
    figure = """<main><figure><img src="https://valley.example/i/small/bridge.jpg">
        <figcaption>The bridge in spring. <span class="photo-credit">Ada Lind</span></figcaption></figure>
        <figure><img src="https://valley.example/i/chair.jpg"><figcaption>The chair</figcaption></figure></main>"""
    assert page(head, figure).media == (
        Media(
            url="https://valley.example/i/large/bridge.jpg",
            type="image",
            caption="The bridge in spring.",
            credit="Ada Lind",
        ),
        Media(url="https://valley.example/i/chair.jpg", type="image", caption="The chair"),
    )


def test_a_zone_that_the_search_for_a_visible_date_does_not_know_is_nobodys_concern() -> None:
    article = page(body='<abbr class="published" title="2014-12-29 08:57:25 EST">at the end of December</abbr>')
    assert (article.published_at, article.published_precision) == (datetime(2014, 12, 29, tzinfo=UTC), "day")


def test_a_declared_day_that_may_be_a_month_gives_way_to_the_day_that_is_shown() -> None:
    declared = '<meta property="article:published_time" content="03-09-2025">'
    article = page(declared, "<h2>More</h2><p>Published March 9, 2025</p>")
    assert (article.published_at, article.published_precision) == (datetime(2025, 3, 9, tzinfo=UTC), "day")


def test_the_day_right_below_the_headline_is_surer_than_the_day_of_a_change() -> None:
    changed = '<meta property="article:modified_time" content="2025-10-28T22:26:10+00:00">'
    assert page(changed, "<b>April 26, 2025</b>").published_at == datetime(2025, 4, 26, tzinfo=UTC)


def test_a_description_of_nothing_but_tags_costs_nothing_else() -> None:
    found = page('<meta name="description" content="' + "&amp;lt;div&amp;gt;" * 20_000 + 'Closed">')
    assert (found.headline, found.abstract) == ("Old bridge closes", "Closed")


def test_a_publisher_is_no_author_where_somebody_signs() -> None:
    head = '<meta name="author" content="Ediciones Valle"><meta name="DC.publisher" content="Ediciones Valle">'
    signed = page(head, '<a rel="author" href="/autor/ann_roe">Ann Roe</a><p>© Ediciones Valle</p>')
    assert [author.name for author in signed.authors] == ["Ann Roe"]


def test_an_address_that_is_none_costs_nothing_else() -> None:
    found = page('<link rel="canonical" href="https://[valley/kiln">')
    assert (found.headline, found.canonical_url) == ("Old bridge closes", None)
