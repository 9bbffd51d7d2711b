"""Which organisations count as authors of a page."""

from __future__ import annotations

import lxml.html
import pytest

from tests.desk_support import document
from worker.model import Author
from worker.parse.draft import Draft
from worker.parse.html_byline import Bylines
from worker.parse.html_metadata import read_metadata
from worker.parse.html_organisations import set_organisations
from worker.parse.json_ld import read_facts


def read(*head: str) -> Draft:
    markup = "".join(["<meta property='og:site_name' content='Valley Post'>", *head])
    found = read_metadata(lxml.html.document_fromstring(f"<html><head>{markup}</head><body></body></html>"))
    draft = Draft(document(), "text/html")
    for node in found.articles:
        read_facts(node, draft)
    set_organisations(draft, found, None)
    return draft


def organisations(*head: str) -> list[str]:
    return [author.name for author in read(*head).fields.get("authors", ()) if author.type == "organization"]


def ld(author: str) -> str:
    return f'<script type=\'application/ld+json\'>{{"@type": "NewsArticle", "author": {author}}}</script>'


def meta(author: str) -> str:
    return f"<meta name='author' content='{author}'>"


OUTLET = '{"@type": "Organization", "name": "Valley Post"}'


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ([ld(OUTLET)], ["Valley Post"]),
        ([ld('"Valley Desk"')], ["Valley Desk"]),
        ([ld('[{"name": "AFP"}, {"name": "dpa"}]')], ["AFP", "dpa"]),
        ([meta("By valleypost.example")], ["valleypost.example"]),
        ([ld(OUTLET), meta("Associated Press")], ["Associated Press"]),
        ([ld('{"@type": "Person", "name": "Valley Desk"}'), meta("Associated Press")], ["Valley Desk"]),
        ([meta("vpost")], []),
        ([meta("desk@valley.example")], []),
        ([meta("Site Admin")], []),
        ([meta("Guest Contributor")], []),
        ([meta("Super User")], []),
        ([meta("Valley Bird Society")], ["Valley Bird Society"]),
        ([meta("Bird &amp;amp; Kiln Society")], ["Bird & Kiln Society"]),
        ([], []),
    ],
)
def test_what_a_page_declares_is_its_author_where_it_names_nobody(head: list[str], expected: list[str]) -> None:
    assert organisations(*head) == expected


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ('{"@type": "Organization", "name": "Valley Desk"}', ["Valley Desk"]),
        ('{"@type": "Person", "name": "dpa"}', ["dpa"]),
        (OUTLET, []),
        ('{"@type": "Person", "name": "Admin"}', []),
    ],
)
def test_beside_people_counts_who_is_in_their_list_and_not_the_site(listed: str, expected: list[str]) -> None:
    assert organisations(ld(f'[{{"name": "Ann Roe"}}, {listed}]')) == expected


def test_an_organisation_elsewhere_is_no_author_beside_people() -> None:
    assert organisations(ld('"Ann Roe"'), meta("Valley Desk")) == []


@pytest.mark.parametrize(("shown", "expected"), [("The Valley Team", ["The Valley Team"]), ("vpost", [])])
def test_who_a_byline_shows_counts_where_nothing_is_declared(shown: str, expected: list[str]) -> None:
    found = read_metadata(lxml.html.document_fromstring("<html><body></body></html>"))
    draft = Draft(document(), "text/html")
    set_organisations(draft, found, shown)
    assert [author.name for author in draft.fields.get("authors", ())] == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<p class="byline">By The Valley Team</p>', "The Valley Team"),
        ('<p class="author">Redaktion</p>', "Redaktion"),
        ('<p class="author">Kiln Desk / valleypost.example / 3 May 2025</p>', "Kiln Desk"),
        ("<h1>Kiln</h1><ul><li>by <a>Valley Post</a></li></ul>", "Valley Post"),
        ("<h1>Kiln</h1><p>Par AFP</p>", "AFP"),
        ('<p class="byline">By River News</p>', "River News"),
        ('<p class="byline">River News</p>', None),
        ('<form><p class="author">Redaktion</p></form>', None),
        ('<p class="byline">By Ann Roe, Valley Team</p>', None),
        ('<p class="byline">Our team of potters lit the kiln</p>', None),
        ("<h1>Kiln</h1><p>By the end of the year the kiln was lit again by a team.</p>", None),
        ('<aside><p class="author">Redaktion</p></aside>', None),
        ("<p>Valley Team</p>", None),
    ],
)
def test_a_marked_byline_may_name_an_organisation(markup: str, expected: str | None) -> None:
    tree = lxml.html.document_fromstring(f"<html><body>{markup}</body></html>")
    assert Bylines(tree, ("Valley Post", "valleypost.example")).organisation == expected


def test_an_agency_is_author_and_provider() -> None:
    draft = read(meta("Associated Press"))
    assert draft.fields["authors"] == (Author(name="Associated Press", type="organization"),)
    assert draft.fields["provider"] == "Associated Press"
    assert draft.provenance["authors"] == draft.provenance["provider"] == "meta"
