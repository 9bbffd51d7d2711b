"""The author of a page as its meta elements declare it, under the many names that site software gives them."""

from __future__ import annotations

import re

from worker.parse.html_byline import says_by
from worker.parse.html_metadata import Metadata

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
_LABELLED = (("twitter:label1", "twitter:data1"), ("twitter:label2", "twitter:data2"))
_CITED = ("citation_author", "citation_authors")
_CATALOGUED = re.compile(r"^(?:dc|dcterms|citation)[._]")
_FAMILY_FIRST = re.compile(r"([^\s,]+), ([^,]{1,30})")
"""`Roe, Ann`, as catalogues write a name (https://scholar.google.com/intl/en/scholar/inclusion.html)."""
_MOST_NAMES = 20


def declared_authors(found: Metadata) -> list[list[str]]:
    """What meta elements call the author, by the most usual names first; an address is no name.

    article:author is this article's, `author` may be the site's; a catalogue's first author is one of its authors.
    """
    known = next((_values(found, name) for name in _NAMES if any(_values(found, name))), [])
    similar = [value for name in found.meta if _SIMILAR.search(name) for value in _no_addresses(_values(found, name))]
    labelled = [found.first(data) or "" for label, data in _LABELLED if says_by(found.first(label) or "")]
    cited = [value for name in _CITED for value in _values(found, name)]
    known = cited if set(known) < set(cited) else known
    groups = (_no_addresses(_values(found, "article:author")), known, similar, labelled)
    return [names[:_MOST_NAMES] for names in groups if names]


def _values(found: Metadata, name: str) -> list[str]:
    values = [value.strip() for value in found.all(name)]
    if not _CATALOGUED.search(name):
        return values
    return [_FAMILY_FIRST.sub(r"\2 \1", value) if _FAMILY_FIRST.fullmatch(value) else value for value in values]


def _no_addresses(values: list[str]) -> list[str]:
    return [value for value in values if "/" not in value]
