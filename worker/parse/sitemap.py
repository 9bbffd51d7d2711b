"""Sitemaps (https://www.sitemaps.org/protocol.html) with Google's news and image extensions.

A page with news:title is an article. Other pages, and the sitemaps that an index names, are refused with
their facts (address and date): something else has to fetch them.
"""

from __future__ import annotations

from collections.abc import Iterator

from worker.model import Article, Document, Media, Refusal
from worker.parse.detect import SITEMAP
from worker.parse.draft import Draft
from worker.parse.entries import EntrySet, FeedFacts
from worker.parse.wire.xml_tree import Element, child, children, name_of, read_tree, text_at

_MOST_IMAGES = 20


def parse_sitemap(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """Sitemap bytes -> an article or refusal for each page or sitemap named (`member`: index from 0).

    Raises Rejected `malformed_xml`, `empty_document`, `binary_content`.
    """
    root, decoded, repaired = read_tree(content, document)
    pages = children(root, "url", "sitemap")
    names = [(None, text_at(page, "loc") or None) for page in pages]
    first = next((news for page in pages if (news := child(page, "news")) is not None), None)
    facts = FeedFacts(
        title=text_at(first, "publication", "name"),
        language=text_at(first, "publication", "language"),
    )

    def read(index: int, draft: Draft) -> Article:
        draft.encoding = decoded.encoding
        draft.warn(*decoded.warnings, *(("feed_not_well_formed",) if repaired else ()))
        return _read_page(pages[index], draft)

    yield from EntrySet(document, SITEMAP, "sitemap", facts, names).read(read)


def _read_page(page: Element, draft: Draft) -> Article:
    """Raises Rejected `no_article` for a page without news:title."""
    draft.set_link("url", text_at(page, "loc"), "sitemap")
    news = child(page, "news")
    draft.set_published(text_at(news, "publication_date"), "sitemap")
    draft.set_updated(text_at(page, "lastmod"), "sitemap")
    draft.set_text("headline", text_at(news, "title"), "sitemap")
    draft.set_text("source_name", text_at(news, "publication", "name"), "sitemap")
    draft.set_terms("keywords", text_at(news, "keywords").split(","), "sitemap")
    draft.set_terms("sections", text_at(news, "genres").split(","), "sitemap")
    draft.set_terms("places", [text_at(news, "geo_locations")], "sitemap")
    access = text_at(news, "access").lower()
    draft.set("is_accessible_for_free", False if access in ("subscription", "registration") else None, "sitemap")
    draft.set("media", tuple(_images(page))[:_MOST_IMAGES], "sitemap")
    draft.declared_language = text_at(news, "publication", "language") or None
    return draft.finish("sitemap", name_of(page))


def _images(page: Element) -> Iterator[Media]:
    for image in children(page, "image"):
        url = text_at(image, "loc")
        if url.startswith(("http://", "https://")):
            yield Media(url=url, type="image", caption=text_at(image, "caption") or text_at(image, "title") or None)
