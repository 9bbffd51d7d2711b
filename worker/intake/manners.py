"""What a feed's polls left, and what the next answer makes of it: pure decisions, the clock passed in.

    PollState + answer + glance ──after_answer──► Decision (next PollState, next due, why, what to hand over)
    PollState + error           ──after_failure─► Decision

A feed is asked once without conditions and from then on with its validators. It is never given up: a failing feed is
asked again after ever longer waits, a day at most. Only 410 Gone stops the polls, and says so.
After Rachel Kroll's criteria for feed readers (https://rachelbythebay.com/fs/help.html).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Protocol

import msgspec

from worker.config import Settings
from worker.intake.entry_ids import compare
from worker.intake.glance import Glance
from worker.intake.http import without_credentials
from worker.intake.poll_state import NEVER_SECONDS, Poll, PollState, moved, remembered_polls
from worker.intake.schedule import (
    DAY_SECONDS,
    JITTER,
    Headers,
    Hints,
    Wait,
    cache_waits,
    choose,
    header,
    hint_waits,
    retry_after_seconds,
)
from worker.model import Source

NOT_MODIFIED, GONE, OK = 304, 410, 200
BUSY = (429, 503)
FAILURE_JITTER = 0.25
FIRST_SPREAD = 0.5
"""After its first poll a feed waits up to half an interval more: feeds that were added together spread over it."""
AFTER_GAP_SECONDS = DAY_SECONDS
"""So long after a suspected gap a feed is asked as often as it may be, whatever its pace was and whoever tells us: once
where it cannot be asked for what is new only."""
ADOPTED_FAILURES = 3
"""So many failures in a row of an address that was adopted, and the configured one is asked again."""


class Answered(Protocol):
    """The final answer to a fetch (worker.intake.http.FetchAnswer)."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def content(self) -> bytes: ...
    @property
    def wire_bytes(self) -> int: ...
    @property
    def redirects(self) -> Sequence[tuple[int, str]]: ...


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The waits that hold for one source, in seconds. `own` is True where the source sets its interval itself.

    `may_move` is False for a source with secrets: a redirect must not decide where they go. `pushed` is
    True while a hub has promised to tell what is new.
    """

    interval_seconds: float
    without_validators_seconds: float
    slowest_seconds: float
    own: bool = False
    may_move: bool = True
    pushed: bool = False

    @property
    def cap_seconds(self) -> float:
        """A day, or the source's own interval where that is longer."""
        return max(DAY_SECONDS, self.interval_seconds)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer led to.

    `next_due_seconds` is infinite where the feed is gone. `deliver` is True where the content goes to the ledger, with
    `state` in the same step (an index of sitemaps does not: the sitemaps it names do). `host_pause_seconds` is how long
    nobody may ask that host. `new` and `changed` are positions of entries. `notices` are codes of events worth telling:
    gap_suspected, feed_moved, feed_gone.
    """

    state: PollState
    next_due_seconds: float
    why: str
    problem: str | None = None
    deliver: bool = False
    host_pause_seconds: float = 0.0
    new: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()


def policy_of(source: Source, settings: Settings) -> Policy:
    """The waits for a source: its own interval holds whatever the server gives, else the settings' do."""
    feeds, own = settings.feeds, source.interval_seconds
    shortest = feeds.interval_seconds if own is None else own
    return Policy(
        interval_seconds=shortest,
        without_validators_seconds=max(shortest, feeds.interval_without_validators_seconds if own is None else 0.0),
        slowest_seconds=max(shortest, feeds.slowest_interval_seconds if own is None else 0.0),
        own=own is not None,
        may_move=not (source.auth or source.headers or without_credentials(source.url or "") != source.url),
    )


def after_answer(
    state: PollState, policy: Policy, answer: Answered, seen: Glance, now: float, jitter: float
) -> Decision:
    """A final answer of any status -> what to do. `seen` is the glance at its content (empty for a 304).

    `now` is Unix seconds; `jitter` a random number from 0 up to 1.
    """
    if answer.status == NOT_MODIFIED and (state.etag or state.last_modified):
        return _not_modified(state, policy, answer, now, jitter)
    if answer.status == OK and seen.kind != "none":
        return _fetched(state, policy, answer, seen, now, jitter)
    if answer.status == OK:
        kind = header(answer.headers, "content-type").partition(";")[0].strip()[:80] or "nothing"
        return after_failure(state, policy, "no_feed", f"the answer is no feed ({kind})", now, jitter, answer=answer)
    if answer.status == GONE and not state.adopted_url:
        return _gone(state, answer, now)
    said = f"HTTP {answer.status} {answer.reason}".strip()
    return after_failure(state, policy, "http_status", said, now, jitter, answer=answer)


def after_failure(
    state: PollState,
    policy: Policy,
    code: str,
    message: str,
    now: float,
    jitter: float,
    answer: Answered | None = None,
) -> Decision:
    """No usable answer: the wait doubles for each failure in a row, up to a day; Retry-After may make it longer."""
    failures = state.failures + 1
    waits = [
        Wait(policy.interval_seconds * 2.0 ** min(failures - 1, 64), f"{failures} failures in a row")
        if failures > 1
        else Wait(policy.interval_seconds, "failed once")
    ]
    pause = retry_after_seconds(answer.headers, now) if answer is not None and answer.status in BUSY else None
    if pause:
        waits.append(Wait(pause, f"Retry-After of {pause:.0f} s"))
    # A wait the server names is kept whole; jitter only lengthens.
    wait = choose(waits, Hints(), now, jitter, spread=FAILURE_JITTER, cap=policy.cap_seconds)
    problem = f"{code}: {message}"
    poll = _poll(state, answer, now, wait, problem=problem)
    after = msgspec.structs.replace(
        state, failures=failures, problem=problem, moved_url="", moved_times=0, polled_at=now, **_planned(wait, now)
    )
    if state.adopted_url and failures >= ADOPTED_FAILURES:
        # The address that was moved to has died: ask again where the feed was configured to be.
        after = msgspec.structs.replace(after, adopted_url="")
    return Decision(
        state=remembered_polls(after, poll),
        next_due_seconds=wait.seconds,
        why=wait.why,
        problem=problem,
        host_pause_seconds=pause or 0.0,
    )


def _not_modified(state: PollState, policy: Policy, answer: Answered, now: float, jitter: float) -> Decision:
    after = msgspec.structs.replace(
        _succeeded(moved(state, answer.redirects) if policy.may_move else state, now),
        etag=header(answer.headers, "etag") or state.etag,
        last_modified=header(answer.headers, "last-modified") or state.last_modified,
    )
    return _decide(state, after, policy, answer, now, jitter)


def _fetched(state: PollState, policy: Policy, answer: Answered, seen: Glance, now: float, jitter: float) -> Decision:
    is_feed = seen.kind != "other"
    body = hashlib.blake2b(answer.content, digest_size=16).hexdigest()
    compared = compare(state.ids, seen.entries)
    after = msgspec.structs.replace(
        _succeeded(moved(state, answer.redirects) if is_feed and policy.may_move else state, now),
        etag=header(answer.headers, "etag"),
        last_modified=header(answer.headers, "last-modified"),
        body=body,
        hints=seen.hints,
        hubs=seen.hubs[:5],
        self_url=seen.links.get("self", ""),
        ids=compared.ids,
        entries=len(seen.entries),
    )
    gap = not compared.first and bool(seen.entries) and compared.shared == 0
    after = after.with_arrivals(len(compared.new), now, first=compared.first, gap=gap)
    decision = _decide(state, after, policy, answer, now, jitter, new=len(compared.new))
    return msgspec.structs.replace(
        decision,
        deliver=body != state.body and seen.kind != "sitemap_index",
        new=compared.new,
        changed=compared.changed,
        notices=(*decision.notices, *(("gap_suspected",) if gap else ())),
    )


def _decide(
    before: PollState, after: PollState, policy: Policy, answer: Answered, now: float, jitter: float, new: int = 0
) -> Decision:
    """When a feed that answered is asked next."""
    waits = [_own_wait(after, policy, now), *hint_waits(after.hints), *cache_waits(answer.headers, now)]
    first = before.polls == 0 and not policy.own
    spread = FIRST_SPREAD if first else JITTER
    wait = choose(waits, after.hints, now, jitter, spread=spread, cap=policy.cap_seconds)
    after = msgspec.structs.replace(after, **_planned(wait, now))
    notices = ("feed_moved",) if after.adopted_url and after.adopted_url != before.adopted_url else ()
    return Decision(
        state=remembered_polls(after, _poll(before, answer, now, wait, after=after, new=new)),
        next_due_seconds=wait.seconds,
        why=wait.why,
        notices=notices,
    )


def _own_wait(state: PollState, policy: Policy, now: float) -> Wait:
    """What we would wait if nobody else had a say: by the feed's pace, and never so long that entries pass unseen."""
    floor = policy.interval_seconds
    if policy.own:
        return Wait(floor, "the source's interval_seconds")
    conditional = bool(state.etag or state.last_modified)
    if state.gap_at and now - state.gap_at < (AFTER_GAP_SECONDS if conditional else 1.0):
        return Wait(floor, "a gap is suspected: feeds.interval_seconds, the shortest wait")
    if policy.pushed:
        return Wait(policy.slowest_seconds, "its hub tells what is new; slow polls in case it does not")
    turnover = state.turnover_seconds / 2 if state.turnover_seconds else math.inf
    if not conditional:
        longest, why = policy.without_validators_seconds, "the server gives no validators"
    else:
        pace = state.expected_seconds(now) / 2
        longest = min(max(pace, floor), policy.slowest_seconds)
        why = "feeds.interval_seconds" if pace <= floor else f"by its pace of an entry every {pace / 1800:.1f} h"
    if turnover < longest:
        return Wait(max(floor, turnover), "by the time half of its entries are replaced")
    return Wait(longest, why)


def _gone(state: PollState, answer: Answered, now: float) -> Decision:
    problem = "gone: HTTP 410: the publisher has taken the feed away; polling has stopped"
    wait = Wait(math.inf, "gone")
    after = msgspec.structs.replace(state, gone_at=now, polled_at=now, problem=problem, due_at=0.0, why="gone")
    return Decision(
        state=remembered_polls(after, _poll(state, answer, now, Wait(NEVER_SECONDS, "gone"), problem=problem)),
        next_due_seconds=wait.seconds,
        why=wait.why,
        problem=problem,
        notices=("feed_gone",),
    )


def _succeeded(state: PollState, now: float) -> PollState:
    return msgspec.structs.replace(
        state, polls=state.polls + 1, failures=0, problem="", polled_at=now, succeeded_at=now, gone_at=0.0
    )


def _planned(wait: Wait, now: float) -> dict[str, float | str]:
    return {"due_at": now + wait.seconds, "why": wait.why}


def _poll(
    before: PollState,
    answer: Answered | None,
    now: float,
    wait: Wait,
    *,
    after: PollState | None = None,
    new: int = 0,
    problem: str = "",
) -> Poll:
    return Poll(
        at=now,
        status=answer.status if answer else 0,
        wire_bytes=answer.wire_bytes if answer else 0,
        conditional=bool(before.etag or before.last_modified),
        etag=after.etag[:100] if after else "",
        last_modified=after.last_modified[:60] if after else "",
        new=new,
        next_seconds=wait.seconds,
        why=wait.why,
        problem=problem[:200],
    )
