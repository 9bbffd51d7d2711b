"""When a page was published, where only unusual markup or a line of text says so."""

from __future__ import annotations

from itertools import chain

import lxml.html
import pytest

from worker.parse.html_dates import dates_below, marked_dates, named_dates, shown_dates

MOMENT = "2025-05-03T10:30:00Z"


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("article:published", True),
        ("publication_date", True),
        ("og:published_time", True),
        ("dcterms.date", True),
        ("cxenseparse:recs:publishtime", True),
        ("release_date", True),
        ("revised", False),
        ("video:release_date", False),
        ("article:publisher", False),
    ],
)
def test_a_meta_element_may_name_the_day_of_publication_in_other_words(*, name: str, counts: bool) -> None:
    assert named_dates({name: [MOMENT]}) == ([MOMENT] if counts else [])


def test_of_several_dates_of_publication_the_earliest_day_and_its_time_come_first() -> None:
    meta = {"published-time": ["2026-03-09T08:00Z"], "published-date": ["2025-05-03"], "pub_time": [MOMENT]}
    assert named_dates(meta)[0] == MOMENT


@pytest.mark.parametrize(
    "others",
    [
        '<time class="updated" datetime="2025-06-01T00:00Z"></time>',
        '<aside><time datetime="2024-01-01T00:00Z"></time></aside>',
        '<div class="related"><time datetime="2024-01-01T00:00Z"></time></div>',
    ],
)
def test_the_articles_own_time_comes_before_others(others: str) -> None:
    page = f'<h1>Kiln</h1>{others}<time datetime="{MOMENT}"></time>'
    assert marked_dates(lxml.html.document_fromstring(page))[0] == MOMENT


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<span class="date" data-timestamp="1746268200">3 May</span>', "2025-05-03T10:30:00+00:00"),
        ('<span class="date">Publicado el 3 de mayo de 2025</span>', "2025-05-03T00:00:00+00:00"),
        ('<p class="post-date">3 мая 2025, 10:30</p>', "2025-05-03T00:00:00+00:00"),
        ('<p class="articleDate">2025년 5월 3일</p>', "2025-05-03T00:00:00+00:00"),
        ("<time>٣ مايو ٢٠٢٥</time>", "2025-05-03T00:00:00+00:00"),
        ('<div class="date">3 พฤษภาคม 2568</div>', "2025-05-03T00:00:00+00:00"),
        ('<div class="meta">Ann Roe | 3. května 2025</div>', "2025-05-03T00:00:00+00:00"),
        ('<aside><p class="date">3 May 2025</p></aside>', None),
        ('<p class="updated-date">3 May 2025</p>', None),
        ("<p>On 3 May 2025 the kiln was lit.</p>", None),
        ('<p class="date">4. 2. 2025.</p>', "2025-02-04T00:00:00+00:00"),
        ('<p class="date">2025年5月3日 読了 3 分</p><p class="date">3 May 2024</p>', "2025-05-03T00:00:00+00:00"),
        ("<p>December 16, 2024, 4:19 PM</p>", "2024-12-16T00:00:00+00:00"),
        ('<p class="meta">Updated: May 4, 2025</p>', "2025-05-04T00:00:00+00:00"),
    ],
)
def test_a_line_marked_as_a_date_shows_it_in_any_language(markup: str, expected: str | None) -> None:
    page = lxml.html.document_fromstring(f"<h1>Kiln</h1>{markup}")
    found = next(chain(dates_below(page, ""), shown_dates(page, "")), None)
    assert (found.at.isoformat() if found and found.at else None) == expected


def first_date(markup: str) -> str | None:
    page = lxml.html.document_fromstring(markup)
    dates = chain(*(found(page, "Kiln is lit again") for found in (dates_below, shown_dates)))
    return next((one.at.date().isoformat() for one in dates if one.at), None)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>/ 3 May 2025</p><h1>Kiln</h1><p>It burns.</p>", "2025-05-03"),
        ("<p>3 May 2025</p><h1>Kiln</h1><p>4 May 2025</p>", "2025-05-04"),
        ("<p>3 May 2025</p><p>A</p><p>B</p><p>C</p><h1>Kiln</h1><p>It burns.</p>", None),
        ("<p>Ann Roe</p><p>May 3, 2025</p><h2>Kiln is lit again</h2><p>It burns.</p>", "2025-05-03"),
        ("<p>May 3, 2025</p><h2>Another kiln</h2><p>It burns.</p>", None),
        ('<h1>Kiln</h1><p class="meta">Roe / <b class="date">Updated: 3 May 2025, 9:05 IST</b>AA+</p>', "2025-05-03"),
    ],
)
def test_a_line_that_is_only_a_date_counts_right_at_the_headline(markup: str, expected: str | None) -> None:
    assert first_date(markup) == expected
