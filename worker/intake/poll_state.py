"""All that is remembered of a feed's polls: one frozen value, kept as two fields of the source's poll state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from worker.intake.entry_ids import EntryIds
from worker.intake.schedule import DAY_SECONDS, Hints
from worker.model import Source

Health = Literal["healthy", "late", "quiet", "failing", "gone", "paused"]

LAST_POLLS = 10
CONFIRMATIONS = 3
"""So many polls in a row must be sent to the same address, each giving a feed, before it is adopted."""
PERMANENT = (301, 308)
LATE_SECONDS = 30.0
"""A source this long past its due time is late."""
NEVER_SECONDS = -1.0
"""`Poll.next_seconds` of a feed that is not asked again."""
FIELD, SEEN_FIELD = "feed", "feed_seen"
"""Fields of the poll state: the entries of the last fetch, and all else but the validators and what lists show."""

_LEARNING = 0.3
"""Weight of the newest observation of a feed's pace."""
_FEWEST_ARRIVALS = 5
_KNOWN_SECONDS = 14 * DAY_SECONDS
"""A feed known for less has not shown its weekends yet."""


class Poll(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One poll: Unix seconds, status (0: no answer), bytes on the wire, whether it was conditional, what it brought."""

    at: float
    status: int = 0
    wire_bytes: int = 0
    conditional: bool = False
    etag: str = ""
    last_modified: str = ""
    new: int = 0
    next_seconds: float = 0.0
    why: str = ""
    problem: str = ""


class PollState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A feed's memory. Moments are Unix seconds, 0 for never.

    `url` is the configured address all this belongs to, `adopted_url` the one it moved to for good, `moved_url` and
    `moved_times` a move not yet confirmed. `body` is the digest of the last content. `pace_seconds` is the usual time
    between two new entries, `turnover_seconds` the time in which all of the feed's entries are replaced.
    """

    url: str = ""
    adopted_url: str = ""
    moved_url: str = ""
    moved_times: int = 0
    etag: str = ""
    last_modified: str = ""
    body: str = ""
    polls: int = 0
    failures: int = 0
    problem: str = ""
    polled_at: float = 0.0
    succeeded_at: float = 0.0
    fetched_at: float = 0.0
    changed_at: float = 0.0
    first_at: float = 0.0
    gone_at: float = 0.0
    gap_at: float = 0.0
    gaps: int = 0
    due_at: float = 0.0
    why: str = ""
    entries: int = 0
    arrivals: int = 0
    pace_seconds: float = 0.0
    longest_silence_seconds: float = 0.0
    turnover_seconds: float = 0.0
    hints: Hints = Hints()
    hubs: tuple[str, ...] = ()
    self_url: str = ""
    ids: EntryIds = EntryIds()
    history: tuple[Poll, ...] = ()

    def with_arrivals(self, new: int, now: float, *, first: bool, gap: bool) -> PollState:
        """After a fetch of the content that brought so many new entries."""
        since = now - self.fetched_at
        after: PollState = msgspec.structs.replace(self, fetched_at=now, first_at=self.first_at or now)
        if first:
            return msgspec.structs.replace(after, changed_at=now)
        if gap:
            after = msgspec.structs.replace(after, gap_at=now, gaps=self.gaps + 1)
        turnover = self.turnover_seconds * 1.25
        if new:
            measured = since * self.entries / new if self.entries else 0.0
            # Where nothing is left of the fetch before, the entries may have been replaced many times.
            measured = since / 4 if gap else measured
            turnover = min(turnover, measured) if turnover else measured
            after = _with_silence(after, now, new)
        return msgspec.structs.replace(after, turnover_seconds=turnover)

    def expected_seconds(self, now: float) -> float:
        """Until the next new entry: by the feed's pace, or by its present silence where that is longer."""
        return max(self.pace_seconds, now - self.changed_at if self.changed_at else 0.0)

    def usual_silence_seconds(self, now: float) -> float | None:
        """How long this feed may be silent without being strange; None where too little is known of it."""
        if self.arrivals < _FEWEST_ARRIVALS:
            return None
        least = DAY_SECONDS if now - self.first_at >= _KNOWN_SECONDS else 3 * DAY_SECONDS
        return max(2 * self.longest_silence_seconds, least)


def _with_silence(state: PollState, now: float, new: int) -> PollState:
    """After a silence that ended with so many new entries."""
    silence = now - (state.changed_at or state.first_at)
    pace = silence / new
    return msgspec.structs.replace(
        state,
        changed_at=now,
        arrivals=state.arrivals + new,
        pace_seconds=pace if not state.pace_seconds else (1 - _LEARNING) * state.pace_seconds + _LEARNING * pace,
        longest_silence_seconds=max(silence, 0.98 * state.longest_silence_seconds),
    )


def recalled(fields: Mapping[str, str], url: str) -> PollState:
    """The poll state's fields -> what is remembered of the feed at `url` (without credentials).

    Of another address nothing is: its validators are not sent to this one. Fields nobody can read are forgotten.
    """
    try:
        state = msgspec.json.decode(fields.get(FIELD, "") or "{}", type=PollState)
        seen = msgspec.json.decode(fields.get(SEEN_FIELD, "") or "[]", type=tuple[str, ...])
    except msgspec.DecodeError:
        state, seen = PollState(), ()
    if fields.get("url") != url:
        return PollState(url=url)
    return msgspec.structs.replace(
        state,
        url=url,
        etag=fields.get("etag", ""),
        last_modified=fields.get("last_modified", ""),
        ids=msgspec.structs.replace(state.ids, seen=seen),
    )


def fields_of(state: PollState) -> dict[str, str]:
    """What is remembered -> the poll state's fields: the whole, and apart what lists of all sources show."""
    ids = msgspec.structs.replace(state.ids, seen=())
    plain = msgspec.structs.replace(state, url="", etag="", last_modified="", ids=ids)
    usual = state.usual_silence_seconds(state.polled_at)
    return {
        "url": state.url,
        "etag": state.etag,
        "last_modified": state.last_modified,
        FIELD: msgspec.json.encode(plain).decode(),
        SEEN_FIELD: msgspec.json.encode(state.ids.seen).decode() if state.ids.seen else "",
        "failures": str(state.failures or ""),
        "problem": state.problem,
        "why": state.why,
        "gone_at": f"{state.gone_at:.0f}" if state.gone_at else "",
        "gap_at": f"{state.gap_at:.0f}" if state.gap_at else "",
        "changed_at": f"{state.changed_at:.0f}" if state.changed_at else "",
        "quiet_after": "" if usual is None else f"{state.changed_at + usual:.0f}",
    }


def remembered_polls(state: PollState, poll: Poll) -> PollState:
    """The state with one more poll in its history, of which the last ten are kept."""
    return msgspec.structs.replace(state, history=(*state.history, poll)[-LAST_POLLS:])


def moved(state: PollState, redirects: Sequence[tuple[int, str]]) -> PollState:
    """After an answer that came over these redirects (status, where it led) and was a feed, or not modified.

    Only a permanent redirect counts, and only as far as an unbroken row of them leads; after three polls in a row that
    led to the same place it is adopted.
    """
    target = ""
    for status, url in redirects:
        if status not in PERMANENT:
            break
        target = url
    if not target or target == (state.adopted_url or state.url):
        return msgspec.structs.replace(state, moved_url="", moved_times=0)
    times = state.moved_times + 1 if target == state.moved_url else 1
    if times < CONFIRMATIONS:
        return msgspec.structs.replace(state, moved_url=target, moved_times=times)
    return msgspec.structs.replace(state, adopted_url=target, moved_url="", moved_times=0)


def health_of(
    source: Source, fields: Mapping[str, str], due_in_seconds: float | None, now: float
) -> tuple[Health, str]:
    """How a source is, and why; `due_in_seconds` is its place in the schedule (negative: past).

    `fields` are those of the poll state that lists show (`worker.state.sources.SHOWN`).
    """
    if not source.enabled:
        return "paused", "switched off (enabled = false)"
    if fields.get("gone_at"):
        return "gone", fields.get("problem", "")
    if problem := fields.get("problem"):
        return _troubled(source, fields, problem)
    if due_in_seconds is not None and due_in_seconds < -LATE_SECONDS:
        why = "no worker takes bells from the queue pull, or beat is not running"
        return "late", f"late by {-due_in_seconds:.0f} s: {why}"
    if now > float(fields.get("quiet_after") or "inf"):
        silence = (now - float(fields.get("changed_at") or now)) / 3600
        return "quiet", f"nothing new for {silence:.0f} h, longer than this feed has ever been silent"
    return "healthy", fields.get("why", "")


def _troubled(source: Source, fields: Mapping[str, str], problem: str) -> tuple[Health, str]:
    failures = int(fields.get("failures") or 0)
    if source.kind == "feed" and not failures:
        return "late", problem  # put off: intake pauses, or a host is busy
    return "failing", problem + (f" ({failures} times in a row)" if failures > 1 else "")
