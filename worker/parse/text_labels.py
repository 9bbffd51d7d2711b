"""Labelled lines above a plain text: `Title: ...`, `Author: ...`, `Date: ...`, as exports of archives write them."""

from __future__ import annotations

import re

from worker.parse.draft import Draft

_LABELS = {
    **dict.fromkeys(("title", "headline", "titel", "überschrift", "titre", "título", "titolo", "tytuł"), "headline"),
    **dict.fromkeys(("subtitle", "subheadline", "deck", "untertitel", "sous-titre", "subtítulo"), "subheadline"),
    **dict.fromkeys(("author", "authors", "byline", "autor", "autoren", "auteur", "autore", "auteurs"), "byline"),
    **dict.fromkeys(
        ("date", "published", "publication date", "pubdate", "datum", "fecha", "data", "publié", "veröffentlicht"),
        "date",
    ),
    **dict.fromkeys(("source", "publication", "publisher", "quelle", "fuente", "fonte", "zeitung"), "source_name"),
    **dict.fromkeys(("url", "link"), "url"),
    **dict.fromkeys(("section", "category", "ressort", "rubrique", "sección"), "sections"),
    **dict.fromkeys(("keywords", "tags", "schlagworte", "mots-clés"), "keywords"),
    **dict.fromkeys(("language", "sprache", "langue", "idioma"), "language"),
}
_LINE = re.compile(r"([^\W\d_][\w -]{2,20}?)\s?:\s+(\S.*)")
_LEAST = 2


def take_labels(text: str, draft: Draft) -> str:
    """Set what labelled lines at the beginning of a text say -> the text below them.

    A text that does not begin with at least two of them, one its headline, stays as it is.
    """
    lines = text.split("\n")
    named: dict[str, str] = {}
    end = 0
    while end < len(lines) and (found := _LINE.fullmatch(lines[end])) and found[1].lower() in _LABELS:
        named.setdefault(_LABELS[found[1].lower()], found[2])
        end += 1
    if len(named) < _LEAST or "headline" not in named:
        return text
    for field in ("headline", "subheadline", "byline", "source_name"):
        draft.set_text(field, named.get(field), "text")
    draft.set_authors([named.get("byline", "")], "text")
    draft.set_published(named.get("date"), "text")
    draft.set_link("url", named.get("url"), "text")
    for field in ("sections", "keywords"):
        draft.set_terms(field, re.split(r"[,;]", named.get(field, "")), "text")
    draft.declared_language = draft.declared_language or named.get("language")
    return "\n".join(lines[end:]).strip("\n")
