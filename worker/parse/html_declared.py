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
_MOST_NAMES = 20


def declared_authors(found: Metadata) -> list[list[str]]:
    """What meta elements call the author, by the most usual names first; an address is no name."""
    known = next((found.all(name) for name in _NAMES if any(map(str.strip, found.all(name)))), [])
    similar = [value for name in found.meta if _SIMILAR.search(name) for value in found.all(name)]
    labelled = [found.first(data) or "" for label, data in _LABELLED if says_by(found.first(label) or "")]
    groups = ([*known, *_no_addresses(found.all("article:author"))], _no_addresses(similar), labelled)
    return [names[:_MOST_NAMES] for names in groups if names]


def _no_addresses(values: list[str]) -> list[str]:
    return [value for value in values if "/" not in value]
