"""schema.org articles in JSON-LD: found in any nesting, read into a draft."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any
from urllib.parse import unquote

from worker.clean.html import plain_text
from worker.clean.people import is_agency, is_person_name
from worker.clean.urls import absolute_url
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

_PAGES = frozenset(["WebPage", "ItemPage"])
_SITES = frozenset(["WebSite", "Organization", "NewsMediaOrganization", "Corporation"])

_REFERRED = ("author", "creator", "publisher", "image", "isPartOf")
"""Properties whose value may be given as the `@id` of another node."""

_MAX_NODES = 20_000
_MAX_CHARACTERS = 2_000_000

_REPEATED = 80
"""Characters of a beginning that does not come again by chance."""

_INITIALS = re.compile(r"\s*\(\w{2,5}\.?\)\s*$")
"""Initials after an author's name, as German-language papers print them."""

_FAMILY_FIRST = re.compile(r"([^\W\d_][\w'’-]+), ([^\W\d_][\w'’-]+)")
_MOST_PEOPLE = 20

_SUFFIX = re.compile(r"\s+[|\u2013\u2014\u00b7:-]\s+([^|]{2,60})$")
_PATH = re.compile(r"https?://[^/?#]*/([^?#]*)")
_COMMENT = re.compile(
    r"^\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)|(?:-->|//\s*\]\]>|/\*\s*\]\]>\s*\*/|\]\]>)\s*;?\s*$"
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
    """A JSON-LD value -> its article nodes, outermost first, in document order; references are followed."""
    nodes = list(_nodes(value))
    named = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 1}
    for node in nodes:
        if types_of(node) & ARTICLE_TYPES:
            yield _with_references(node, named)


def separate_articles(value: Any) -> list[dict[str, Any]]:
    """The articles of an array that holds nothing else, each with an address of its own; empty for any other value.

    The blocks of a page are such an array too, but name one address or other things besides.
    """
    nodes = [node for node in value if isinstance(node, dict)] if isinstance(value, list) else []
    links = {link_of(node) for node in nodes if types_of(node) & ARTICLE_TYPES}
    return nodes if len(nodes) > 1 and len(links - {None}) == len(nodes) else []


def find_page(value: Any) -> dict[str, Any] | None:
    """A JSON-LD value without article -> its dated web page as an article node; None where there is none.

    Its headline is the page's name without what the value itself names as the site.
    """
    nodes = list(_nodes(value))
    page = next((node for node in nodes if types_of(node) & _PAGES and node.get("datePublished")), None)
    if page is None:
        return None
    sites = {name for node in nodes if types_of(node) & _SITES for name in names_of(node)}
    headline = _text(page.get("headline")) or _text(page.get("name")) or ""
    return {**page, "headline": without_suffix(headline, sites)}


def without_suffix(headline: str, names: Iterable[str]) -> str:
    """A headline -> the headline without a last part (after | or a dash) that is one of the names."""
    known = {name.strip().casefold() for name in names}
    while (found := _SUFFIX.search(headline)) and found[1].strip().casefold() in known:
        headline = headline[: found.start()]
    return headline


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    queue, seen = deque([value]), 0
    while queue and seen < _MAX_NODES:
        node = queue.popleft()
        seen += 1
        if isinstance(node, list):
            queue.extend(node)
        elif isinstance(node, dict):
            yield node
            queue.extend(v for key, v in node.items() if isinstance(v, list | dict) and key != "comment")


def _with_references(node: dict[str, Any], named: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The node with `{"@id": ...}` replaced by what it refers to, one step deep."""

    def follow(value: Any) -> Any:
        if isinstance(value, list):
            return [follow(item) for item in value[:50]]
        if isinstance(value, dict) and isinstance(value.get("@id"), str) and len(value) <= 2:
            return {**value, **named.get(value["@id"], {})}
        return value

    return {key: follow(value) if key in _REFERRED else value for key, value in node.items()}


def types_of(node: dict[str, Any]) -> set[str]:
    """Type names of a node, without the vocabulary's address."""
    found = node.get("@type", ())
    names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return {re.split(r"[/#:]", name)[-1] for name in names if isinstance(name, str)}


def read_facts(node: dict[str, Any], draft: Draft, origin: str = "json-ld") -> None:
    """Sets what an article node says, except its body; fields that are set already stay."""
    headline = plain(node.get("headline") or node.get("name")) or ""
    outlets = names_of(node.get("publisher"))
    around = [*outlets, *_terms(node.get("articleSection")), *_path_of(node)]
    draft.set_text("headline", without_suffix(headline, around), origin)
    draft.set_text("subheadline", plain(node.get("alternativeHeadline")), origin)
    draft.set_text("abstract", plain(node.get("description")), origin)
    draft.set_authors(_people(node.get("author")) or _people(node.get("creator")), origin)
    any(draft.set_published(_text(node.get(name)), origin) for name in ("datePublished", "dateCreated"))
    draft.set_updated(_text(node.get("dateModified")), origin)
    draft.set_text("source_name", next(iter(outlets), None), origin)
    draft.set_terms("sections", _terms(node.get("articleSection")), origin)
    draft.set_terms("keywords", _terms(node.get("keywords")), origin)
    draft.set("is_accessible_for_free", _is_free(node), origin)
    draft.set("media", tuple(_images(node.get("image")))[:20], origin)
    draft.declared_language = draft.declared_language or _language(node.get("inLanguage"))
    _set_corrections(node.get("correction"), draft, origin)


def _set_corrections(value: Any, draft: Draft, origin: str) -> None:
    """Texts, addresses of notices, or CorrectionComments (https://schema.org/correction)."""
    for item in value[:20] if isinstance(value, list) else [value]:
        comment = item if isinstance(item, dict) else {"text": item}
        text = plain(comment.get("text") or comment.get("description") or comment.get("name"))
        if text and not text.startswith(("http://", "https://")):
            draft.add_correction(text, origin, _text(comment.get("datePublished") or comment.get("dateCreated")))
        elif text:
            draft.warn("correction")


def body_of(node: dict[str, Any]) -> str | None:
    """The node's own text, as plain text."""
    value = node.get("articleBody") or node.get("text")
    if isinstance(value, list):
        # Each item is a paragraph.
        value = "\n\n".join(filter(None, map(plain, value[:_MAX_NODES])))
    text = plain(value)
    return _once(text) if text else text


def link_of(node: dict[str, Any]) -> str | None:
    """Where the node says its article is."""
    page = node.get("mainEntityOfPage")
    page = page.get("@id") or page.get("url") if isinstance(page, dict) else page
    links = (node.get("url"), page, node.get("@id"))
    return next(
        (link for link in links if isinstance(link, str) and link.startswith("http")),
        None,
    )


def _path_of(node: dict[str, Any]) -> list[str]:
    """The parts of the article's address before its last: the sections it stands in."""
    found = _PATH.match(link_of(node) or "")
    return unquote(found[1]).split("/")[:-1] if found else []


def plain(value: Any) -> str | None:
    """A text value, tags and character references resolved; None for anything else."""
    text = _text(value)
    return None if text is None else plain_text(text)


def _once(text: str) -> str:
    """A text that was put together twice -> the text once."""
    start = text[:_REPEATED]
    again = text.find(start, len(start)) if len(start) == _REPEATED else -1
    first, second = text[:again].split(), text[again:].split()
    return text[:again].rstrip() if again > 0 and first == second else text


def names_of(value: Any) -> list[str]:
    """Names of people or organisations in any of the forms publishers write."""
    if isinstance(value, str):
        return [] if value.startswith(("http://", "https://")) else [unescape(value)]
    if isinstance(value, list):
        return [name for item in value[:50] for name in names_of(item)]
    if isinstance(value, dict):
        parts = [value.get(key) for key in ("givenName", "additionalName", "familyName")]
        whole = " ".join(part for part in parts if isinstance(part, str) and part)
        return names_of(value.get("name") or value.get("@value") or value.get("@list") or whole or None)
    return []


def _people(value: Any) -> list[str]:
    """Names of authors; an organisation counts only where it is an agency, which becomes the provider."""
    items = value if isinstance(value, list) else [value]
    kept = [item for item in items if not isinstance(item, dict) or not _is_organisation(item)]
    return [_INITIALS.sub("", _family_last(name, item)) for item in kept for name in names_of(item)]


def _family_last(name: str, item: Any) -> str:
    """`Roe, Ann` of one person -> `Ann Roe`; a role or an agency after the comma stays."""
    found = _FAMILY_FIRST.fullmatch(name) if isinstance(item, dict) and "Person" in types_of(item) else None
    return f"{found[2]} {found[1]}" if found and not is_agency(found[2]) and is_person_name(found[2]) else name


def addresses_of(value: Any) -> list[str]:
    """Addresses that stand for people without a name: texts that are addresses, `url` and `@id` of nameless nodes."""
    items = value[:_MOST_PEOPLE] if isinstance(value, list) else [value]
    nodes = (
        item.get("url") or item.get("@id") or item.get("name") if isinstance(item, dict) else item for item in items
    )
    return [node for node in nodes if isinstance(node, str) and node.startswith(("http://", "https://"))]


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


def _is_free(node: dict[str, Any]) -> bool | None:
    """What the node says of itself, or a part of it that must be paid for (schema.org, hasPart with a cssSelector)."""
    said = _boolean(node.get("isAccessibleForFree"))
    parts = node.get("hasPart")
    parts = parts[:20] if isinstance(parts, list) else [parts]
    paid = any(isinstance(part, dict) and _boolean(part.get("isAccessibleForFree")) is False for part in parts)
    return False if said is None and paid else said


def _images(value: Any) -> Iterator[Media]:
    for item in value if isinstance(value, list) else [value]:
        node = item if isinstance(item, dict) else {"url": item}
        url = absolute_url(_text(node.get("url")) or _text(node.get("contentUrl")))
        if url:
            credit = next(
                iter(names_of(node.get("creditText") or node.get("author") or node.get("copyrightHolder"))), None
            )
            yield Media(url=url, type="image", caption=plain(node.get("caption")), credit=credit)
