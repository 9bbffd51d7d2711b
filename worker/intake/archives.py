"""Walking back through a feed's archive after a gap: which page next, and when to stop. Pure.

    gap ──begin──► Walk ──page fetched──► step ──► Walk | None

A page is asked where the feed links to it (RFC 5005: `prev-archive`, or `next` of a paged feed and of a JSON Feed).
A source with `archives = "paged"` is also asked for page numbers, as WordPress (`?paged=2`) and many others
(`?page=2`) understand them. The walk ends where a page shares an entry with what was known before the gap, brings
nothing new, or `feeds.archive_pages` were asked.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from worker.errors import FetchError
from worker.intake.entry_ids import EntryIds, compare
from worker.intake.glance import Glance
from worker.intake.http import parse_target
from worker.model import Archives

FIELD = "feed_walk"
"""Field of the poll state."""
_LINKED = ("prev-archive", "next")

Style = Literal["linked", "paged", "page"]


class Walk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A walk under way: the page to ask next, how many more may be asked, and what was known before the gap.

    `page` is the number of the page in `url`; `last` are the entries of the page before.
    """

    url: str
    style: Style
    left: int
    page: int = 2
    known: EntryIds = EntryIds()
    last: tuple[str, ...] = ()


def begin(allowed: Archives, feed_url: str, seen: Glance, before: EntryIds, now: EntryIds, pages: int) -> Walk | None:
    """The walk that closes the gap between the entries known before and those of this fetch; None where none can.

    `feed_url` is the address that answered; a walk stays at its origin.
    """
    if allowed == "never" or pages < 1:
        return None
    walk = Walk(url="", style="linked", left=pages, known=msgspec.structs.replace(now, seen=before.seen), last=now.seen)
    linked = _linked(seen, feed_url)
    if linked:
        return msgspec.structs.replace(walk, url=linked)
    if allowed == "paged":
        style: Style = "paged" if "wordpress" in seen.generator else "page"
        return msgspec.structs.replace(walk, style=style, url=numbered(feed_url, style, walk.page))
    return None


def step(walk: Walk, page_url: str, seen: Glance) -> tuple[Walk | None, bool]:
    """After a page was fetched: (the walk's next page or None, whether this page belongs into the ledger)."""
    if not seen.entries:
        return None, False
    names = compare(msgspec.structs.replace(walk.known, seen=walk.last), seen.entries)
    if not names.new:
        # The same entries again: a server that does not know page numbers, or a circle.
        return None, False
    left = walk.left - 1
    if compare(walk.known, seen.entries).shared or left < 1:
        return None, True
    after = msgspec.structs.replace(walk, left=left, page=walk.page + 1, last=names.ids.seen)
    if walk.style != "linked":
        return msgspec.structs.replace(after, url=numbered(walk.url, walk.style, after.page)), True
    linked = _linked(seen, page_url)
    return (msgspec.structs.replace(after, url=linked) if linked and linked != walk.url else None), True


def numbered(url: str, style: Style, page: int) -> str:
    """The address of a numbered page of a feed."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != style]
    return urlunsplit(parts._replace(query=urlencode([*query, (style, str(page))]), fragment=""))


def recalled_walk(text: str) -> Walk | None:
    """A walk as it is remembered; None where there is none."""
    try:
        return msgspec.json.decode(text, type=Walk) if text else None
    except msgspec.DecodeError:
        return None


def _linked(seen: Glance, base: str) -> str | None:
    """The page before by the feed's own links, where that lies at the same origin."""
    for relation in _LINKED:
        url = seen.links.get(relation)
        if url and url != base and same_origin(url, base):
            return url
    return None


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses share scheme, host and port; False where one of them is no address."""
    try:
        return parse_target(one).origin == parse_target(other).origin
    except FetchError:
        return False
