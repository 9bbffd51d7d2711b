"""What a page says of itself in its head: meta elements, link elements, time elements, JSON-LD."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import lxml.html
import msgspec

from worker.clean.html import html_to_text
from worker.clean.text import clean_line
from worker.clean.urls import canonical_url
from worker.parse.html_dates import marked_dates
from worker.parse.html_headings import Heading
from worker.parse.html_headline import Said, choose_headline
from worker.parse.json_ld import find_articles, load_json_ld, names_of, plain

_MAX_SCRIPTS = 50


class Metadata(msgspec.Struct, frozen=True):
    """Facts of a page: `meta` maps lower-case names to their values in document order."""

    meta: dict[str, list[str]]
    articles: tuple[dict[str, Any], ...]
    title: str | None
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
    return Metadata(
        meta=_meta(tree),
        articles=nodes,
        title=_first(tree, "//head/title/text() | //title[not(ancestor::svg)]/text()"),
        canonical=_first(
            tree,
            "//link[contains(concat(' ', normalize-space(@rel), ' '), ' canonical ')]/@href",
        ),
        language=_first(tree, "/html/@lang | /html/@xml:lang"),
        base=_first(tree, "//base/@href"),
        times=tuple(marked_dates(tree)),
    )


def headline_of(found: Metadata, headings: list[Heading]) -> tuple[str, str] | None:
    """(headline, where it was read), or None."""
    said = Said(
        title=clean_line(found.title or ""),
        shared=tuple(clean_line(html_to_text(text)) for text in found.all("og:title", "twitter:title")),
        data=tuple(clean_line(plain(node.get("headline")) or "") for node in found.articles),
        sites=site_names(found),
    )
    return choose_headline(said, headings)


PUBLISHERS = ("publisher", "dc.publisher", "dcterms.publisher")
_SITE_NAMES = ("og:site_name", "application-name", "apple-mobile-web-app-title", *PUBLISHERS)


def site_names(found: Metadata) -> tuple[str, ...]:
    """What the page calls its site: in og:site_name, its declared publisher, its account and its host."""
    publishers = (name for node in found.articles for name in names_of(node.get("publisher")))
    named = (found.first(name) or "" for name in _SITE_NAMES)
    host = urlsplit(canonical_url(found.canonical or found.first("og:url")) or "").netloc.removeprefix("www.")
    names = (*named, (found.first("twitter:site") or "").strip("@"), *publishers, host)
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _meta(tree: lxml.html.HtmlElement) -> dict[str, list[str]]:
    meta: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop")
        # Not a few pages write `value`, as of a form's input.
        content = element.get("content") or element.get("value")
        if name and content:
            meta.setdefault(name.strip().lower(), []).append(content)
    return meta


def _first(tree: lxml.html.HtmlElement, path: str) -> str | None:
    return next((str(value) for value in tree.xpath(path) if str(value).strip()), None)
