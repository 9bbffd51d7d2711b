"""Organisations as authors: where a page declares one as its author, and names no person or names it beside them.

schema.org lets an author be a person or an organisation (https://schema.org/author). What a page merely shows, its
publisher and its site are no authors; only what JSON-LD or a meta element calls so counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from worker.clean.people import BYLINE_PREFIX, NOBODY, is_agency
from worker.clean.text import clean_line
from worker.parse.draft import Draft
from worker.parse.html_byline import without_sites
from worker.parse.html_declared import declared_authors
from worker.parse.html_metadata import Metadata, site_names
from worker.parse.json_ld import names_of, types_of

_MOST_NAMES = 20
_LONGEST_CHARACTERS = 100
_NODES = 3
_NO_NAME = re.compile(
    r"[@<>{}=\[\]]|https?:|^(?:(?:\S+ )?admin(?:istrator)?|webmaster|super ?user|editor|anonymous|guest\b.*|"
    r"(?:\S+ )?contributors?|[\W\d_]+)$",
    re.IGNORECASE,
)
"""Addresses, and what site software calls accounts that name nobody."""


def set_organisations(draft: Draft, found: Metadata, shown: str | None) -> None:
    """Adds the organisations that a page declares as authors; `draft` holds the people that were found.

    Beside people count only those of the list that named the people, and never the site itself.
    """
    listed = list(_listed(found))
    if "authors" in draft.fields:
        if draft.provenance.get("authors") == "json-ld":
            others = (name for name, is_organisation in listed if is_organisation or is_agency(name))
            draft.add_organisations(without_sites(others, site_names(found)), "json-ld")
        return
    # Site software writes itself as an Organization; what names the author of this page says more.
    persons = (name for name, is_organisation in listed if not is_organisation)
    groups: list[tuple[Iterable[str], str]] = [(persons, "json-ld")]
    groups += [(names, "meta") for names in declared_authors(found)]
    groups.append(((name for name, _ in listed), "json-ld"))
    if not any(draft.add_organisations(filter(_is_name, map(_clean, names)), origin) for names, origin in groups):
        draft.add_organisations(filter(_is_name, [shown or ""]), "byline")


def _listed(found: Metadata) -> Iterator[tuple[str, bool]]:
    """The authors of the first article in JSON-LD that has any, each with whether it is typed an organisation."""
    for node in found.articles[:_NODES]:
        items = _items(node.get("author")) or _items(node.get("creator"))
        if items:
            yield from items[:_MOST_NAMES]
            return


def _items(value: Any) -> list[tuple[str, bool]]:
    items = value if isinstance(value, list) else [value]
    typed = ((item, isinstance(item, dict) and _is_organisation(item)) for item in items[:_MOST_NAMES])
    return [(name, is_organisation) for item, is_organisation in typed for name in names_of(item)]


def _is_organisation(node: dict[str, Any]) -> bool:
    return any(name.endswith("Organization") for name in types_of(node))


def _clean(name: str) -> str:
    return BYLINE_PREFIX.sub("", clean_line(name)).strip(" .,:;-–—|•·*\"'“”")


def _is_name(name: str) -> bool:
    """Whether a text could name an organisation: no address and no login name (`vpost`)."""
    if not 1 < len(name) <= _LONGEST_CHARACTERS or _NO_NAME.search(name) or NOBODY.fullmatch(name):
        return False
    return is_agency(name) or "." in name or not name.islower()
