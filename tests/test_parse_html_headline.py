"""Which of the things a page says is its headline."""

from __future__ import annotations

from datetime import UTC, datetime

import lxml.html
import pytest

from worker.model import Article, Document
from worker.parse.document import parse_document
from worker.parse.html_headings import Heading, read_headings
from worker.parse.html_headline import Said, choose_headline, part_shown, strip_site


def chosen(said: Said, *headings: Heading) -> str | None:
    found = choose_headline(said, headings)
    return found[0] if found else None


def h(text: str, level: int = 1) -> Heading:
    return Heading(level, text, named=False)


def test_a_heading_wins_over_a_search_title_that_is_shared_too() -> None:
    said = Said(
        title="Kiln opening times 2025 | Valley Post", shared=("Kiln opening times 2025",), sites=("Valley Post",)
    )
    assert chosen(said, h("When the kiln is open in 2025")) == "When the kiln is open in 2025"


def test_the_shared_title_wins_where_the_heading_only_repeats_the_title_element() -> None:
    searched, shared = "Kiln: fire lit again in upper village", "After thirty years, fire in the village"
    said = Said(title=searched, shared=(shared, shared), data=(searched,))
    assert chosen(said, h(searched)) == shared


@pytest.mark.parametrize("title", ["Kiln is lit again -", "- Kiln is lit again", "Kiln is lit again :: Valley Post ::"])
def test_a_separator_with_nothing_beside_it_is_no_part_of_a_title(title: str) -> None:
    assert strip_site(title, ["Valley Post"]) == "Kiln is lit again"


def read(markup: str) -> list[Heading]:
    return read_headings(lxml.html.document_fromstring(f"<body>{markup}</body>"))


def test_the_heading_stands_where_nothing_confirms_the_only_title_for_sharing() -> None:
    searched, shared = "Kiln: fire lit again in upper village", "After thirty years, fire in the village"
    assert chosen(Said(title=searched, shared=(shared,), data=(searched,)), h(searched)) == searched
    assert chosen(Said(title=searched, shared=(shared, searched), data=(searched,)), h(searched)) == searched
    assert chosen(Said(title=searched, shared=(shared,), data=(searched,)), h(searched), h(shared, 2)) == shared


@pytest.mark.parametrize(
    "markup",
    [
        "<nav><ol><li><a href='/'>Home</a><li><h1>{}</h1></ol></nav>",
        "<div class='breadcrumbs'><a href='/'>Home</a><h1>{}</h1></div>",
        "<section><div><a href='/'>Home</a> | <a href='/life'>Life</a></div><h1>{}</h1></section>",
    ],
)
def test_a_heading_that_ends_a_path_of_links_is_made_for_search_engines(markup: str) -> None:
    searched, shared = "Kiln: fire lit again in upper village", "After thirty years, fire in the village"
    said = Said(title=searched, shared=(shared,), data=(searched,))
    assert chosen(said, *read(markup.format(searched))) == shared


def test_a_heading_after_a_menu_with_other_text_ends_no_path_of_links() -> None:
    [heading] = read(
        "<div><a href='/'>Post</a> <a href='/a'>A</a> Sunny, 12 degrees</div><h1>Kiln is lit again today</h1>"
    )
    assert not heading.crumb


def test_the_only_lower_heading_that_microdata_call_the_headline_is_it() -> None:
    said = Said(title="Kiln mistakes | Valley Post", sites=("Valley Post",))
    shown = "<h1>Kiln mistakes</h1><h2 itemprop='headline'>Five mistakes that every potter makes</h2>"
    assert chosen(said, *read(shown)) == "Five mistakes that every potter makes"
    teaser = "<h1>Kiln mistakes</h1><h3 itemprop='headline'><a href='/b'>Another text</a></h3>"
    assert chosen(said, *read(teaser)) == "Kiln mistakes"


def test_a_heading_that_leads_home_names_the_site() -> None:
    said = Said(title="Kiln is lit - Valley news - People of Example")
    headings = read("<h1><a href='/'>Valley news - People of Example</a></h1>")
    assert chosen(said, *headings) == "Kiln is lit"


def test_a_heading_that_the_shared_title_repeats_is_whole() -> None:
    said = Said(
        title="Post | Kiln for beginners",
        shared=("Firing clay Kiln for beginners",),
        data=("Post | Kiln for beginners",),
    )
    assert chosen(said, h("Firing clay Kiln for beginners")) == "Firing clay Kiln for beginners"


def test_a_heading_stands_against_a_shared_title_alone() -> None:
    said = Said(title="When the kiln is open | Valley Post", shared=("We tried the kiln",), sites=("Valley Post",))
    assert chosen(said, h("When the kiln is open")) == "When the kiln is open"


def test_what_title_and_data_say_wins_where_heading_and_shared_title_were_both_rewritten() -> None:
    said = Said(title="Kiln fire: the news", shared=("Kiln fire: all the latest news",), data=("Kiln fire: the news",))
    assert chosen(said, h("Kiln fire: the third wall falls +++ mayor on the spot")) == "Kiln fire: the news"


def test_a_kicker_stays_where_the_shared_title_has_it_too() -> None:
    heading = Heading(1, "A little fire", named=False, whole="The kiln of the village: A little fire")
    said = Said(title="A fire - Post", shared=("The kiln of the village: A little fire",), sites=("Post",))
    assert chosen(said, heading) == "The kiln of the village: A little fire"


@pytest.mark.parametrize(
    "markup",
    [
        "<h1>Kiln is lit again<br><small>Smoke over the valley</small></h1>",
        "<h1>Kiln is lit again <span>02.02.2025</span> <a href='/life'>Life</a></h1>",
        "<h1>Kiln is lit again | Opinion</h1>",
        "<h1><a href='/'>Valley voices</a></h1><h2>Kiln is lit again</h2>",
    ],
)
def test_what_surrounds_the_headline_is_told_apart_by_the_title(markup: str) -> None:
    said = Said(title="Kiln is lit again | Valley Post", sites=("Valley Post",))
    assert chosen(said, *read(markup)) == "Kiln is lit again"


def test_a_heading_that_is_the_site_is_passed_over() -> None:
    said = Said(title="Kiln is lit again - Valley Post", sites=("Valley Post",))
    assert chosen(said, h("Valley Post"), h("Kiln is lit again", 2)) == "Kiln is lit again"


def test_a_cut_title_never_wins() -> None:
    said = Said(title="The kiln of the upper village was ...", shared=("The kiln of the upper village was …",))
    assert (
        chosen(said, h("The kiln of the upper village was lit again")) == "The kiln of the upper village was lit again"
    )


def test_a_kicker_that_runs_into_the_heading_is_dropped_when_two_others_agree() -> None:
    said = Said(title="Kiln is lit again after years", shared=("Kiln is lit again after years",))
    assert chosen(said, h("Village life Kiln is lit again after years")) == "Kiln is lit again after years"


def test_nothing_said_gives_nothing() -> None:
    assert chosen(Said()) is None


def test_a_kicker_element_is_no_part_of_the_heading() -> None:
    tree = lxml.html.fromstring(
        "<body><h1><span class='kicker'>Village:</span> <span>Kiln is lit again</span></h1></body>"
    )
    assert [heading.text for heading in read_headings(tree)] == ["Kiln is lit again"]


def test_what_is_called_a_kicker_but_is_the_longer_part_at_the_end_is_the_heading() -> None:
    tree = lxml.html.fromstring(
        "<body><h1>The old kiln: <span class='label'>Village asks for its fire</span></h1></body>"
    )
    assert [heading.text for heading in read_headings(tree)] == ["The old kiln: Village asks for its fire"]


@pytest.mark.parametrize(
    ("title", "sites", "expected"),
    [
        ("Kiln is lit again | Valley Post", [], "Kiln is lit again"),
        ("Valley Post: Kiln is lit", ["Valley Post"], "Valley Post: Kiln is lit"),
        ("Valley Post » Kiln is lit again", ["Valley Post"], "Kiln is lit again"),
        ("Kiln is lit again - valleypost.example", ["valleypost.example"], "Kiln is lit again"),
        ("Kiln is lit again (2025/5): Valley Post", ["Valley Post"], "Kiln is lit again (2025/5)"),
        ("窯に再び火が入る：谷新聞デジタル", ["谷新聞デジタル"], "窯に再び火が入る"),
        ("窯に再び火が入る-谷新聞", [], "窯に再び火が入る"),
        ("Kiln is lit again ⋆ Valley Post", ["Valley Post"], "Kiln is lit again"),
        ("Kiln is lit again (Valley Post)", ["Valley Post"], "Kiln is lit again"),
        ("Kiln is lit again, Valley Post", ["Valley Post"], "Kiln is lit again"),
        ("Kiln is lit again, says report", ["Valley Post"], "Kiln is lit again, says report"),
        ("The kiln is lit again | News | Valley Post", [], "The kiln is lit again"),
        ("窯に再び火が入る--谷新聞", [], "窯に再び火が入る"),
        ("Kiln is lit again -- Life -- Valley Post", ["Valley Post"], "Kiln is lit again"),
        ("Fire - and what comes after it", [], "Fire - and what comes after it"),
    ],
)
def test_strips_a_site_by_evidence_only(title: str, sites: list[str], expected: str) -> None:
    assert strip_site(title, sites) == expected


def test_a_line_of_the_text_says_which_part_of_the_title_is_the_headline() -> None:
    page = (
        "<title>Kiln is lit again - Valleynews - Upper Valley</title><div class='t'>Kiln is lit again</div>"
        + "<p>The kiln of the upper village was lit again on Saturday after a pause of thirty years.</p>" * 3
    )
    received = datetime(2026, 5, 1, tzinfo=UTC)
    document = Document(source_id="s", origin="a.html", received_at=received, media_type="text/html")
    (article,) = parse_document(document, page.encode())
    assert isinstance(article, Article)
    assert article.headline == "Kiln is lit again"
    assert article.body_text.startswith("The kiln of")
    assert part_shown("Fire - and what comes after it", ["Fire and what comes"]) == "Fire - and what comes after it"
