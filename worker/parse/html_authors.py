"""The authors of a page: declared in JSON-LD, in meta elements, or shown; in this order, people only."""

from __future__ import annotations

import re

import lxml.html
from trafilatura.metadata import extract_author

from worker.clean.people import is_agency, is_person_name
from worker.model import Person
from worker.parse.draft import Draft
from worker.parse.html_byline import look_like_names, says_by, visible_names, without_sites
from worker.parse.html_metadata import Metadata, site_names

_NAMES = (
    "author",
    "article:author_name",
    "parsely-author",
    "dc.creator",
    "dcterms.creator",
    "sailthru.author",
    "byl",
)
_SIMILAR = re.compile(r"(?:^|[.:_-]|article)(?:authors?|byline)(?:[._-]?names?)?$")
"""Meta elements that name an author, under the many names that site software gives them."""
_MOST_NAMES = 20
_LABELLED = (("twitter:label1", "twitter:data1"), ("twitter:label2", "twitter:data2"))


def set_authors(draft: Draft, tree: lxml.html.HtmlElement, found: Metadata) -> None:
    """Sets the authors of a page where JSON-LD named none; `draft` may hold authors that JSON-LD named.

    A site that names itself as the author says little: it is held back for the case that nobody else is named.
    """
    sites = site_names(found)
    held = _hold_site(draft, sites)
    if "authors" not in draft.fields:
        draft.set_authors(without_sites(_declared(found), sites), "meta")
    if "authors" not in draft.fields:
        any(draft.set_authors(without_sites(names, sites), "byline") for names in visible_names(tree))
    if "authors" not in draft.fields:
        draft.set_authors(without_sites(_guessed(tree), sites), "text")
    if held is not None:
        draft.set("authors", *held)


def _guessed(tree: lxml.html.HtmlElement) -> list[str]:
    """What trafilatura takes for the author, where it looks like names or is an agency."""
    names = [name.strip() for name in (extract_author(tree) or "").split(";")]
    people = [name for name in names if is_person_name(name) and not is_agency(name)]
    return names if look_like_names(people) else []


def _hold_site(draft: Draft, sites: tuple[str, ...]) -> tuple[tuple[Person, ...], str] | None:
    authors: tuple[Person, ...] = draft.fields.get("authors", ())
    kept = set(without_sites((person.name for person in authors), sites))
    if authors and not kept:
        return draft.fields.pop("authors"), draft.provenance.pop("authors")
    if len(kept) < len(authors):
        draft.fields["authors"] = tuple(person for person in authors if person.name in kept)
    return None


def _declared(found: Metadata) -> list[str]:
    """What meta elements call the author; an address is no name."""
    known = next((found.all(name) for name in _NAMES if any(map(str.strip, found.all(name)))), [])
    names = [*known, *(value for value in found.all("article:author") if "/" not in value)]
    if not names:
        names = [value for name in found.meta if _SIMILAR.search(name) for value in found.all(name) if "/" not in value]
    if not names:
        names = [found.first(data) or "" for label, data in _LABELLED if says_by(found.first(label) or "")]
    return names[:_MOST_NAMES]
