"""Pages: the body by its blocks, the facts by what the page says of itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from itertools import chain

import lxml.html
from dateutil.parser import UnknownTimezoneWarning
from htmldate import find_date
from lxml import etree

from worker.clean.dates import Dated
from worker.clean.encoding import decode
from worker.clean.html import element_text, plain_text, refuse_deep_nesting, sanitize
from worker.clean.people import parse_byline
from worker.clean.text import clean_line
from worker.clean.urls import absolute_url
from worker.errors import Rejected
from worker.model import Article, Document, Media
from worker.parse import json_ld
from worker.parse.draft import Draft
from worker.parse.html_authors import set_authors
from worker.parse.html_body import Body, find_body
from worker.parse.html_dates import dates_below, named_dates, shown_dates
from worker.parse.html_headings import Heading, read_headings
from worker.parse.html_headline import part_shown
from worker.parse.html_media import set_media
from worker.parse.html_metadata import Metadata, headline_of, read_metadata
from worker.parse.html_organisations import set_organisations
from worker.parse.html_signature import find_signature
from worker.parse.rights import rights_in_headers, rights_in_page, set_rights
from worker.parse.subjects import subjects_in_node, subjects_in_terms

MAX_CHARACTERS = 8_000_000
"""Characters of a page: above this trafilatura needs minutes; the largest real articles are near 4 MB."""

_PUBLISHED = (
    *(
        "article:published_time",
        "og:article:published_time",
        "datepublished",
        "parsely-pub-date",
        "sailthru.date",
    ),
    *(
        "dc.date.issued",
        "dcterms.created",
        "dc.date",
        "publish-date",
        "publishdate",
        "pubdate",
        "date",
        "citation_date",
    ),
)
_UPDATED = (
    "article:modified_time",
    "og:updated_time",
    "datemodified",
    "last-modified",
    "dcterms.modified",
)
_TERMS = re.compile(r"iptc|subject|keyword|tag|topic|category|section")
"""In names of meta elements that may hold coded subjects."""
_FIRST_LINES = 4
_DISAGREEMENT = 0.6
"""Mean overlap of words with other extractors below which the body is doubtful."""
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def parse_html(content: bytes, document: Document) -> Iterator[Article]:
    """Page bytes -> one article.

    Raises Rejected `empty_document`, `binary_content`, `too_large`, or `no_article` for a page without text.
    """
    doubts: tuple[str, ...] = ()
    if b"\x00" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")) and b"<\x00" not in content[:512]:
        # HTML drops NUL characters (HTML standard, 13.2.5), and pages with a few of them exist.
        content, doubts = content.replace(b"\x00", b""), ("nul_removed",)
    decoded = decode(content, document.encoding_declared)
    if len(decoded.text) > MAX_CHARACTERS:
        raise Rejected("too_large", f"a page of more than {MAX_CHARACTERS} characters")
    refuse_deep_nesting(decoded.text)
    draft = Draft(document, "text/html", decoded.encoding)
    draft.warn(*decoded.warnings, *doubts)
    yield read_page(_UNREADABLE.sub("", decoded.text), draft)


def read_page(markup: str, draft: Draft) -> Article:
    """A page's markup -> the article; `draft` may hold fields that are known already (from a feed)."""
    tree = page_tree(markup)
    found = read_metadata(tree)
    _set_facts(draft, found, read_headings(tree))
    base = draft.fields.get("url")
    set_rights(draft, chain(rights_in_page(tree, found, base), rights_in_headers(draft.document.http)))
    set_media(draft, tree, base)
    shown = set_authors(draft, tree, found)
    _set_visible_date(draft, tree)
    method = _set_body(draft, tree, markup, found)
    if "body_text" not in draft.fields:
        raise Rejected("no_article", "a page without article text")
    set_organisations(draft, found, shown)
    return draft.finish("html", method)


def page_tree(markup: str) -> lxml.html.HtmlElement:
    """A page's markup -> its tree. Raises Rejected `no_article` where there is no element in it."""
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(_DECLARATION.sub("", markup).encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise Rejected("no_article", "markup without any element") from error
    return tree


def _set_facts(draft: Draft, found: Metadata, headings: list[Heading]) -> None:
    """Sets what the head declares."""
    draft.declared_language = found.language
    headline = headline_of(found, headings)
    if headline is not None:
        draft.set_text("headline", *headline)
    address = draft.document.http.url if draft.document.http else None
    base = address or found.first("og:url")
    draft.set_link(
        "url",
        address or found.canonical or found.first("og:url") or _json_ld_link(found),
        "html",
        base,
    )
    draft.set_link(
        "canonical_url",
        found.canonical or found.first("og:url") or _json_ld_link(found),
        "html",
        base,
    )
    for node in found.articles[:3]:
        json_ld.read_facts(node, draft)
    _set_meta_facts(draft, found)
    subjects = (subject for node in found.articles[:3] for subject in subjects_in_node(node))
    if not draft.set("subjects", tuple(dict.fromkeys(subjects)), "json-ld"):
        coded = subjects_in_terms(
            value for name, values in found.meta.items() if _TERMS.search(name) for value in values
        )
        draft.set("subjects", tuple(dict.fromkeys(coded)), "meta")


def _json_ld_link(found: Metadata) -> str | None:
    return next(filter(None, map(json_ld.link_of, found.articles)), None)


def _published_by(found: Metadata) -> Iterator[str]:
    """What meta and time elements say of publication, the surest first; read only as far as it is asked for."""
    yield from found.all(*_PUBLISHED)
    yield from named_dates(found.meta)
    yield from found.times[:1]


def _set_meta_facts(draft: Draft, found: Metadata) -> None:
    draft.set_text(
        "abstract",
        plain_text(found.first("og:description", "description", "twitter:description") or ""),
        "meta",
    )
    if "published_at" not in draft.fields:
        any(draft.set_published(value, "meta") for value in _published_by(found))
    draft.set_updated(found.first(*_UPDATED), "meta")
    draft.set_text("source_name", found.first("og:site_name"), "og")
    draft.set_terms("sections", found.all("article:section"), "meta")
    keywords = (part for value in found.all("article:tag", "news_keywords", "keywords") for part in value.split(","))
    draft.set_terms("keywords", keywords, "meta")
    free = {"metered": False, "locked": False, "premium": False, "free": True}
    draft.set(
        "is_accessible_for_free",
        free.get((found.first("article:content_tier") or "").lower()),
        "meta",
    )
    image = absolute_url(found.first("og:image:secure_url", "og:image", "twitter:image"), draft.fields.get("url"))
    if image:
        draft.set("media", (Media(url=image, type="image", caption=found.first("og:image:alt")),), "og")


def _set_visible_date(draft: Draft, tree: lxml.html.HtmlElement) -> None:
    """The day as the visible page shows it, where none was declared."""
    if "published_at" in draft.fields:
        return
    headline = draft.fields.get("headline", "")
    below, shown = dates_below(tree, headline), shown_dates(tree, headline)
    # Where day and month of a declared date may be exchanged, all that the page shows is surer than a guess.
    surest = chain(below, shown) if "date_ambiguous" in draft.warnings else below
    if _set_first(draft, surest) or draft.set_published(_guessed_day(draft, tree), "text") or _set_first(draft, shown):
        draft.warn("date_from_page_text")


def _set_first(draft: Draft, dates: Iterable[Dated]) -> bool:
    """Sets the first of these dates that can be set; returns whether one could."""
    return any(draft.set_published_read(dated, "text") for dated in dates)


def _guessed_day(draft: Draft, tree: lxml.html.HtmlElement) -> str | None:
    """What htmldate, which knows the words of few languages, takes for the day of publication."""
    with warnings.catch_warnings():
        # Only the day is taken: that the zone of a time is unknown to htmldate's parser is nobody's concern.
        warnings.simplefilter("ignore", UnknownTimezoneWarning)
        # The cheap search only: the extensive one takes any number that looks like a date.
        return find_date(tree, extensive_search=False, original_date=True, url=draft.fields.get("url"))


def _set_body(draft: Draft, tree: lxml.html.HtmlElement, markup: str, found: Metadata) -> str | None:
    """Sets the body; returns the method that found it."""
    body = find_body(tree, markup, found.title or "")
    text = _without_signature(body, draft) if body else ""
    if draft.provenance.get("headline") == "title":
        # No heading said so, but the first lines of the text may.
        draft.fields["headline"] = part_shown(draft.fields["headline"], text.split("\n\n")[:_FIRST_LINES])
    if body is not None and draft.set_text("body_text", _without_head(text, draft), body.method):
        draft.set("body_html", sanitize(body.markup, draft.fields.get("url")), body.method)
        if body.agreement < _DISAGREEMENT:
            draft.warn("body_uncertain")
        return body.method
    for node in found.articles:
        if draft.set_text("body_text", json_ld.body_of(node), "json-ld"):
            return "json-ld"
    for element in tree.xpath("//article | //main"):
        if draft.set_text("body_text", element_text(element), "html"):
            draft.warn("body_uncertain")
            return "article-element"
    return None


def _without_signature(body: Body, draft: Draft) -> str:
    """The body's text; where nothing else named an author, who signs it becomes that, and the line goes."""
    if "authors" in draft.fields:
        return body.text
    signed = find_signature(body.text, body.markup, draft.fields.get("headline", ""))
    return signed.text if signed and draft.set_authors(signed.names, "text") else body.text


def _without_head(text: str, draft: Draft) -> str:
    """The body without headline and byline, where they stand at its top once more."""
    repeated = {clean_line(draft.fields.get("headline", "")).casefold()}
    names = {person.name.casefold() for person in draft.fields.get("authors", ())}
    paragraphs = text.split("\n\n")
    while len(paragraphs) > 1:
        first = clean_line(paragraphs[0])
        people = {person.name.casefold() for person in parse_byline(first).people} if len(first) < 100 else set()
        if first.casefold() not in repeated and not (people and people <= names):
            break
        del paragraphs[0]
    return "\n\n".join(paragraphs)
