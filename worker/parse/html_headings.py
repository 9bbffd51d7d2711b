"""The headings of a page: what each says, and what speaks against it being the headline of an article."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import lxml.html
import msgspec

from worker.clean.html import element_text
from worker.clean.text import clean_line

_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\\W_]+")
_KICKER = re.compile(
    r"kicker|over-?line|eyebrow|top-?line|dachzeile|spitzmarke|rubri|flag|badge|categor|section|label|offscreen|sr-only|"
    r"visually-?hidden|antetitulo|volanta|occhiello",
    re.IGNORECASE,
)
_TITLE_CLASS = re.compile(
    r"(?:entry|post|article|story|news|page|content|blog)[-_ ]*(?:title|headline)|\bheadline\b", re.IGNORECASE
)
_CRUMB = re.compile(r"crumb", re.IGNORECASE)
_CRUMB_DEPTH = 4
"""Ancestors of a heading among which a list of links to the sections above it is looked for."""
_CRUMBS = range(2, 8)
"""Links that such a list may have before the heading."""
_PATH_CHARACTERS = 500
_HOME = re.compile(r"(?:https?://[^/?#]+)?/|https?://[^/?#]+")
_ANCHOR = re.compile(r"\s*[#¶§🔗]+$")
"""The sign of a link to the heading itself."""
_HEADINGS = ("h1", "h2", "h3", "h4")
_MOST_HEADINGS = 60
_LONGEST = 400
_MOST_PARTS = 30


class Heading(msgspec.Struct, frozen=True):
    """A visible heading: its level (1 to 4), its text without kicker, and whether a class calls it the title.

    `whole` is its text with the kicker, `parts` the texts of the elements and lines it is made of. `item` says that
    its microdata call it the headline, `linked` that there is a link in or around it, `crumb` that it ends a path of
    links (`Home > Life > ...`), `home` that it is a link to the site's first page.
    """

    level: int
    text: str
    named: bool
    whole: str = ""
    parts: tuple[str, ...] = ()
    item: bool = False
    linked: bool = False
    crumb: bool = False
    home: bool = False


def read_headings(tree: lxml.html.HtmlElement) -> list[Heading]:
    """A page's headings h1 to h4 in document order (at most 60)."""
    found = []
    for element in tree.iter(*_HEADINGS):
        whole = _ANCHOR.sub("", clean_line(element_text(element)))
        text = _without_kicker_element(element, whole)
        if 2 <= len(text) <= _LONGEST:
            found.append(_read(element, text, whole))
        if len(found) == _MOST_HEADINGS:
            break
    return found


def _read(element: lxml.html.HtmlElement, text: str, whole: str) -> Heading:
    item = element.get("itemprop", "")
    texts = islice(element.itertext(), _MOST_PARTS) if len(element) else ()
    return Heading(
        level=int(element.tag[1]),
        text=text,
        named=bool(_TITLE_CLASS.search(f"{element.get('class', '')} {item}")),
        whole=whole,
        parts=tuple(filter(None, map(clean_line, texts))),
        item="headline" in item.split(),
        linked=any(True for _ in _links_at(element)),
        crumb=_ends_path(element),
        home=_leads_home(element, whole),
    )


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; scripts without spaces give a word a character."""
    return _WORD.findall(text.casefold())


def _ends_path(element: lxml.html.HtmlElement) -> bool:
    """Whether a heading ends a path of links (`Home > Life > Headline`): such a heading is made for search engines."""
    places = [element, *islice(element.iterancestors(), _CRUMB_DEPTH)]
    if any(place.tag == "nav" or _CRUMB.search(place.get("class", "")) for place in places):
        return True
    return any(_is_path(list(islice(place.itersiblings(preceding=True), _MOST_PARTS))) for place in places[:2])


def _is_path(siblings: list[lxml.html.HtmlElement]) -> bool:
    """Whether elements (the nearest first) are a few links, the first to the site's first page, and little else."""
    links = list(islice((link for place in reversed(siblings) for link in place.iter("a")), _CRUMBS.stop))
    if len(links) not in _CRUMBS or not _HOME.fullmatch(links[0].get("href", "").strip()):
        return False
    text = " ".join(place.text_content() for place in siblings)
    said = sum(len(words_of(link.text_content())) for link in links)
    return len(text) <= _PATH_CHARACTERS and 0 < said == len(words_of(text))


def _links_at(element: lxml.html.HtmlElement) -> Iterator[lxml.html.HtmlElement]:
    """The links in and around a heading."""
    yield from element.iter("a")
    yield from islice(element.iterancestors("a"), 1)


def _leads_home(element: lxml.html.HtmlElement, whole: str) -> bool:
    """Whether a heading is a link to the site's first page: then it is the site's name."""
    links = list(_links_at(element))
    if len(links) != 1 or not _HOME.fullmatch(links[0].get("href", "").strip()):
        return False
    return clean_line(element_text(links[0])) == whole


def _without_kicker_element(element: lxml.html.HtmlElement, whole: str) -> str:
    """A heading's text; a kicker that its class names as such is not part of it."""
    kickers = [
        child
        for child in element
        if isinstance(child.tag, str) and _KICKER.search(f"{child.get('class', '')} {child.get('data-testid', '')}")
    ]
    for kicker in kickers:
        said = clean_line(element_text(kicker))
        if said not in whole or not said:
            continue
        before, _, after = whole.partition(said)
        rest = f"{before}{after}".strip(" :-–—|•·")
        # What is longer than the rest and ends the heading is the heading.
        if len(words_of(rest)) >= 2 and (after.strip() or len(said) < len(rest)):
            whole = rest
    return whole
