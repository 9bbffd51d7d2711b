"""Who wrote a page, as the page shows it."""

from __future__ import annotations

import lxml.html
import pytest

from tests.desk_support import document
from worker.parse.draft import Draft
from worker.parse.html_authors import set_authors
from worker.parse.html_byline import Bylines, without_sites
from worker.parse.html_metadata import read_metadata
from worker.parse.html_signature import find_signature
from worker.parse.json_ld import read_facts


def names(markup: str) -> list[str]:
    groups = Bylines(lxml.html.document_fromstring(f"<html><body>{markup}</body></html>")).names()
    return next((group for group in groups if group), [])


CARD = '<section><p class="card__author">Tom Lee</p></section>'


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
        ("<h1>Kiln</h1><p>By Ann Roe on December 3, 2025</p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p><span>Von</span> <span>Ann Roe</span></p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>Written by:<b>Ann Roe</b></p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>ByAnn Roe</p>", ["Ann Roe"]),
        ('<div class="author"><span>Ann Roe</span><span>Head of Kilns</span></div>', ["Ann Roe"]),
        ('<div class="author"><div>Ann Roe</div><div>and</div><div>Tom Lee</div></div>', ["Ann Roe", "Tom Lee"]),
        ('<div class="author">Author Ann Roe</div>', ["Ann Roe"]),
        ('<h1>Kiln</h1><a href="/autoren/name/ann-roe">Dr. Ann Roe</a>', ["Dr. Ann Roe"]),
        ('<h1>Kiln</h1><a href="/authors/all">Member Login</a>', []),
        ('<a href="/author/tom-lee">Tom Lee</a><h1>Kiln</h1>', []),
        ("<h1>Kiln</h1><p>By the end of the year the kiln was lit again.</p>", []),
        ('<figure itemprop="author">Tom Lee</figure>', []),
        ('<span class="author">Personal finance</span>', []),
        ("<h1>Kiln</h1><span>Ann Roe, April 19, 2020</span>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>11.12.2019 - Ann Roe</p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>Am Sonntag, 5. November 2023</p>", []),
        ("<h1>Kiln</h1><p>Ein Gastbeitrag von <b>Ann Roe</b></p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>- Redaktion: Ann Roe (Sprecherin der Töpfer)</p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>Redaktion im Wandel</p>", []),
        ("<h1>Kiln</h1><p><b>Contributors:</b> Ann Roe</p>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>Autoren Ann Roe und Tom Lee</p>", ["Ann Roe", "Tom Lee"]),
        ("<h1>Kiln</h1><p><span>By</span><span>by ANN ROE and TOM LEE</span></p>", ["Ann Roe", "Tom Lee"]),
        ("<h1>Kiln</h1><p>Posted by Ann</p>", ["Ann"]),
        ("<h1>Kiln</h1><p>By Christmas</p>", []),
        ('<div class="author">Posted on May 3, 2025 by Ann Roe</div>', ["Ann Roe"]),
        ('<span class="author vcard">ann</span>', ["ann"]),
        ('<span class="byline__tag">Pottery</span>', []),
        ('<a rel="author" href="/">Kilns in the Valley</a>', []),
        ('<div class="with-sidebar"><p class="byline">By Ann Roe</p></div>', ["Ann Roe"]),
        ('<div class="sidebar"><p class="byline">By Ann Roe</p></div>', []),
        ('<div class="teaser-top"><h1>Kiln</h1><p class="byline">By Ann Roe</p></div>', ["Ann Roe"]),
        ('<h1>Kiln</h1><div class="teaser"><h1>Bridge</h1><p class="byline">By Ann Roe</p></div>', []),
        ('<div class="content-sidebar"><p class="byline">By Ann Roe</p></div>', ["Ann Roe"]),
        ('<h1>窯</h1><a href="/author/18/">著者：山田花子</a>', ["山田花子"]),
        (
            '<p class="byline">By <a href="/author/ann">Ann Roe</a>. Reviewed by <a href="/author/tom">Tom Lee</a></p>',
            ["Ann Roe"],
        ),
        ('<p class="byline">Redaktion: Eva Lenz und <a href="/authors/ann">Ann Roe</a></p>', ["Eva Lenz", "Ann Roe"]),
        ('<div class="byline">Lifestyle Desk / valleytimes</div>', []),
        ('<span class="byline">Valley Kiln Productions: Pots &amp; Podcast</span>', []),
        ('<span class="author">TM</span>', []),
        ('<p class="author">This post was written by Ann Roe, Head of Kilns and Glazes</p>', ["Ann Roe"]),
        ('<p class="author-note">Ann Roe</p>', []),
        ('<div class="author-contact">Ann Roe</div>', []),
        ('<span class="byline">3.5.2025 Uppdaterad</span>', []),
        ("<h1>Kiln</h1><h2>Article written by:</h2><h3>Ann Roe, MD</h3>", ["Ann Roe"]),
        ("<h1>Kiln</h1><p>13 May 2025 | Published by A. Roe on</p>", ["A. Roe"]),
        ("<p>责任编辑：王小明</p>", ["王小明"]),
        ("<p>作者：记者王小明</p>", ["王小明"]),
        ('<p class="byline">By Valley Desk</p><p class="byline">By Tom Lee</p>', ["Tom Lee"]),
        (f'<p class="byline">By Valley Desk</p>{CARD}', []),
    ],
)
def test_reads_visible_bylines(markup: str, expected: list[str]) -> None:
    assert names(markup) == expected


def test_the_sites_own_names_are_no_authors() -> None:
    assert without_sites(["Valley Post", "Ann Roe", "valleypost"], ["Valley Post", "valleypost.example"]) == ["Ann Roe"]


def authors(head: str, body: str = "") -> list[str]:
    head = f"<meta property='og:site_name' content='Valley Post'><link rel='canonical' href='https://annroe.example/a'>{head}"
    tree = lxml.html.document_fromstring(f"<html><head>{head}</head><body>{body}</body></html>")
    draft = Draft(document(), "text/html")
    found = read_metadata(tree)
    for node in found.articles:
        read_facts(node, draft)
    set_authors(draft, tree, found)
    return [person.name for person in draft.fields.get("authors", ())]


def ld(author: str) -> str:
    return f'<script type=\'application/ld+json\'>{{"@type": "NewsArticle", "author": {author}}}</script>'


BYLINE = '<p class="byline">By Tom Lee</p>'
CITED = "".join(f"<meta name='{name}' content='Eva Lenz'>" for name in ("dc.creator", "citation_author"))
CITED += "<meta name='citation_author' content='Tom Lee'>"
EVA = "<p>Pictures of Eva Lenz</p>"
LABELLED = "<meta name='twitter:label1' content='Interview by'><meta name='twitter:data1' content='Eva Lenz'>"
SIGNED = "<div><p><b><a rel='author'>Tom Lee</a></b></p><p><b><a rel='author'>Eva Lenz</a></b></p></div>"


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (ld('"Eva Lenz and Tom Lee"'), "", ["Eva Lenz", "Tom Lee"]),
        (ld('[{"name": "Eva Lenz"}, {"@type": "Person", "name": "dpa"}]'), "", ["Eva Lenz"]),
        (ld('{"@type": "Person", "name": "Valley Post"}'), BYLINE, ["Tom Lee"]),
        (ld('{"@type": "Person", "name": "Valley Post"}'), "", []),
        ("<meta name='author' content='Ann Roe'>", BYLINE, ["Tom Lee"]),
        ("<meta name='author' content='Valley Post - Eva Lenz'>", "", ["Eva Lenz"]),
        ("<meta name='author' content='Ann Roe'>", "", ["Ann Roe"]),
        ("<meta name='cXenseParse:author' content='Eva Lenz'>", f"{BYLINE}{EVA}", ["Eva Lenz"]),
        (
            "<meta name='twitter:label1' content='Written by'><meta name='twitter:data1' content='Eva Lenz'>",
            "",
            ["Eva Lenz"],
        ),
        (
            f"<meta name='author' content='Valley Post'>{LABELLED}",
            f"{BYLINE}{EVA}",
            ["Eva Lenz"],
        ),
        (
            "<meta name='twitter:label1' content='Reading time'><meta name='twitter:data1' content='Five minutes'>",
            "",
            [],
        ),
        (ld('"TomL"'), BYLINE, ["Tom Lee"]),
        (ld('"Tom"'), '<p class="byline">By Tom</p><p>By Eva Lenz</p>', ["Tom"]),
        (ld('"TomL"'), "", ["TomL"]),
        ("<meta name='author' value='Eva Lenz'>", "", ["Eva Lenz"]),
        ("<meta name='author' content='Eva Lenz'>", BYLINE, ["Tom Lee"]),
        ("<meta name='author' content='Eva Lenz'>", f"{BYLINE}{EVA}", ["Eva Lenz"]),
        (
            "<meta name='author' content='Valley Group'><meta name='article:author' content='Eva Lenz'>",
            "",
            ["Eva Lenz"],
        ),
        (
            "<meta name='dc.creator' content='Lenz, Eva'><meta name='dc.creator' content='Lee, T.'>",
            "",
            ["Eva Lenz", "T. Lee"],
        ),
        (
            CITED,
            "",
            ["Eva Lenz", "Tom Lee"],
        ),
        ("<meta name='author' content='Ann Roe'>", '<p class="author">Ann Roe</p>', ["Ann Roe"]),
        ("", '<p class="byline">By Valley Desk</p><p><a href="/author/tom-lee">Tom Lee</a></p>', []),
        ("", '<p class="author">Ann Roe</p>', ["Ann Roe"]),
        (ld('"Eva Lenz"'), BYLINE, ["Eva Lenz"]),
        (ld('"Eva Lenz"'), f"{BYLINE}<p>Editor : <a href='/eva'>Eva Lenz</a></p>", ["Tom Lee"]),
        (ld('"Eva Lenz"'), "<p>Editor: Eva Lenz</p>", ["Eva Lenz"]),
        (ld('"Eva Lenz"'), SIGNED, ["Tom Lee", "Eva Lenz"]),
        (ld('"Mia Berg"'), SIGNED, ["Mia Berg"]),
        (ld('"Eva Lenz"'), SIGNED.replace("<b>", "<b class='other'>", 1), ["Eva Lenz"]),
    ],
)
def test_people_are_authors_and_outlets_are_not(head: str, body: str, expected: list[str]) -> None:
    assert authors(head, body) == expected


TEXT = ["The kiln was lit again on Monday.", "Potters came from three valleys.", "It will burn until the spring."]


def signed(paragraphs: list[str], markup: str) -> tuple[str, ...]:
    found = find_signature("\n\n".join(paragraphs), markup, "A kiln burns")
    return found.names if found else ()


@pytest.mark.parametrize(
    ("paragraphs", "markup", "expected"),
    [
        (["Ann Roe", *TEXT], "<p><strong>Ann Roe</strong></p>", ("Ann Roe",)),
        (["...a kiln burns", "Ann Roe/Tom Lee", *TEXT], "<p><b>Ann Roe/Tom Lee</b></p>", ("Ann Roe", "Tom Lee")),
        ([*TEXT, "Ann Roe"], "<p><em>Ann Roe</em></p>", ("Ann Roe",)),
        ([*TEXT, "Ann Roe"], '<p style="text-align:right">Ann Roe</p>', ("Ann Roe",)),
        ([*TEXT, "ar, tl; Foto: Tom Lee"], "", ("ar", "tl")),
        ([*TEXT, "dpa; Foto: Tom Lee"], "", ()),
        ([*TEXT, "홍길동 기자 hong@valley.example", "[사진=골짜기]"], "", ("홍길동",)),
        ([*TEXT, "칼럼니스트 홍길동 hong@valley.example"], "", ("홍길동",)),
        ([*TEXT, "어제 홍길동 기자 회견이 있었다."], "", ()),
        ([*TEXT, "Ann Roe"], "<p>Ann Roe</p>", ()),
        (["Ann Roe", *TEXT, "Roe has burnt pots since May."], "<p><b>Ann Roe</b></p>", ()),
        (["Monday Potters", *TEXT, "All potters know."], "<p><b>Monday Potters</b></p>", ()),
        (["Key Takeaways", *TEXT], "<p><strong>Key Takeaways</strong></p>", ()),
        ([TEXT[0], "Ann Roe", *TEXT[1:]], "<p><b>Ann Roe</b></p>", ()),
        ([*TEXT, "Ann Roe fired the kiln."], "<p><b>Ann Roe fired the kiln.</b></p>", ()),
    ],
)
def test_a_name_set_apart_from_the_text_signs_it(paragraphs: list[str], markup: str, expected: tuple[str, ...]) -> None:
    assert signed(paragraphs, markup) == expected
