"""Where are the feeds of a site? What a page declares, what it links to, what robots.txt names, and usual places. Pure.

`candidates` says which addresses to look at, best first; only a glance at what they answer tells whether one is a feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import msgspec
from lxml import etree
from lxml.html import HTMLParser, document_fromstring

from worker.clean.urls import absolute_url
from worker.intake.glance import Glance
from worker.intake.schedule import Headers

Origin = Literal["itself", "declared", "linked", "robots", "guessed"]
MOST_CANDIDATES = 20
FEED_TYPES = (
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
)
USUAL_PLACES = ("feed", "rss", "rss.xml", "feed.xml", "atom.xml", "index.xml", "feed.json", "feeds/posts/default")
_PLACE_OF_FEED = re.compile(r"(?:^|[/._?=&-])(?:rss2?|atom|feeds?|rdf)(?:$|[/._?=&-])", re.IGNORECASE)
_NO_FEED = re.compile(r"comment|/oembed|\.(?:css|js|png|jpe?g|svg|gif|mp3|pdf)(?:$|\?)", re.IGNORECASE)
_LINK_HEADER = re.compile(r"<([^<>]{1,2000})>([^<]*)")
_SITEMAP_LINE = re.compile(r"^[ \t]*sitemap[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_NEWS = re.compile(r"news", re.IGNORECASE)


class Candidate(msgspec.Struct, frozen=True):
    """An address to look at, and what led to it."""

    url: str
    origin: Origin
    title: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A feed or sitemap that was looked at. `words` is the middle length of its entries' texts."""

    url: str
    kind: str
    origin: Origin
    title: str = ""
    entries: int = 0
    words: int = 0
    whole_texts: bool = False
    hub: str = ""


def declared(content: bytes, headers: Headers, url: str) -> list[Candidate]:
    """What a page declares as its feeds (link elements, Link headers), then what it links to that looks like one."""
    found = [
        Candidate(target, "declared")
        for value in (value.decode("latin-1") for key, value in headers if key.lower() == b"link")
        for target in _of_link_header(value, url)
    ]
    page = _page(content)
    if page is not None:
        base = absolute_url(next((each.get("href") or "" for each in page.iter("base")), ""), url) or url
        found += _of_elements(page, base)
        found += _of_anchors(page, base, url)
    return _distinct(found)


def canonical_of(content: bytes) -> str | None:
    """The address that a page calls its canonical one, as written; None where it says nothing."""
    page = _page(content)
    if page is None:
        return None
    links = (each for each in page.iter("link") if "canonical" in (each.get("rel") or "").lower().split())
    return next((str(each.get("href")) for each in links if each.get("href")), None)


def sitemaps(robots: str, url: str) -> list[Candidate]:
    """The sitemaps that a robots.txt names, those for news first."""
    named = [absolute_url(line, url) for line in _SITEMAP_LINE.findall(robots[:500_000])]
    urls = sorted((each for each in named if each), key=lambda each: _NEWS.search(each) is None)
    return [Candidate(each, "robots") for each in dict.fromkeys(urls)]


def guesses(url: str) -> list[Candidate]:
    """The places where feeds usually lie: below the address itself, then below the site."""
    site = urljoin(url, "/")
    here = url if url.endswith("/") else f"{url}/"
    bases = [site] if urlsplit(url).path in ("", "/") else [here.partition("?")[0], site]
    return [Candidate(urljoin(base, place), "guessed") for base in bases for place in USUAL_PLACES]


def candidates(*groups: Iterable[Candidate]) -> list[Candidate]:
    """Groups in order of trust, as one list: each address once, and no more than is polite to ask."""
    return _distinct(candidate for group in groups for candidate in group)[:MOST_CANDIDATES]


def judged(candidate: Candidate, url: str, seen: Glance) -> Found | None:
    """What was found at a candidate's address (`url` is the one that answered); None where it is no feed."""
    if seen.kind not in ("feed", "sitemap", "sitemap_index") or (candidate.origin == "guessed" and not seen.entries):
        return None
    words = sorted(entry.words for entry in seen.entries)
    return Found(
        url=url,
        kind=seen.kind,
        origin=candidate.origin,
        title=seen.title or candidate.title,
        entries=len(seen.entries),
        words=words[len(words) // 2] if words else 0,
        whole_texts=sum(entry.whole for entry in seen.entries) * 2 > len(seen.entries),
        hub=seen.hubs[0] if seen.hubs else "",
    )


def _page(content: bytes) -> Any:
    try:
        return document_fromstring(content[:2_000_000], parser=HTMLParser(recover=True, no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def _of_link_header(value: str, url: str) -> Iterator[str]:
    for target, parameters in _LINK_HEADER.findall(value):
        lowered = parameters.lower()
        if "alternate" in lowered and any(kind in lowered for kind in FEED_TYPES):
            absolute = absolute_url(target, url)
            if absolute:
                yield absolute


def _of_elements(page: Any, base: str) -> Iterator[Candidate]:
    for element in page.iter("link"):
        relations = (element.get("rel") or "").lower().split()
        kind = (element.get("type") or "").partition(";")[0].strip().lower()
        is_feed = kind in FEED_TYPES and "alternate" in relations
        target = absolute_url(element.get("href"), base) if is_feed or "feed" in relations else None
        if target and "comment" not in (element.get("title") or "").lower():
            yield Candidate(target, "declared", (element.get("title") or "").strip()[:300])


def _of_anchors(page: Any, base: str, url: str) -> Iterator[Candidate]:
    """Links to the same site, or a subdomain of it, whose address looks like a feed's."""
    site = (urlsplit(url).hostname or "").removeprefix("www.")
    for element in page.iter("a"):
        target = absolute_url(element.get("href"), base)
        if not target or _NO_FEED.search(target):
            continue
        parts = urlsplit(target)
        host = parts.hostname or ""
        if host.removeprefix("www.") != site and not host.endswith(f".{site}"):
            continue
        if _PLACE_OF_FEED.search(f"{parts.path}?{parts.query}") or host.startswith(("feeds.", "rss.")):
            yield Candidate(target, "linked", " ".join("".join(element.itertext()).split())[:300])


def _distinct(found: Iterable[Candidate]) -> list[Candidate]:
    known: dict[str, Candidate] = {}
    for candidate in found:
        known.setdefault(candidate.url.partition("#")[0], candidate)
    return list(known.values())
