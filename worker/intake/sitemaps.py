"""Indexes of sitemaps: which of the sitemaps they name to fetch, and in which order. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from worker.intake.glance import Glance

FIELD = "feed_maps"
"""Field of the poll state: addresses of sitemaps that are still to be fetched."""
_NEWS = re.compile(r"news", re.IGNORECASE)


def begin(seen: Glance, fresh: Collection[int], most: int) -> tuple[str, ...]:
    """The sitemaps of an index worth fetching: new or changed ones, and those it does not date.

    Those for news come first, then the latest changed; at most `most`. `fresh` are the positions of new and changed
    entries.
    """
    wanted = [entry for entry in seen.entries if entry.link and (entry.position in fresh or not entry.modified)]
    wanted.sort(key=lambda entry: entry.modified, reverse=True)
    wanted.sort(key=lambda entry: _NEWS.search(entry.link) is None)
    return tuple(dict.fromkeys(entry.link for entry in wanted))[:most]


def remembered(urls: Sequence[str]) -> str:
    """Addresses as a field of the poll state; empty for none."""
    return msgspec.json.encode(urls).decode() if urls else ""


def recalled(state: Mapping[str, str]) -> tuple[str, ...]:
    """The addresses that are still to be fetched."""
    try:
        return msgspec.json.decode(state.get(FIELD, "") or "[]", type=tuple[str, ...])
    except msgspec.DecodeError:
        return ()
