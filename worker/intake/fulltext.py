"""Pages of articles that a feed only summarises: which to fetch, and what is remembered until that is done. Pure.

A feed whose articles' pages are fetched is not handed to the ledger as it came. Each new or changed entry becomes a
task in the poll state, in the same atomic step in which the feed counts as read; each task holds its entry as a feed of
its own. When the page has come, page and entry go to the ledger as one document, and the task ends in that same step.
Where the page cannot be had, the entry goes alone, with a warning. So a kill loses nothing and repeats no more than one
request.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urldefrag, urlsplit

import msgspec
from lxml import etree

from worker.errors import Rejected
from worker.intake.glance import Entry, Glance, digest, entry_elements, local_name
from worker.model import Document, FeedEntry, FullText
from worker.parse.wire.xml_tree import read_tree

PREFIX = "page:"
"""Poll-state fields of tasks begin with this."""
SHORT_WORDS = 120
"""An entry of fewer words is a summary, unless they stand in an element meant for the whole text."""
SUMMARIES_SHARE = 0.6
"""From this share of summaries on, a feed is one that carries only summaries."""
MOST_TASKS = 50
MOST_ENTRY_BYTES = 200_000
MOST_TRIES = 3
FIRST_RETRY_SECONDS = 60.0


class PageTask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page that is to be fetched: `entry` is a feed that holds only its entry; moments are Unix seconds.

    `tries` counts failed requests, `hops` moves to a canonical address.
    """

    url: str
    guid: str = ""
    entry: FeedEntry
    since: float
    due_at: float = 0.0
    tries: int = 0
    hops: int = 0


def applies(mode: FullText, seen: Glance) -> bool:
    """Whether pages of this feed are to be fetched: as the source says, or by a look at its entries."""
    if mode == "never" or not seen.entries or seen.kind not in ("feed", "sitemap"):
        return False
    summaries = sum(is_summary(entry) for entry in seen.entries)
    return mode == "always" or summaries >= SUMMARIES_SHARE * len(seen.entries)


def is_summary(entry: Entry) -> bool:
    """Whether an entry says less than its article: short, and not a note that is short as a whole."""
    return entry.words < SHORT_WORDS and not entry.whole


def tasks_for(
    mode: FullText, cutter: Cutter, seen: Glance, fresh: Collection[int], feed_url: str, now: float
) -> dict[int, PageTask]:
    """Tasks for the new and changed entries (`fresh`: positions) whose pages are to be fetched, by position."""
    tasks: dict[int, PageTask] = {}
    leading_to = Counter(urldefrag(entry.link).url for entry in seen.entries)
    for entry in seen.entries:
        if entry.position not in fresh or len(tasks) == MOST_TASKS or not _is_own_page(entry.link, leading_to):
            continue
        single = cutter.cut((entry.position,)) if mode == "always" or is_summary(entry) else None
        if single is not None and len(single) <= MOST_ENTRY_BYTES:
            tasks[entry.position] = PageTask(
                url=entry.link,
                guid=entry.guid,
                entry=FeedEntry(content=single, url=feed_url),
                since=now + entry.position / 1000,
            )
    return tasks


def _is_own_page(link: str, leading_to: Mapping[str, int]) -> bool:
    """Whether a link leads to a page of this entry alone: not to a site's front page, nor where other entries lead."""
    place = urldefrag(link).url
    return bool(urlsplit(place).path.strip("/") or urlsplit(place).query) and leading_to[place] == 1


class Cutter:
    """Cuts feeds of some entries out of a feed, in UTF-8; `document` says how it is encoded."""

    def __init__(self, content: bytes, document: Document) -> None:
        self._json = _json_of(content)
        self._root: Any = None
        self._places: list[tuple[Any, Any]] = []
        if self._json is not None:
            return
        try:
            self._root = read_tree(content, document)[0]
        except Rejected:
            return
        for element in entry_elements(self._root, sys.maxsize):
            parent = element.getparent()
            if parent is not None:
                self._places.append((parent, element))
        for parent, element in self._places:
            parent.remove(element)

    @property
    def entries(self) -> int:
        """How many entries can be cut out."""
        return len(self._places) if self._json is None else len(self._json["items"])

    @property
    def takes_back(self) -> bool:
        """Whether the feed itself, beside its entries, says that others were taken back (RFC 6721)."""
        return self._root is not None and any(local_name(element) == "deleted-entry" for element in self._root)

    def cut(self, positions: Collection[int]) -> bytes | None:
        """The feed with only the entries at these positions; None where it cannot be taken apart."""
        if self._json is not None:
            items = [item for position, item in enumerate(self._json["items"]) if position in positions]
            return msgspec.json.encode({**self._json, "items": items})
        if self._root is None:
            return None
        wanted = [place for position, place in enumerate(self._places) if position in positions]
        for parent, element in wanted:
            parent.append(element)
        written: bytes = etree.tostring(self._root, encoding="utf-8", xml_declaration=True)
        for parent, element in wanted:
            parent.remove(element)
        return written


def field_of(task: PageTask) -> str:
    """The poll-state field of a task: one for each entry and its page, so that none takes the place of another."""
    return PREFIX + digest(f"{task.url}\n{task.guid}")


def recalled_tasks(state: Mapping[str, str]) -> dict[str, PageTask]:
    """The tasks in a poll state, by field; what nobody can read is left out."""
    tasks = {}
    for name, value in state.items():
        if name.startswith(PREFIX) and value:
            try:
                tasks[name] = msgspec.json.decode(value, type=PageTask)
            except msgspec.DecodeError:
                continue
    return tasks


def next_task(tasks: Mapping[str, PageTask], now: float) -> tuple[str, PageTask] | None:
    """The task whose turn it is (oldest first), with its field; None where all wait or there is none."""
    ready = [(task.since, name) for name, task in tasks.items() if task.due_at <= now]
    return (min(ready)[1], tasks[min(ready)[1]]) if ready else None


def tried_again(task: PageTask, now: float, retry_after_seconds: float | None) -> PageTask | None:
    """The task after a failure that may pass; None where it has failed often enough."""
    tries = task.tries + 1
    if tries >= MOST_TRIES:
        return None
    pause = max(FIRST_RETRY_SECONDS * 4.0**task.tries, min(retry_after_seconds or 0.0, 3_600.0))
    return msgspec.structs.replace(task, tries=tries, due_at=now + pause)


def remembered(tasks: Mapping[str, PageTask | None]) -> dict[str, str]:
    """Tasks as fields of the poll state; None ends one."""
    return {name: "" if task is None else msgspec.json.encode(task).decode() for name, task in tasks.items()}


def _json_of(content: bytes) -> dict[str, Any] | None:
    """A JSON Feed with its items (only what can be one), or None."""
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    try:
        value: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list):
        return None
    return {**value, "items": [item for item in items if isinstance(item, dict)]}
