"""JSON objects that are articles: by the usual names of their fields, or by schema.org types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from worker.clean.encoding import decode
from worker.clean.html import html_to_text, looks_like_markup, sanitize
from worker.errors import Rejected
from worker.model import Article, Document, Encoding, Media, Refusal
from worker.parse import json_ld
from worker.parse.draft import Draft
from worker.parse.entries import MOST_PARTS
from worker.parse.field_map import USUAL_NAMES, apply_fields, find_path, name_paths
from worker.parse.html_metadata import Metadata
from worker.parse.html_organisations import set_organisations
from worker.parse.refusals import refusal
from worker.parse.rights import rights_in_node, set_rights
from worker.parse.subjects import subjects_in_node
from worker.parse.unpacking import part_name
from worker.parse.wire.json_wire import find_wire, read_wire
from worker.parse.wire.members import Member, read_member

_KEYS = {field: tuple(name.replace("_", "") for name in names) for field, names in USUAL_NAMES.items()}


_DEEPEST = 3
"""Objects around the list of articles in an answer: {"response": {"data": {"articles": []}}}."""
_NEXT_OBJECT = re.compile(r"[\s,]*\{")


def parse_json(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """JSON bytes -> the article of an object, or the articles of an array (member: index from 0).

    Where the document has a map of fields, every object is read by it. Raises Rejected `malformed_json`, and
    `unsupported_format` for JSON that holds no article.
    """
    try:
        value, encoding = load_json(content, document)
    except Rejected as error:
        whole = _before_the_cut(content)
        if not whole:
            raise
        yield from _read_value(whole, document, Encoding(declared=document.encoding_declared, used="utf-8"))
        yield refusal(Rejected("truncated_container", f"after {len(whole)} objects: {error.detail}"), document.member)
        return
    yield from _read_value(value, document, encoding)


def _before_the_cut(content: bytes) -> list[dict[str, Any]]:
    """The objects of an array that ends early; empty for anything else."""
    text = content.decode("utf-8-sig", "ignore")
    position, found = text.find("[") + 1, []
    decoder = json.JSONDecoder(strict=False)
    if not position or text[: position - 1].strip():
        return []
    while start := _NEXT_OBJECT.match(text, position):
        try:
            value, position = decoder.raw_decode(text, start.end() - 1)
        except (ValueError, RecursionError):
            break
        found.append(value)
    return found


def _read_value(value: Any, document: Document, encoding: Encoding) -> Iterator[Article | Refusal]:
    value = _unwrapped(value, document.fields)
    items = value if isinstance(value, list) else [value]
    nodes = [node for node in items[: MOST_PARTS + 1] if isinstance(node, dict)]
    if document.fields:
        mapped = [apply_fields(node, document.fields) for node in nodes]
        for item in _read_objects(mapped, value, document, encoding):
            yield name_paths(item, document.fields) if isinstance(item, Article) else item
        return
    if any(map(_is_json_ld, nodes)):
        articles = json_ld.separate_articles(value)
        for index, node in enumerate(articles):
            draft = Draft(document, "application/ld+json", encoding)
            yield read_member(partial(_from_json_ld, node, draft), document, index)
        if articles:
            return
        articles = list(json_ld.find_articles(value))
        if articles:
            yield _from_json_ld(articles[0], Draft(document, "application/ld+json", encoding))
            return
        page = json_ld.find_page(value)
        if page:
            yield _from_json_ld(page, Draft(document, "application/ld+json", encoding))
            return
    wire = find_wire(value)
    if wire:
        yield from read_wire(wire, document, encoding)
        return
    yield from _read_objects(nodes, value, document, encoding)


def _unwrapped(value: Any, fields: dict[str, str]) -> Any:
    """An object that is no article but holds lists of them -> the articles; any other value as it is."""
    if not isinstance(value, dict) or is_listed_article(value, fields) or _is_json_ld(value) or find_wire(value):
        return value
    return list(_listed(value, fields, _DEEPEST)) or value


def _listed(value: dict[str, Any], fields: dict[str, str], deepest: int) -> Iterator[dict[str, Any]]:
    """The articles in the lists of an object, and of the objects in it."""
    for inner in value.values():
        if isinstance(inner, list):
            nodes = [node for node in inner if isinstance(node, dict)]
            yield from nodes if nodes and is_listed_article(nodes[0], fields) else ()
        elif isinstance(inner, dict) and deepest:
            yield from _listed(inner, fields, deepest - 1)


def _is_json_ld(node: dict[str, Any]) -> bool:
    return not node.keys().isdisjoint(("@context", "@graph", "@type"))


def is_listed_article(node: dict[str, Any], fields: dict[str, str]) -> bool:
    """Whether an object of a list is an article by itself: by a source's map of fields, its names, type or wire."""
    if fields:
        return any(find_path(node, path) not in (None, "") for path in fields.values())
    return is_article(node) or bool(json_ld.types_of(node) & json_ld.ARTICLE_TYPES) or len(find_wire(node)) == 1


def _read_objects(
    nodes: list[dict[str, Any]], value: Any, document: Document, encoding: Encoding
) -> Iterator[Article | Refusal]:
    if not nodes or not (document.fields or all(map(is_article, nodes))):
        raise Rejected("unsupported_format", "JSON, but no article: needs a headline and a body")
    if not isinstance(value, list):
        yield read_object(nodes[0], Draft(document, "application/json", encoding))
        return
    for index, node in enumerate(nodes):
        yield _one_of_many(node, index, Draft(document, "application/json", encoding))


def load_json(content: bytes, document: Document) -> tuple[Any, Encoding]:
    """JSON bytes -> (value, encoding).

    JSON is UTF-8 (RFC 8259), or marked UTF-16 or UTF-32; anything else is Rejected `malformed_json`. Wrapped
    in the comments of a script it is read too.
    """
    try:
        text, encoding = (
            content.decode("utf-8-sig"),
            Encoding(declared=document.encoding_declared, used="utf-8"),
        )
    except UnicodeDecodeError as error:
        decoded = decode(content, document.encoding_declared)
        if not (decoded.encoding.used or "").startswith("utf-"):
            raise Rejected("malformed_json", f"not UTF-8: {error}") from error
        if decoded.warnings:
            raise Rejected("malformed_json", f"not valid UTF-8: {error}") from error
        text, encoding = decoded.text, decoded.encoding
    try:
        return json.loads(text, strict=False), encoding
    except (ValueError, RecursionError) as error:
        script = json_ld.load_json_ld(text)
        if script is not None:
            return script, encoding
        raise Rejected("malformed_json", f"{type(error).__name__}: {error}"[:300]) from error


def is_article(node: dict[str, Any]) -> bool:
    """Whether an object has a headline and a body, or a body and an address."""
    values = _folded(node)
    body = _find(values, "body_text") or _find(values, "body_html")
    has_headline_key = not values.keys().isdisjoint(_KEYS["headline"])
    return isinstance(body, str) and bool(has_headline_key or _find(values, "url"))


def read_object(node: dict[str, Any], draft: Draft) -> Article:
    """An object that is an article -> the article. Raises Rejected `no_article` where it is empty."""
    values = _folded(node)
    for name in (
        "headline",
        "subheadline",
        "abstract",
        "byline",
        "dateline",
        "provider",
        "syndicated_from",
    ):
        draft.set_text(name, json_ld.plain(_find(values, name)), "json")
    guid = _find(values, "guid")
    draft.set_text("guid", str(guid) if isinstance(guid, str | int) else None, "json")
    draft.set_link("url", _string(_find(values, "url")), "json")
    draft.set_link("canonical_url", _string(_find(values, "canonical_url")), "json")
    _set_body(values, draft)
    draft.set_authors(json_ld.names_of(_find(values, "authors")), "json")
    draft.set_published(_find(values, "published_at"), "json")
    draft.set_updated(_find(values, "updated_at"), "json")
    draft.set_text(
        "source_name",
        next(iter(json_ld.names_of(_find(values, "source_name"))), None),
        "json",
    )
    for name in ("sections", "keywords"):
        draft.set_terms(name, _terms(_find(values, name)), "json")
    image = json_ld.names_of(_find(values, "image")) or [_find(values, "image")]
    if isinstance(image[0], str) and image[0].startswith(("http://", "https://")):
        draft.set("media", (Media(url=image[0], type="image"),), "json")
    draft.declared_language = _string(_find(values, "language"))
    return draft.finish("json", "fields")


def _set_body(values: dict[str, Any], draft: Draft) -> None:
    markup = _string(_find(values, "body_html"))
    text = _string(_find(values, "body_text")) or ""
    if markup is None and looks_like_markup(text) and "</" in text:
        markup, text = text, ""
    draft.set_text("body_text", text or html_to_text(markup or ""), "json")
    if markup:
        draft.set("body_html", sanitize(markup, draft.fields.get("url")), "json")


def _from_json_ld(node: dict[str, Any], draft: Draft, member: Member = None) -> Article:
    json_ld.read_facts(node, draft)
    # As on the page that such a block comes from: who is declared as author, person or not.
    said = Metadata(meta={}, articles=(node,), title=None, canonical=None, language=None, base=None, times=())
    set_organisations(draft, said, None)
    draft.set_link("url", json_ld.link_of(node), "json-ld")
    draft.set("subjects", tuple(dict.fromkeys(subjects_in_node(node))), "json-ld")
    set_rights(draft, rights_in_node(node))
    draft.set_text("body_text", json_ld.body_of(node), "json-ld")
    return draft.finish("json", "json-ld", member)


def _one_of_many(node: dict[str, Any], index: int, draft: Draft) -> Article | Refusal:
    """One article of an array: a bad one costs itself only."""
    member = part_name(draft.document, index)
    try:
        article = read_object(node, draft)
    except Rejected as error:
        return refusal(error, member)
    return msgspec.structs.replace(article, member=member)


def _folded(node: dict[str, Any]) -> dict[str, Any]:
    """An object with its names as they are compared.

    What content APIs keep in one object more is read as the object's own: `fields`, `attributes` (JSON:API) and
    `{"rendered": ...}` (WordPress, whose `date_gmt` names its zone).
    """
    inner = (node.get(name) for name in ("attributes", "fields"))
    parts = [part for part in inner if isinstance(part, dict)]
    values = {key.lower().replace("_", ""): value for part in (*parts, node) for key, value in part.items()}
    for key, value in values.items():
        if isinstance(value, dict) and "rendered" in value:
            values[key] = value["rendered"]
        elif key.endswith("gmt") and isinstance(value, str):
            values[key] = f"{value}Z"
    return values


def _find(values: dict[str, Any], field: str) -> Any:
    """The first of a field's names that has a value."""
    return next((values[key] for key in _KEYS[field] if values.get(key)), None)


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _terms(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else json_ld.names_of(value)
