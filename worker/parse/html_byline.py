"""Who wrote a page: data, then meta elements, then the visible byline. A site's own name is no author."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import lxml.html

from worker.clean.html import element_text
from worker.clean.people import BYLINE_PREFIX, parse_byline
from worker.clean.text import clean_line

_AUTHOR_WORD = re.compile(
    r"(?:^|[\W_])(?:authors?|bylines?|autore?n?|auteurs?|writer|p-author|vcard)(?:$|[\W_])", re.IGNORECASE
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ELSEWHERE = re.compile(
    r"comment|kommentar|related|recommend|teaser|promo|sidebar|footer|card|widget|nav|menu|share|social|avatar|image|photo|bio\b|"
    r"description|date|follow|newsletter|more-?from",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"/(?:authors?|autore?n?|auteurs?|people|person|profile?|staff|by|contributors?|journalists?|redaktion)/",
    re.IGNORECASE,
)
# What follows a name in a byline: dates, times, reading times, counts, calls to follow.
_TAIL = re.compile(
    r"\s*(?:[|·•▪–—\n]|\s-\s|\b\d{1,4}[./:-]\d|\b\d{1,2}\.? [^\W\d_]{3,10}\.? \d{4}|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[a-z]*\.? \d|"
    r"\b(?:published|updated|posted|last|follow|veröffentlicht|aktualisiert|stand|publié|mis à jour|publicado|"
    r"actualizado|pubblicato|hace|il y a|tiempo|read(?:ing)? time|min read|subscribe|see full bio|reviewed by|"
    r"medically|fact|edited by)\b).*",
    re.IGNORECASE | re.DOTALL,
)
_BEFORE = re.compile(
    r"^(?:about the authors?|view all posts by|see all (?:articles|posts) by|more (?:from|by)|posts? by|posted by|"
    r"articles? by|written by|words by|story by|author|autor(?:in)?|auteur|veröffentlicht von|publié par|"
    r"publicado por)\s*:?\s*",
    re.IGNORECASE,
)
_LONGEST = 160
_MOST_ELEMENTS = 12


def without_sites(names: Iterable[str], sites: Iterable[str]) -> list[str]:
    """Names that are not the site's own (`Valley Post`, `valleypost.example`)."""
    known = {_key(site) for site in sites if len(_key(site)) > 1}
    hosts = {key.partition(".")[0] for key in map(str.casefold, sites) if "." in key}
    return [name for name in names if _key(name) not in known | hosts and not _names_site(name, known)]


def visible_names(tree: lxml.html.HtmlElement) -> Iterator[list[str]]:
    """Groups of names as the page shows them, the most explicit markup first."""
    for path in ("//*[@itemprop='author']", "//a[contains(concat(' ', @rel, ' '), ' author ')]"):
        if names := _names_in(tree.xpath(path)):
            yield names
    if names := _names_in(_byline_elements(tree)):
        yield names


def _byline_elements(tree: lxml.html.HtmlElement) -> list[lxml.html.HtmlElement]:
    found: list[lxml.html.HtmlElement] = []
    for element in tree.iter(
        "div", "span", "p", "a", "li", "address", "h3", "h4", "h5", "h6", "cite", "strong", "ul", "section"
    ):
        named = _CAMEL.sub("-", f"{element.get('class', '')} {element.get('id', '')} {element.get('data-testid', '')}")
        if _AUTHOR_WORD.search(named.replace("__", "-")) and not _ELSEWHERE.search(named):
            found.append(element)
            if len(found) == _MOST_ELEMENTS:
                break
    return found


def _names_in(elements: list[lxml.html.HtmlElement]) -> list[str]:
    """Names in the first element that holds any, and in its like siblings."""
    for index, element in enumerate(elements[:_MOST_ELEMENTS]):
        if _is_elsewhere(element):
            continue
        names = _names_of(element)
        if names:
            parent, kind = element.getparent(), element.get("class")
            like = [
                other for other in elements[index + 1 :] if other.getparent() is parent and other.get("class") == kind
            ]
            return list(dict.fromkeys([*names, *(name for other in like for name in _names_of(other))]))
    return []


def _names_of(element: lxml.html.HtmlElement) -> list[str]:
    if element.tag == "meta":
        return _people(element.get("content", ""))
    inner = [
        *element.xpath(".//*[@itemprop='name']"),
        *(a for a in element.iter("a") if _PROFILE.search(a.get("href", ""))),
    ]
    for parts in (inner, [element]):
        names = [name for part in parts[:10] for name in _people(part.get("content") or element_text(part))]
        if names:
            return list(dict.fromkeys(names))
    return []


def _people(text: str) -> list[str]:
    text = clean_line(text)[: 2 * _LONGEST]
    line = _TAIL.sub("", BYLINE_PREFIX.sub("", _BEFORE.sub("", text)))
    if not 2 <= len(line) <= _LONGEST:
        return []
    people = parse_byline(line).people
    likely = [person.name for person in people if len(person.name.split()) <= 5]
    return likely if len(likely) == len(people) else []


def _is_elsewhere(element: lxml.html.HtmlElement) -> bool:
    """Whether the element stands in comments, teasers or other texts' places."""
    around = [element, *element.iterancestors()][:5]
    return any(
        re.search(
            r"comment|related|recommend|teaser|sidebar|footer|more-?from|most-?read",
            f"{e.get('class', '')} {e.get('id', '')}",
            re.IGNORECASE,
        )
        or e.tag in ("aside", "footer", "nav")
        for e in around
    )


def _names_site(name: str, known: set[str]) -> bool:
    key = _key(name)
    return any(len(site) > 4 and (key == site + "com" or key == "the" + site or site == "the" + key) for site in known)


def _key(text: str) -> str:
    return "".join(re.findall(r"[^\W_]+", text.casefold()))
