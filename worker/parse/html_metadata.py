"""What a page says of itself in its head: meta elements, link elements, time elements, JSON-LD."""

from __future__ import annotations

import re
from typing import Any

import lxml.html
import msgspec

from worker.clean.html import element_text
from worker.clean.text import clean_line
from worker.parse.json_ld import find_articles, load_json_ld

_MAX_SCRIPTS = 50
_SEPARATOR = re.compile(r"\s+[|\-–—·•»:]\s+|\s*\|\s*|\s+::\s+")


class Metadata(msgspec.Struct, frozen=True):
    """Facts of a page: `meta` maps lower-case names to their values in document order."""

    meta: dict[str, list[str]]
    articles: tuple[dict[str, Any], ...]
    title: str | None
    headings: tuple[str, ...]
    canonical: str | None
    language: str | None
    base: str | None
    times: tuple[str, ...]

    def first(self, *names: str) -> str | None:
        """The first value of the first of these names that is there."""
        return next(
            (value for name in names for value in self.meta.get(name, ()) if value.strip()),
            None,
        )

    def all(self, *names: str) -> list[str]:
        """All values of these names."""
        return [value for name in names for value in self.meta.get(name, ())]


def read_metadata(tree: lxml.html.HtmlElement) -> Metadata:
    """A parsed page -> its metadata."""
    scripts = tree.xpath("//script[contains(@type, 'ld+json')]/text()")[:_MAX_SCRIPTS]
    nodes = tuple(node for script in scripts for node in find_articles(load_json_ld(script)))
    headings = (clean_line(element_text(heading)) for heading in tree.xpath("//h1")[:10])
    return Metadata(
        meta=_meta(tree),
        articles=nodes,
        title=_first(tree, "//head/title/text() | //title[not(ancestor::svg)]/text()"),
        headings=tuple(heading for heading in headings if heading),
        canonical=_first(
            tree,
            "//link[contains(concat(' ', normalize-space(@rel), ' '), ' canonical ')]/@href",
        ),
        language=_first(tree, "/html/@lang | /html/@xml:lang"),
        base=_first(tree, "//base/@href"),
        times=tuple(map(str, tree.xpath("//time[@datetime]/@datetime")[:10])),
    )


def choose_headline(found: Metadata) -> tuple[str, str] | None:
    """(headline, origin): the candidates name each other; one that others contain is the plain one.

    JSON-LD is believed when a heading or the title holds it; a heading when the title begins with it;
    then og:title, then the title without its last part after a separator.
    """
    title = clean_line(found.title or "")
    said = [clean_line(str(node.get("headline") or "")) for node in found.articles]
    open_graph = strip_site(
        clean_line(found.first("og:title", "twitter:title") or ""),
        found.first("og:site_name"),
    )
    page = title.casefold()
    for heading in found.headings:
        if len(heading) > 8 and (heading.casefold() in page or heading in said or heading == open_graph):
            return heading, "h1"
    for text, origin in ((next(filter(None, said), ""), "json-ld"), (open_graph, "og")):
        if text:
            return text, origin
    if len(found.headings) == 1:
        return found.headings[0], "h1"
    stripped = strip_site(title, found.first("og:site_name"))
    return (stripped, "title") if stripped else None


def strip_site(title: str, site: str | None) -> str:
    """A title without the site's name after its last separator, if that is the shorter part."""
    parts = _SEPARATOR.split(title)
    if len(parts) < 2:
        return title
    last = list(_SEPARATOR.finditer(title))[-1]
    head, tail = title[: last.start()], title[last.end() :]
    named = site is not None and clean_line(site).casefold() in tail.casefold()
    return head if named or ("|" in last.group() and len(tail) < len(head)) else title


def _meta(tree: lxml.html.HtmlElement) -> dict[str, list[str]]:
    meta: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        content = element.get("content")
        if name and content:
            meta.setdefault(name.strip().lower(), []).append(content)
    return meta


def _first(tree: lxml.html.HtmlElement, path: str) -> str | None:
    return next((str(value) for value in tree.xpath(path) if str(value).strip()), None)
