"""schema.org articles in JSON-LD: found in any nesting, read into a draft."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from worker.clean.html import html_to_text, looks_like_markup
from worker.clean.people import is_agency
from worker.model import Media
from worker.parse.draft import Draft

ARTICLE_TYPES = frozenset(
    [
        "Article",
        "NewsArticle",
        "ReportageNewsArticle",
        "AnalysisNewsArticle",
        "BackgroundNewsArticle",
        "OpinionNewsArticle",
        "ReviewNewsArticle",
        "AskPublicNewsArticle",
        "SatiricalArticle",
        "AdvertiserContentArticle",
        "LiveBlogPosting",
        "BlogPosting",
        "Report",
        "ScholarlyArticle",
        "TechArticle",
        "SocialMediaPosting",
    ]
)
"""Types of schema.org that are articles (https://schema.org/Article and what is more specific)."""

_MAX_NODES = 20_000
_MAX_CHARACTERS = 2_000_000
_COMMENT = re.compile(
    r"^\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*;?\s*$"
)


def load_json_ld(text: str) -> Any:
    """The text of a JSON-LD script -> its value; None where it is no JSON. Control characters pass."""
    if len(text) > _MAX_CHARACTERS:
        return None
    try:
        return json.loads(_COMMENT.sub("", text).strip().rstrip(";"), strict=False)
    except (ValueError, RecursionError):
        return None


def find_articles(value: Any) -> Iterator[dict[str, Any]]:
    """A JSON-LD value -> its article nodes, outermost first, in document order."""
    queue, seen = [value], 0
    while queue and seen < _MAX_NODES:
        node = queue.pop(0)
        seen += 1
        if isinstance(node, list):
            queue.extend(node)
        elif isinstance(node, dict):
            if types_of(node) & ARTICLE_TYPES:
                yield node
            queue.extend(v for key, v in node.items() if isinstance(v, list | dict) and key != "comment")


def types_of(node: dict[str, Any]) -> set[str]:
    """Type names of a node, without the vocabulary's address."""
    found = node.get("@type", ())
    names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return {re.split(r"[/#:]", name)[-1] for name in names if isinstance(name, str)}


def read_facts(node: dict[str, Any], draft: Draft, origin: str = "json-ld") -> None:
    """Sets what an article node says, except its body; fields that are set already stay."""
    draft.set_text("headline", plain(node.get("headline") or node.get("name")), origin)
    draft.set_text("subheadline", plain(node.get("alternativeHeadline")), origin)
    draft.set_text("abstract", plain(node.get("description")), origin)
    draft.set_authors(_people(node.get("author")) or _people(node.get("creator")), origin)
    draft.set_published(_text(node.get("datePublished")) or _text(node.get("dateCreated")), origin)
    draft.set_updated(_text(node.get("dateModified")), origin)
    draft.set_text("source_name", next(iter(names_of(node.get("publisher"))), None), origin)
    draft.set_terms("sections", _terms(node.get("articleSection")), origin)
    draft.set_terms("keywords", _terms(node.get("keywords")), origin)
    draft.set("is_accessible_for_free", _boolean(node.get("isAccessibleForFree")), origin)
    draft.set("media", tuple(_images(node.get("image")))[:20], origin)
    draft.declared_language = draft.declared_language or _language(node.get("inLanguage"))


def body_of(node: dict[str, Any]) -> str | None:
    """The node's own text, as plain text."""
    return plain(node.get("articleBody") or node.get("text"))


def link_of(node: dict[str, Any]) -> str | None:
    """Where the node says its article is."""
    page = node.get("mainEntityOfPage")
    page = page.get("@id") or page.get("url") if isinstance(page, dict) else page
    links = (node.get("url"), page, node.get("@id"))
    return next(
        (link for link in links if isinstance(link, str) and link.startswith("http")),
        None,
    )


def plain(value: Any) -> str | None:
    """A text value, tags and character references resolved; None for anything else."""
    text = _text(value)
    if text is None:
        return None
    return html_to_text(text) if looks_like_markup(text) else text


def names_of(value: Any) -> list[str]:
    """Names of people or organisations in any of the forms publishers write."""
    if isinstance(value, str):
        return [] if value.startswith(("http://", "https://")) else [value]
    if isinstance(value, list):
        return [name for item in value[:50] for name in names_of(item)]
    if isinstance(value, dict):
        return names_of(value.get("name") or value.get("@value"))
    return []


def _people(value: Any) -> list[str]:
    """Names of authors; an organisation counts only where it is an agency, which becomes the provider."""
    items = value if isinstance(value, list) else [value]
    kept = [item for item in items if not isinstance(item, dict) or not _is_organisation(item)]
    return [name for item in kept for name in names_of(item)]


def _is_organisation(node: dict[str, Any]) -> bool:
    organisation = any(name.endswith("Organization") for name in types_of(node))
    return organisation and not any(is_agency(name) for name in names_of(node))


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("@value")
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _terms(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split(",")
    return names_of(value)


def _language(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("alternateName") or value.get("name")
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.rpartition("/")[2].strip().lower())
    return value if isinstance(value, bool) else None


def _images(value: Any) -> Iterator[Media]:
    for item in value if isinstance(value, list) else [value]:
        node = item if isinstance(item, dict) else {"url": item}
        url = _text(node.get("url")) or _text(node.get("contentUrl"))
        if url and url.startswith(("http://", "https://")):
            credit = next(iter(names_of(node.get("creditText") or node.get("author"))), None)
            yield Media(url=url, type="image", caption=plain(node.get("caption")), credit=credit)
