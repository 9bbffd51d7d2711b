"""What names an entry of a feed: guid, link or text, decided for each feed by looking, and kept. Pure.

Guid and link name an entry as long as they prove themselves. A feed whose guids are shared by several entries, given
again to others or drawn anew at each fetch loses the trust in its guids, one whose links are shared or given again
the trust in its links; what is lost does not come back, so that an entry keeps its name. With neither, the text names
it. The parse stage is told with each document (`Document.untrusted_ids`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from worker.intake.glance import DIGEST_CHARACTERS, Entry, digest, link_name
from worker.model import UntrustedId

STRIKES = 2
"""So often must entries of consecutive fetches show that a guid or link was given again."""
_FEWEST_SHARING = 3
"""Entries that share names: fewer may be an editor's slip, unless they are most of the feed."""

Names = tuple[str, str, str, str]
"""Digests of an entry's guid, link, title and text."""


class EntryIds(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a feed's names: why guid or link are not trusted (empty: they are), and the evidence.

    `seen` holds the last fetch's entries: four digests each, one after the other.
    """

    guid_distrust: str = ""
    link_distrust: str = ""
    guid_strikes: int = 0
    link_strikes: int = 0
    seen: tuple[str, ...] = ()

    @property
    def untrusted(self) -> tuple[UntrustedId, ...]:
        """What the parse stage must not take for an entry's name."""
        kinds: list[UntrustedId] = []
        if self.guid_distrust:
            kinds.append("guid")
        if self.link_distrust:
            kinds.append("link")
        return tuple(kinds)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A fetch beside the one before: what to remember, positions of new and changed entries, and whether any is shared.

    `first` is True where there was none before.
    """

    ids: EntryIds
    new: tuple[int, ...]
    changed: tuple[int, ...]
    shared: int
    first: bool


def compare(ids: EntryIds, entries: Sequence[Entry]) -> Compared:
    """The entries of a fetch beside those of the fetch before. A fetch without entries teaches nothing."""
    before = [_unpack(packed) for packed in ids.seen]
    now = [names_of(entry) for entry in entries]
    if not now:
        return Compared(ids=ids, new=(), changed=(), shared=0, first=not before)
    learned = _learn(ids, before, now)
    known: dict[tuple[str, str], str] = {}
    for names in before:
        for key in _keys(names, learned):
            known[key] = names[3]
    new, changed, shared = [], [], 0
    for entry, names in zip(entries, now, strict=True):
        found = next((known[key] for key in _keys(names, learned) if key in known), None)
        if found is None:
            new.append(entry.position)
            continue
        shared += 1
        if found != names[3]:
            changed.append(entry.position)
    # Of the same entries under other names at all: they, too, tell that nothing was missed.
    shared = shared or sum(1 for names in now if any(names[3] and names[3] == each[3] for each in before))
    remembered = msgspec.structs.replace(learned, seen=tuple("".join(_padded(names)) for names in now))
    return Compared(ids=remembered, new=tuple(new), changed=tuple(changed), shared=shared, first=not before)


def names_of(entry: Entry) -> Names:
    """An entry's names as digests; addresses are the same under http and https."""
    guid = entry.guid
    if guid.startswith(("http://", "https://")):
        guid = link_name(guid)
    return digest(guid), digest(link_name(entry.link) if entry.link else ""), entry.title, entry.text


def _learn(ids: EntryIds, before: Sequence[Names], now: Sequence[Names]) -> EntryIds:
    guid, link = ids.guid_distrust, ids.link_distrust
    guid = guid or _shared(now, 0, "guids")
    link = link or _shared(now, 1, "links")
    guid_again, common_guids = _given_again(before, now, 0, 1)
    link_again, common_links = _given_again(before, now, 1, 0)
    guid_strikes = _strikes(ids.guid_strikes, guid_again, common_guids)
    link_strikes = _strikes(ids.link_strikes, link_again, common_links)
    if guid_strikes >= STRIKES:
        guid = guid or "guids are given again to other entries"
    if link_strikes >= STRIKES:
        link = link or "links are given again to other entries"
    redrawn = _redrawn(before, now)
    if redrawn >= _FEWEST_SHARING and 2 * redrawn >= len(now):
        guid = guid or "the same entries come with other guids"
    return msgspec.structs.replace(
        ids, guid_distrust=guid, link_distrust=link, guid_strikes=guid_strikes, link_strikes=link_strikes
    )


def _shared(now: Sequence[Names], which: int, what: str) -> str:
    """Why names are no names: several entries of one fetch, different in title and the other name, share one."""
    holders: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for names in now:
        if names[which]:
            holders[names[which]].add((names[1 - which], names[2]))
    sharing = [len(different) for different in holders.values() if len({title for _, title in different}) > 1]
    if sharing and (sum(sharing) >= _FEWEST_SHARING or 2 * sum(sharing) > len(now)):
        return f"several entries share {what}"
    return ""


def _given_again(before: Sequence[Names], now: Sequence[Names], which: int, other: int) -> tuple[int, int]:
    """How many names of both fetches went to an entry with another title and another second name; of how many."""
    old = {names[which]: names for names in before if names[which]}
    pairs = [(old[names[which]], names) for names in now if names[which] in old]
    again = sum(1 for was, names in pairs if was[other] != names[other] and was[2] != names[2] and was[3] != names[3])
    return again, len(pairs)


def _strikes(count: int, again: int, common: int) -> int:
    return count + 1 if again and 2 * again >= common else count


def _redrawn(before: Sequence[Names], now: Sequence[Names]) -> int:
    """Entries that kept link and title but not the guid."""
    old = {(names[1], names[2]): names[0] for names in before if names[1] and names[2]}
    return sum(1 for names in now if old.get((names[1], names[2]), names[0]) != names[0])


def _keys(names: Names, ids: EntryIds) -> Iterable[tuple[str, str]]:
    """The names that count, strongest first; the text where no other does."""
    keys = []
    if names[0] and not ids.guid_distrust:
        keys.append(("guid", names[0]))
    if names[1] and not ids.link_distrust:
        keys.append(("link", names[1]))
    return keys or [("text", names[3])]


def _padded(names: Names) -> list[str]:
    return [name or " " * DIGEST_CHARACTERS for name in names]


def _unpack(packed: str) -> Names:
    parts = [packed[at : at + DIGEST_CHARACTERS].strip() for at in range(0, 4 * DIGEST_CHARACTERS, DIGEST_CHARACTERS)]
    return parts[0], parts[1], parts[2], parts[3]
