"""Where foreign JSON objects and tables keep what a record needs: a source's own map from fields to paths.

A path is names with dots between them (`content.text`), numbers for places in an array (`authors.0.name`). A name that
holds dots itself, as columns of a table do, is tried first. What a map names is read there only; all else is found by
its usual name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from worker.errors import ConfigurationError
from worker.model import Article

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "guid": ("guid", "id", "_id", "uri", "article_id"),
    "headline": ("headline", "title", "head", "web_title", "titulo", "titre", "titel", "titolo"),
    "subheadline": (
        "subheadline",
        "sub_title",
        "dek",
        "deck",
        "kicker",
        "standfirst",
        "sub_headline",
        "sub_head",
        "subtitle",
    ),
    "abstract": (
        "abstract",
        "summary",
        "description",
        "excerpt",
        "lead",
        "teaser",
        "standfirst_text",
        "trail_text",
        "snippet",
    ),
    "body_text": (
        "body_text",
        "article_body",
        "body",
        "text",
        "full_text",
        "maintext",
        "content",
        "content_text",
        "article_text",
        "story",
        "texto",
        "texte",
        "testo",
        "cuerpo",
        "inhalt",
    ),
    "body_html": ("body_html", "content_html", "html"),
    "url": ("url", "link", "permalink", "source_url", "web_url", "href"),
    "canonical_url": ("canonical_url", "canonical"),
    "published_at": (
        "date_gmt",
        "published_at",
        "published",
        "date_published",
        "publish_date",
        "pub_date",
        "publication_date",
        "date",
        "web_publication_date",
        "created_at",
        "created",
        "datetime",
        "timestamp",
        "fecha",
        "datum",
    ),
    "updated_at": (
        "modified_gmt",
        "updated_at",
        "updated",
        "date_modified",
        "modified",
        "modified_at",
        "last_modified",
        "date_updated",
        "last_updated",
        "updated_date",
    ),
    "authors": ("authors", "author", "creator", "byline", "by"),
    "byline": ("byline",),
    "dateline": ("dateline",),
    "language": ("language", "lang", "in_language", "language_code", "idioma"),
    "source_name": (
        "source_name",
        "publisher",
        "source",
        "site_name",
        "publication",
        "outlet",
    ),
    "provider": ("provider", "agency"),
    "syndicated_from": ("syndicated_from",),
    "sections": ("sections", "section", "category", "categories"),
    "keywords": ("keywords", "tags", "topics"),
    "image": ("image", "image_url", "top_image", "lead_image"),
}
"""Names of a record's field in other people's JSON, most specific first; compared without case and "_".

A map may name these fields; `image` becomes the first of `media`.
"""

_MOST_STEPS = 20
_EMPTY_STEP = re.compile(r"^\.|\.\.|\.$|^\s*$")


def check_fields(fields: Mapping[str, str], owner: str) -> None:
    """Raises ConfigurationError where a map cannot work; `owner` says whose it is."""
    for field, path in fields.items():
        if field not in USUAL_NAMES:
            known = ", ".join(USUAL_NAMES)
            raise ConfigurationError(f"{owner}: fields: {field!r} is no field that can be mapped; there are {known}")
        if _EMPTY_STEP.search(path) or path.count(".") >= _MOST_STEPS:
            raise ConfigurationError(
                f"{owner}: fields.{field} = {path!r} is no path; write names with dots between them, as in content.text"
            )
    if fields and not {"headline", "body_text", "body_html"} & fields.keys():
        raise ConfigurationError(f"{owner}: fields must name at least one of headline, body_text and body_html")


def parse_fields(text: str, owner: str) -> dict[str, str]:
    """`headline=title,body_text=content.text` -> a map. Raises ConfigurationError where it cannot work."""
    fields: dict[str, str] = {}
    for pair in text.split(","):
        field, equals, path = (part.strip() for part in pair.partition("="))
        if not equals or field in fields:
            raise ConfigurationError(f"{owner}: {pair.strip()!r}: write field=path pairs with commas, each field once")
        fields[field] = path
    check_fields(fields, owner)
    return fields


def find_path(value: Any, path: str) -> Any:
    """What lies at a path of a JSON value; None where nothing does."""
    if isinstance(value, dict) and path in value:
        return value[path]
    step, _, rest = path.partition(".")
    if isinstance(value, dict):
        inner = value.get(step)
    elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        inner = value[int(step)]
    else:
        return None
    return find_path(inner, rest) if rest else inner


def apply_fields(node: dict[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """An object -> the same with the mapped fields under their own names, and not by their usual ones."""
    mapped = {field: find_path(node, path) for field, path in fields.items()}
    taken = set(fields) | ({"body_text", "body_html"} if {"body_text", "body_html"} & fields.keys() else set())
    usual = {name.replace("_", "") for field in taken for name in USUAL_NAMES[field]}
    others = {name: value for name, value in node.items() if name.lower().replace("_", "") not in usual}
    return others | {field: value for field, value in mapped.items() if value not in (None, "")}


def name_paths(article: Article, fields: Mapping[str, str]) -> Article:
    """An article read by a map -> the same, whose provenance names the paths (`json:content.text`)."""
    read = {field: f"json:{path}" for field, path in fields.items() if field in article.provenance}
    return msgspec.structs.replace(article, provenance=article.provenance | read)
