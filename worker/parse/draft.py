"""A draft of an article: fields are set with their origin, doubts noted, and at the end it is frozen.

Every text that goes in is cleaned here, every date read here, so that no parser can forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker import __version__
from worker.clean.dates import Dated, count_back, in_timezone, plausible, read_date
from worker.clean.html import resolve_references
from worker.clean.language import choose_language
from worker.clean.mojibake import repair_mojibake
from worker.clean.people import Byline, is_agency, parse_byline
from worker.clean.text import clean_line, clean_text
from worker.clean.urls import absolute_url, canonical_url, is_site_root
from worker.errors import Rejected
from worker.model import Article, Author, Correction, Document, Encoding, Extraction
from worker.parse.corrections import find_notices

_BLOCK_FIELDS = ("body_text", "abstract")
_NAMES = ("guid", "url", "canonical_url")
"""Fields that name the article: kept to the letter."""
_MOST_CORRECTIONS = 20
_MAX_LINE = 2_000
"""Characters of a headline, deck or name; what is longer is damage (the longest in practice are near 400)."""


@dataclass
class Draft:
    """An article in the making from `document`; `declared_language` is what the document says of itself."""

    document: Document
    media_type: str
    encoding: Encoding | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    declared_language: str | None = None
    canonical_urls: Mapping[str, str | None] = field(default_factory=dict)
    """Links whose canonical form was found before (a feed compares those of all its entries)."""

    def set(self, name: str, value: Any, origin: str) -> bool:
        """Set a field that is not set yet; empty values are passed over. Returns whether it was set."""
        if name in self.fields or value in (None, (), ""):
            return False
        self.fields[name] = self._sound(value) if isinstance(value, str) and name not in _NAMES else value
        self.provenance[name] = origin
        return True

    def set_text(self, name: str, text: str | None, origin: str) -> bool:
        """Set a text field: blocks keep their paragraphs, all others are one line of limited length."""
        if not text or name in self.fields:
            return False
        if name in _BLOCK_FIELDS:
            return self.set(name, clean_text(text), origin)
        line = clean_line(text)
        if len(line) > _MAX_LINE:
            self.warn(f"{name}_cut")
            line = line[:_MAX_LINE].rstrip()
        return self.set(name, line, origin)

    def set_terms(self, name: str, terms: Iterable[str], origin: str) -> bool:
        """Set a field of several words (keywords, sections, places): cleaned, each once."""
        cleaned = (clean_line(self._plain(term))[:200] for term in terms)
        return self.set(name, tuple(dict.fromkeys(term for term in cleaned if term)), origin)

    def _sound(self, text: str) -> str:
        """The text; repaired where it was doubly encoded and written with escapes, which decoding cannot see."""
        repaired = repair_mojibake(text)
        if repaired != text:
            self.warn("mojibake_repaired")
        return repaired

    def _plain(self, text: str) -> str:
        """A name or term, sound and without character references: no markup stands in it."""
        return self._sound(resolve_references(text))

    def set_published(self, value: object, origin: str) -> bool:
        """Set published_at from a date as found; doubts become warnings, a doubtful date sets nothing."""
        return self.set_published_read(read_date(value), origin)

    def set_published_read(self, dated: Dated, origin: str) -> bool:
        """Set published_at from a date that was read elsewhere, if it is plausible."""
        if "published_at" in self.fields:
            return False
        placed, place = self._placed(dated, origin)
        self.warn(*placed.warnings)
        if placed.at is None:
            return False
        self.set("published_precision", placed.precision, origin)
        self.set("published_source", origin, origin)
        return self.set("published_at", placed.at, place)

    def set_updated(self, value: object, origin: str) -> bool:
        """Set updated_at from a date as found."""
        dated, place = self._placed(read_date(value), origin)
        self.warn(*(f"updated_{code}" for code in dated.warnings))
        return self.set("updated_at", dated.at, place)

    def _placed(self, dated: Dated, origin: str) -> tuple[Dated, str]:
        """A date as it was read -> in the source's time zone if it names none, if plausible; and where it is from."""
        answered_at = self.document.http.answered_at if self.document.http else None
        if dated.ago and answered_at:
            dated, origin = count_back(dated, answered_at, self.document.timezone), f"{origin}, counted back"
        in_zone = in_timezone(dated, self.document.timezone)
        place = origin if in_zone is dated else f"{origin}, timezone of the source"
        return plausible(in_zone, self.document.received_at), place

    def set_authors(self, names: Iterable[str], origin: str, role: str | None = None) -> bool:
        """Set authors (and provider, where an agency is named) from bylines or lists of names."""
        bylines = [parse_byline(self._plain(name), role) for name in names if name]
        people = {person.name.casefold(): person for byline in bylines for person in byline.people}
        provider = next((byline.provider for byline in bylines if byline.provider), None)
        self.set("provider", provider, origin)
        return self.set("authors", tuple(people.values()), origin)

    def add_people(self, byline: Byline, origin: str) -> None:
        """Add people named elsewhere (a credit line) after those already known."""
        known: tuple[Author, ...] = self.fields.get("authors", ())
        names = {person.name.casefold() for person in known}
        fresh = tuple(person for person in byline.people if person.name.casefold() not in names)
        if fresh:
            self.fields["authors"] = known + fresh
            self.provenance.setdefault("authors", origin)
        self.set("provider", byline.provider, origin)

    def add_organisations(self, names: Iterable[str], origin: str) -> bool:
        """Add organisations as authors after those already known; an agency among them is the provider too."""
        known: tuple[Author, ...] = self.fields.get("authors", ())
        taken = {author.name.casefold() for author in known}
        fresh = {name.casefold(): Author(name=name, type="organization") for name in map(self._plain, names)}
        added = tuple(author for key, author in fresh.items() if key not in taken)
        if not added:
            return False
        self.set("provider", next((author.name for author in added if is_agency(author.name)), None), origin)
        self.fields["authors"] = known + added
        self.provenance.setdefault("authors", origin)
        return True

    def set_link(self, name: str, url: str | None, origin: str, base: str | None = None) -> bool:
        """Set a field to an absolute http(s) URL; anything else is passed over with a warning."""
        if not url or not url.strip():
            return False
        absolute = absolute_url(url, base)
        if absolute is None:
            self.warn(f"{name}_unusable")
        return self.set(name, absolute, origin)

    def withdraw(self, origin: str) -> None:
        """Mark a kill notice: its record is published as event `withdraw`."""
        self.set("withdrawn", value=True, origin=origin)
        self.warn("withdrawn")

    def set_embargo(self, moment: str) -> None:
        """A moment before which the text must not be published -> warning `embargo_until:<ISO 8601, UTC>`."""
        if moment.strip():
            # An embargo lies ahead by nature, so no date is too late.
            at = in_timezone(read_date(moment), self.document.timezone).at
            self.warn(f"embargo_until:{at:%Y-%m-%dT%H:%M:%SZ}" if at else "embargo_unreadable")

    def add_correction(self, text: str | None, origin: str, at: object = None) -> None:
        """Add what was corrected (each once), and when, as found; that there was a correction is a warning too."""
        self.warn("correction")
        said = clean_line(text or "")[:_MAX_LINE]
        known: tuple[Correction, ...] = self.fields.get("corrections", ())
        if not said or len(known) >= _MOST_CORRECTIONS or any(said in correction.text for correction in known):
            return
        moment = self._placed(read_date(at), origin)[0].at
        self.fields["corrections"] = (*known, Correction(text=said, at=moment))
        self.provenance.setdefault("corrections", origin)

    def warn(self, *codes: str) -> None:
        """Note doubts, each once."""
        self.warnings.extend(code for code in dict.fromkeys(codes) if code not in self.warnings)

    def finish(self, parser: str, method: str | None = None, member: int | str | None = None) -> Article:
        """The frozen article. Raises Rejected `no_article` where there is neither headline nor body."""
        headline, body = self.fields.get("headline"), self.fields.get("body_text", "")
        if not headline and not body:
            raise Rejected("no_article")
        return self.freeze(parser, method, member)

    def freeze(self, parser: str, method: str | None = None, member: int | str | None = None) -> Article:
        """The facts as they are, enough for an article or not."""
        headline, body = self.fields.get("headline"), self.fields.get("body_text", "")
        for notice in find_notices(body.split("\n\n")):
            self.add_correction(notice.text, "body_text", notice.day)
        self._finish_language(f"{headline or ''}\n{body or self.fields.get('abstract', '')}".strip())
        self._finish_urls()
        if self.fields.get("withdrawn") and not self._names_itself():
            self.warn("withdraws_no_record")
        return Article(
            **self.fields,
            media_type=self.media_type,
            encoding=self.encoding,
            extraction=Extraction(parser=parser, version=__version__, method=method),
            provenance=dict(self.provenance),
            warnings=tuple(self.warnings),
            member=self.document.member if member is None else member,
        )

    def _finish_language(self, text: str) -> None:
        chosen = choose_language(self.declared_language or self.document.language, text)
        self.warn(*chosen.warnings)
        self.set("language", chosen.tag, chosen.origin)
        self.set("language_confidence", chosen.confidence, chosen.origin)

    def _names_itself(self) -> bool:
        """Whether there is a name that a record can be found by."""
        named = [("guid", "identity_guid"), ("canonical_url", "identity_url")]
        return any(self.fields.get(name) and self.fields.get(trusted, True) for name, trusted in named)

    def _finish_urls(self) -> None:
        given = self.fields.get("canonical_url") or self.fields.get("url")
        canonical = self.canonical_urls.get(given or "") or canonical_url(given)
        origin = self.provenance.get("canonical_url") or self.provenance.get("url") or "url"
        self.fields.pop("canonical_url", None)
        self.set("canonical_url", canonical, origin)
        if canonical and is_site_root(canonical):
            self.fields["identity_url"] = False
