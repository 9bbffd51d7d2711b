"""Which blocks of a page are its article."""

from __future__ import annotations

import lxml.html
import pytest

from worker.parse.html_blocks import read_blocks
from worker.parse.html_body import choose_body, find_body
from worker.parse.html_extractors import Opinions
from worker.parse.html_repeats import without_repeats
from worker.parse.html_weights import FITTED
from worker.parse.html_words import PHRASES, PLACES, read_table

PARAGRAPHS = (
    "The kiln of the upper village was lit again on Saturday after a pause of thirty years, and half the valley came.",
    "Potters from four countries, among them two masters, had sent their work to be fired in it over the winter.",
    "The fire burned for three days and two nights, and the mayor said that he had never seen such a crowd before.",
    "Wood for the fire came from the forest above the village, where a storm had felled more trees than could be sold.",
    "An old man who had worked at the kiln as a boy was asked to lay the first log, and he did so without a word.",
    "Much of what was fired will be shown in the town hall until August; some of it, the mayor hopes, will be bought.",
    "Money is needed for the roof, which lets in the rain, and for the path, which the buses of the guests destroyed.",
    "The next firing is planned for spring, when the road to the village will be open to buses again, she said.",
)
PAGE = f"""<html><head><title>Kiln is lit again</title></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li><li><a href="/life">Life</a></li></ul></nav>
<article class="article"><h1>Kiln is lit again</h1><div class="article-body">
<p>{PARAGRAPHS[0]}</p><figure><figcaption class="caption">The kiln. Photo: Ann Roe</figcaption></figure>
<p>{PARAGRAPHS[1]} <a href="/more">More work</a> came later.</p><p>{PARAGRAPHS[2]}</p>
<div class="newsletter-signup"><p>Sign up for our newsletter and get it every morning.</p></div>
{"".join(f"<p>{text}</p>" for text in PARAGRAPHS[3:])}</div></article>
<aside class="related"><h3>Related</h3><ul><li><a href="/a">Market is back in the lower village</a></li></ul></aside>
<section class="comments"><div class="comment"><p>What a great story, thanks!</p></div></section>
<footer><p>© 2025 Valley Post. All rights reserved.</p></footer></body></html>"""


def body_of(markup: str) -> str:
    found = find_body(lxml.html.document_fromstring(markup), markup, "Kiln is lit again")
    return found.text if found else ""


def test_paragraphs_come_whole_and_in_order() -> None:
    text = body_of(PAGE)
    places = [text.find(paragraph) for paragraph in PARAGRAPHS]
    assert -1 not in places
    assert places == sorted(places)
    assert "More work came later." in text


def test_what_stands_around_the_article_is_left_out() -> None:
    text = body_of(PAGE)
    for noise in ("newsletter", "Photo: Ann Roe", "Market is back", "great story", "rights reserved", "Sport"):
        assert noise not in text


def test_a_page_without_text_has_no_body() -> None:
    assert body_of("<html><body><script>var a = 1</script></body></html>") == ""


def test_the_markup_keeps_links_and_lists() -> None:
    markup = PAGE.replace(
        "</article>", f"<ul><li>{PARAGRAPHS[0]} First.</li><li>{PARAGRAPHS[1]} Second.</li></ul></article>"
    )
    found = find_body(lxml.html.document_fromstring(markup), markup, "Kiln is lit again")
    assert found is not None
    assert 'href="/more"' in found.markup
    assert found.markup.count("<ul>") == found.markup.count("</ul>")


def test_blocks_know_links_line_breaks_and_skipped_elements() -> None:
    tree = lxml.html.document_fromstring(
        "<body><div>One <a href='/x'>two</a><br>three<script>no()</script> four<p>Five</p>six</div></body>"
    )
    blocks = [(block.text, block.link_characters, block.whole) for block in read_blocks(tree)]
    assert blocks == [("One two\nthree four", 3, False), ("Five", 0, True), ("six", 0, False)]


def test_every_table_of_words_compiles_to_named_alternatives() -> None:
    for table in (PLACES, PHRASES):
        read = read_table(table)
        assert all(name.islower() and words and "||" not in words for name, words in read.items())


class Asked(Opinions):
    """Tells which extractors were asked."""

    def __init__(self, markup: str) -> None:
        super().__init__(lxml.html.document_fromstring(markup), markup)

    def names(self) -> set[str]:
        return set(vars(self)) & {"fast", "full", "precise"}


def test_other_extractors_are_asked_only_in_doubt() -> None:
    few = f"<html><body><div><p>{PARAGRAPHS[0]}</p><p>Sign up here</p></div></body></html>"
    doubtful, huge = Asked(few), Asked("<html><body><p>unused</p></body></html>")
    choose_body(read_blocks(lxml.html.document_fromstring(few)), "Kiln", doubtful, FITTED)
    assert "fast" in doubtful.names()
    paragraphs = "".join(f"<p>{number}. {PARAGRAPHS[number % 8]}</p>" for number in range(6000))
    markup = PAGE.replace("</article>", f"{paragraphs}</article>")
    body = choose_body(read_blocks(lxml.html.document_fromstring(markup)), "Kiln", huge, FITTED)
    assert huge.names() == set()
    assert body is not None
    assert body.text.count("\n\n") > 5990


class Given(Asked):
    """Opinions with trafilatura's text given, and a fast extractor that found nothing."""

    def __init__(self, markup: str, full: str) -> None:
        super().__init__(markup)
        self.fast = ""
        self.full = full


def test_all_are_heard_where_trafilatura_leaves_out_a_line() -> None:
    markup = f"<html><body><div>{''.join(f'<p>{text}</p>' for text in PARAGRAPHS[:6])}</div></body></html>"
    text = "\n\n".join(PARAGRAPHS[:6])
    alike, shorter = Given(markup, text.rsplit(" ", 2)[0]), Given(markup, text.rsplit(" ", 10)[0])
    for said in (alike, shorter):
        body = choose_body(read_blocks(lxml.html.document_fromstring(markup)), "Kiln", said, FITTED)
        assert body is not None
        assert body.text == text
    assert "precise" not in alike.names()
    assert "precise" in shorter.names()


def test_a_run_of_paragraphs_comes_once_however_often_the_page_holds_it() -> None:
    article = PAGE[PAGE.index("<article") : PAGE.index("</article>")].partition("</h1>")[2]
    twice = PAGE.replace("</article>", f"</article><article class='article'><h1>For phones</h1>{article}</article>")
    text = body_of(twice)
    assert [text.count(paragraph) for paragraph in PARAGRAPHS] == [1] * len(PARAGRAPHS)


def test_a_single_paragraph_may_come_again() -> None:
    verses = [
        "A kiln is lit, the valley sings.",
        "The fire burns for three long days.",
        "A kiln is lit, the valley sings.",
    ]
    assert without_repeats("\n\n".join(verses)) == "\n\n".join(verses)


def test_labels_of_advertisements_are_left_out() -> None:
    marked = PAGE.replace(f"<p>{PARAGRAPHS[5]}</p>", f"<p>ADVERTISEMENT</p><p>- Anzeige -</p><p>{PARAGRAPHS[5]}</p>")
    text = body_of(marked)
    assert "ADVERTISEMENT" not in text
    assert "Anzeige" not in text
    assert PARAGRAPHS[5] in text


@pytest.mark.parametrize(
    "filler",
    [
        "<p>Advertisement 2</p>",
        "<p>Advertisement - story continues below</p>",
        "<p>Der Artikel wird nach der Anzeige fortgesetzt.</p>",
        "<p>Loading...</p>",
        "<p>\u200d</p>",
        '<div class="visually-hidden">Article content</div>',
    ],
)
def test_what_only_says_what_stands_here_is_left_out(filler: str) -> None:
    marked = PAGE.replace(f"<p>{PARAGRAPHS[5]}</p>", f"{filler}<p>{PARAGRAPHS[5]}</p>")
    assert body_of(marked).split("\n\n") == body_of(PAGE).split("\n\n")


def test_menus_before_and_after_a_text_are_none_of_it() -> None:
    menu = "<div><ul><li>超大</li><li>标准</li><li>小</li></ul></div>"
    assert body_of(PAGE.replace('<div class="article-body">', f'<div class="article-body">{menu}')) == body_of(PAGE)
    winners = "<h3>The winners</h3><ul><li>Roe</li><li>Lee</li><li>Ng</li></ul>"
    assert body_of(PAGE.replace("</div></article>", f"{winners}</div></article>")).endswith("Roe\n\nLee\n\nNg")


@pytest.mark.parametrize(
    "last",
    ["<h3>More from the valley</h3>", "<p>Tags:</p><p>Comments</p>", "<div>タグ</div>", "<p>1,204 shares</p><p>3</p>"],
)
def test_what_leads_nowhere_is_no_end_of_a_text(last: str) -> None:
    assert body_of(PAGE.replace("</article>", f"{last}</article>")) == body_of(PAGE)


def test_a_sentence_about_advertisements_stays() -> None:
    said = "Advertisements for the kiln were printed in four countries."
    assert said in body_of(PAGE.replace(f"<p>{PARAGRAPHS[5]}</p>", f"<p>{said}</p>"))


def test_parts_of_a_text_may_recur() -> None:
    list_of_day = list(PARAGRAPHS[:4])
    plan = [*(f"{number}. step of the plan" for number in range(12)), *list_of_day, "On the second day:", *list_of_day]
    assert without_repeats("\n\n".join(plan)) == "\n\n".join(plan)
