"""Markdown articles: front matter (YAML, TOML) or the first heading, and the text below it.

---
title: Floods close two bridges     the facts, under the names that JSON articles use
date: 2025-05-03T18:30:00+02:00
---
# Floods close two bridges          the headline where the front matter has none
Two bridges were closed ...
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml
from markdown_it import MarkdownIt

from worker.clean.encoding import decode
from worker.clean.html import html_to_text, refuse_deep_nesting, sanitize
from worker.model import Article, Document, Extraction
from worker.parse.draft import Draft
from worker.parse.json_article import read_object
from worker.parse.plain_text import read_body, read_text

_FRONT_MATTER = re.compile(r"\A\s*(---|\+\+\+)[ \t]*\r?\n(.{0,64000}?)\r?\n(?:\1|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"\A\s*<h1>(.*?)</h1>\s*", re.DOTALL)


def parse_markdown(content: bytes, document: Document) -> Iterator[Article]:
    """Markdown bytes -> one article. Raises Rejected `empty_document`, `binary_content`, `no_article`."""
    decoded = decode(content, document.encoding_declared)
    draft = Draft(document, "text/markdown", decoded.encoding)
    draft.warn(*decoded.warnings)
    facts, text = _split(decoded.text, draft)
    markup = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    refuse_deep_nesting(markup)
    heading = _HEADING.match(markup)
    if heading is not None:
        facts.setdefault("title", html_to_text(heading[1]))
        markup = markup[heading.end() :]
    yield _read(facts, markup, draft)


def _split(text: str, draft: Draft) -> tuple[dict[str, Any], str]:
    """The facts of the front matter, and the text below it."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return {}, text
    try:
        facts = tomllib.loads(found[2]) if found[1] == "+++" else _yaml(found[2])
    except (ValueError, yaml.YAMLError, RecursionError):
        draft.warn("front_matter_unreadable")
        return {}, text[found.end() :]
    return (facts if isinstance(facts, dict) else {}), text[found.end() :]


def _yaml(text: str) -> Any:
    """YAML with every value as the string it is: dates are read by the one reader of dates."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes strings, lists and mappings only


def _read(facts: dict[str, Any], markup: str, draft: Draft) -> Article:
    text = html_to_text(markup)
    draft.set("body_html", sanitize(markup), "text")
    if set(facts) - {"title"}:
        facts = {key: value if isinstance(value, str | list | dict) else str(value) for key, value in facts.items()}
        article = read_object({**facts, "body_text": text, "body_html": ""}, draft)
        origins = {"json": "front-matter"}
        provenance = {field: origins.get(origin, origin) for field, origin in article.provenance.items()}
        provenance["body_text"] = "text"
        extraction = Extraction(parser="markdown", version=_version(article), method="front-matter")
        return msgspec.structs.replace(
            article, media_type="text/markdown", provenance=provenance, extraction=extraction
        )
    if draft.set_text("headline", facts.get("title"), "text"):
        return read_body(text, draft, "markdown")
    return read_text(text, draft)


def _version(article: Article) -> str:
    return article.extraction.version if article.extraction else ""
