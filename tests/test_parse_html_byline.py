"""Who wrote a page, as the page shows it."""

from __future__ import annotations

import lxml.html
import pytest

from worker.parse.html_byline import visible_names, without_sites


def names(markup: str) -> list[str]:
    return next(visible_names(lxml.html.document_fromstring(f"<html><body>{markup}</body></html>")), [])


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<span itemprop="author"><span itemprop="name">Ann Roe</span>, Reporter</span>', ["Ann Roe"]),
        ('<p class="byline">By Ann Roe and Tom Lee | 3 May 2025</p>', ["Ann Roe", "Tom Lee"]),
        ('<div class="article__author">Von Ann Roe<br>Stand: 03.05.2025</div>', ["Ann Roe"]),
        ('<a rel="author" href="/authors/ann">Ann Roe</a>', ["Ann Roe"]),
        ('<div class="comment-author">Tom Lee</div>', []),
        ('<aside><span class="author">Tom Lee</span></aside>', []),
        ('<span class="byline">Staff Reporter</span>', []),
    ],
)
def test_reads_visible_bylines(markup: str, expected: list[str]) -> None:
    assert names(markup) == expected


def test_the_sites_own_names_are_no_authors() -> None:
    assert without_sites(["Valley Post", "Ann Roe", "valleypost"], ["Valley Post", "valleypost.example"]) == ["Ann Roe"]
