"""Entries of a feed: one article each, one bad entry costing itself only, and names that name nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from worker.clean.text import clean_line
from worker.clean.urls import absolute_url, canonical_url
from worker.errors import Failed, Rejected
from worker.model import Article, Document, Refusal
from worker.parse.draft import Draft
from worker.parse.refusals import parse_error, refusal
from worker.parse.unpacking import part_name

MOST_PARTS = 50_000
"""Articles that are taken from one document that is no container; as many addresses a sitemap may hold
(https://www.sitemaps.org/protocol.html)."""


class FeedFacts(msgspec.Struct, frozen=True):
    """What a feed says of itself, as found."""

    title: str | None = None
    link: str | None = None
    language: str | None = None

    def as_record(self) -> dict[str, str]:
        """The facts that are there, cleaned; a link that is no http(s) URL is left out."""
        facts = {
            "title": clean_line(self.title or ""),
            "link": absolute_url(self.link) or "",
        }
        return {
            key: value
            for key, value in {
                **facts,
                "language": clean_line(self.language or ""),
            }.items()
            if value
        }


class EntrySet:
    """The entries of one feed; `names` holds each entry's (guid, link), in order; `parser` is named in them."""

    def __init__(
        self,
        document: Document,
        media_type: str,
        parser: str,
        feed: FeedFacts,
        names: Sequence[tuple[str | None, str | None]],
    ) -> None:
        self._document, self._media_type, self._parser = document, media_type, parser
        self._feed = feed.as_record()
        self._canonical_urls = {link: canonical_url(link) for _, link in names if link}
        self._names = [(guid, self._canonical_urls.get(link or "")) for guid, link in names]
        self._guids = Counter(guid for guid, _ in self._names if guid)
        self._links = Counter(link for _, link in self._names if link)

    def read(self, read_entry: Callable[[int, Draft], Article]) -> Iterator[Article | Refusal]:
        """Articles and refusals in order.

        A feed without entries gives one refusal `no_entries` that holds the feed's facts.
        """
        if not self._names:
            yield refusal(Rejected("no_entries"), feed=self._feed)
            return
        for index in range(len(self._names)):
            yield self._read_one(index, read_entry)

    def _read_one(self, index: int, read_entry: Callable[[int, Draft], Article]) -> Article | Refusal:
        draft = Draft(self._document, self._media_type, canonical_urls=self._canonical_urls)
        member = part_name(self._document, index)
        try:
            article = read_entry(index, draft)
        except Rejected as error:
            facts = draft.freeze(self._parser, member=member) if draft.fields else None
            return msgspec.structs.replace(refusal(error, member, self._feed), article=facts)
        except (Failed, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - a parser's bug must cost this one only
            return parse_error(error, member, self._feed)
        guid, link = self._names[index]
        untrusted = self._document.untrusted_ids
        return msgspec.structs.replace(
            article,
            member=member,
            feed=self._feed,
            identity_guid=article.identity_guid and self._guids[guid or ""] <= 1 and "guid" not in untrusted,
            identity_url=article.identity_url and self._links[link or ""] <= 1 and "link" not in untrusted,
        )
