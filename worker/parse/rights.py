"""What may be done with an article: its owner, its licence, and whether machines may learn from it.

Read from JSON-LD (schema.org: copyrightHolder, copyrightNotice, license, usageInfo), meta and link elements, and HTTP
headers. An opt-out counts wherever it stands: the TDM Reservation Protocol (W3C community group report, 2024:
`tdm-reservation`, 1 for reserved and 0 for not, `tdm-policy`), and the directives `noai` and `noimageai` of robots meta
elements and X-Robots-Tag headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import lxml.html
import msgspec

from worker.clean.text import clean_line
from worker.clean.urls import absolute_url
from worker.model import Http, Rights
from worker.parse.draft import Draft
from worker.parse.html_metadata import Metadata
from worker.parse.json_ld import names_of, plain

_HOLDERS = ("dcterms.rightsholder", "dc.rightsholder", "copyright-holder")
_NOTICES = ("copyright", "rights", "dc.rights", "dcterms.rights", "og:copyright", "article:copyright")
_LICENCES = ("dcterms.license", "dc.rights.license", "license", "og:license")
_ROBOTS = ("robots", "googlebot", "bingbot")
_NO_TRAINING = re.compile(r"(?<![\w-])no(?:image)?ai(?![\w-])", re.IGNORECASE)
_LINKS = "//link[contains(concat(' ', normalize-space(@rel), ' '), ' license ')]/@href"
_MOST_CHARACTERS = 1_000

Said = tuple[str, Any, str]
"""A field of Rights, its value, where it was read."""


def set_rights(draft: Draft, said: Iterator[Said]) -> None:
    """Sets `rights`, of each field the first value; a refusal of training wins over a permission."""
    known: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value, origin in said:
        cleaned = clean_line(value)[:_MOST_CHARACTERS] if isinstance(value, str) else value
        refused = name == "ai_training" and cleaned is False and known.get(name) is True
        if cleaned in (None, "") or (name in known and not refused):
            continue
        known[name], origins[name] = cleaned, origin
    if not known:
        return
    before = draft.fields.get("rights", Rights())
    missing = {name: value for name, value in known.items() if getattr(before, name) is None}
    draft.fields["rights"] = msgspec.structs.replace(before, **missing)
    draft.provenance.update({f"rights.{name}": origins[name] for name in missing})
    draft.provenance.setdefault("rights", next(iter(origins.values())))


def rights_in_node(node: dict[str, Any]) -> Iterator[Said]:
    """What an article node of schema.org says."""
    yield "holder", next(iter(names_of(node.get("copyrightHolder"))), None), "json-ld"
    yield "notice", plain(node.get("copyrightNotice")), "json-ld"
    for name in ("license", "usageInfo"):
        yield "usage_terms", _address(node.get(name)), "json-ld"


def _address(value: Any) -> str | None:
    """A licence as text, address, or node."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("url") or value.get("@id") or value.get("name")
    return plain(value)


def rights_in_page(tree: lxml.html.HtmlElement, found: Metadata, base: str | None) -> Iterator[Said]:
    """What a page's elements and its JSON-LD say."""
    for node in found.articles[:3]:
        yield from rights_in_node(node)
    yield "holder", found.first(*_HOLDERS), "meta"
    yield "notice", found.first(*_NOTICES), "meta"
    yield "usage_terms", found.first(*_LICENCES), "meta"
    for link in tree.xpath(_LINKS)[:1]:
        yield "usage_terms", absolute_url(str(link), base), "link"
    yield from _reservation(found.first("tdm-reservation"), found.first("tdm-policy"), base, "meta tdm-reservation")
    for value in found.all(*_ROBOTS):
        yield "ai_training", False if _NO_TRAINING.search(value) else None, "meta robots"


def rights_in_headers(http: Http | None) -> Iterator[Said]:
    """What the HTTP headers said."""
    if http is None:
        return
    yield from _reservation(http.tdm_reservation, http.tdm_policy, http.url, "http tdm-reservation")
    yield "ai_training", False if _NO_TRAINING.search(http.robots or "") else None, "http x-robots-tag"


def _reservation(value: str | None, policy: str | None, base: str | None, origin: str) -> Iterator[Said]:
    reserved = {"1": False, "0": True}.get((value or "").strip())
    yield "ai_training", reserved, origin
    if reserved is False and policy:
        yield "usage_terms", absolute_url(policy, base), origin
