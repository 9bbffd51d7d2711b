"""A feed's entry and the page it links to -> one article: the entry's names and dates, the page's text.

Where the page says less than the entry (a consent wall, a teaser behind a paywall), the entry's own text stays, with
the warning `full_text_unavailable`.
"""

from __future__ import annotations

import re

import msgspec

from worker.model import Article, Refusal

WARNING = "full_text_unavailable"
_OF_PAGE = ("body_text", "body_html", "extraction", "encoding", "media_type", "is_accessible_for_free")
_FILLED = (
    *("headline", "subheadline", "authors", "byline", "dateline", "provider", "syndicated_from", "source_name"),
    *("url", "language", "language_confidence", "published_at", "published_precision", "published_source"),
    *("updated_at", "sections", "keywords", "subjects", "places", "media", "rights", "corrections"),
)
_AMP = re.compile(rb"<html[^>]*\s(?:amp|\xe2\x9a\xa1)(?:[\s=>])", re.IGNORECASE)
_AMP_WITHIN_BYTES = 5_000


def is_amp(content: bytes) -> bool:
    """Whether a page is in the AMP form (https://amp.dev/documentation/guides-and-tutorials/learn/spec/amphtml)."""
    return _AMP.search(content[:_AMP_WITHIN_BYTES]) is not None


def merge(entry: Article | Refusal, page: Article | Refusal, content: bytes) -> Article | Refusal:
    """What the entry and its page give together; the entry alone (or its refusal) where the page adds nothing."""
    facts = entry.article if isinstance(entry, Refusal) else entry
    if not isinstance(page, Article) or len(page.body_text) <= len(facts.body_text if facts else ""):
        return _alone(entry, page)
    warnings = [*(facts.warnings if facts else ()), *page.warnings]
    if is_amp(content):
        warnings.append("amp_page")
    if page.is_accessible_for_free is False:
        warnings.append("paywall")
    if facts is None:
        return msgspec.structs.replace(page, member=None, is_full_text=True, warnings=tuple(dict.fromkeys(warnings)))
    taken = {name: getattr(page, name) for name in _OF_PAGE}
    taken |= {name: getattr(page, name) for name in _FILLED if not getattr(facts, name)}
    provenance = {**page.provenance, **facts.provenance}
    provenance |= {name: page.provenance[name] for name in taken if name in page.provenance}
    return msgspec.structs.replace(
        facts,
        **taken,
        abstract=facts.abstract or facts.body_text or page.abstract,
        canonical_url=page.canonical_url or facts.canonical_url,
        is_full_text=page.is_accessible_for_free is not False,
        member=None,
        provenance=provenance,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _alone(entry: Article | Refusal, page: Article | Refusal) -> Article | Refusal:
    if isinstance(entry, Refusal):
        return msgspec.structs.replace(entry, member=None)
    notes = [*entry.warnings, WARNING]
    free = page.is_accessible_for_free if isinstance(page, Article) else None
    if free is False:
        notes.append("paywall")
    return msgspec.structs.replace(
        entry,
        member=None,
        is_full_text=False,
        is_accessible_for_free=free if entry.is_accessible_for_free is None else entry.is_accessible_for_free,
        warnings=tuple(dict.fromkeys(notes)),
    )
