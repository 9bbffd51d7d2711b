"""Answers, feeds and a clock for tests of manners: everything a pure decision is fed with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.intake.glance import Glance, glance
from worker.intake.manners import Decision, Policy, after_answer, after_failure
from worker.intake.poll_state import PollState

HOUR = 3600.0
DAY = 86_400.0
START = 1_767_614_400.0  # Monday, 2026-01-05, 12:00 UTC
URL = "https://paper.example/feed"
POLICY = Policy(interval_seconds=HOUR, without_validators_seconds=DAY, slowest_seconds=4 * HOUR)


@dataclass(frozen=True)
class Answer:
    """A final answer, as the transport gives it."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content: bytes = b""
    redirects: tuple[tuple[int, str], ...] = ()
    url: str = URL
    reason: str = ""

    @property
    def wire_bytes(self) -> int:
        return len(self.content)


def headers(**named: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items())


def item(
    number: int | str, *, guid: str | None = None, link: str | None = None, text: str = "", title: str = ""
) -> str:
    guid = f"tag:paper.example,2026:{number}" if guid is None else guid
    link = f"https://paper.example/news/{number}" if link is None else link
    title, text = title or f"Headline {number}", text or f"What happened in {number}."
    return (
        f"<item><title>{title}</title><link>{link}</link>"
        f"<guid isPermaLink='false'>{guid}</guid><description>{text}</description></item>"
    )


def rss(*items: str, head: str = "") -> bytes:
    return (
        f"<rss version='2.0' xmlns:sy='http://purl.org/rss/1.0/modules/syndication/' "
        f"xmlns:atom='http://www.w3.org/2005/Atom'><channel><title>Paper</title>{head}{''.join(items)}</channel></rss>"
    ).encode()


def numbered(*numbers: int, head: str = "") -> bytes:
    return rss(*(item(number) for number in numbers), head=head)


@dataclass
class Feed:
    """One feed's memory and a clock; each method is one poll at the present moment, after which the clock runs on."""

    policy: Policy = POLICY
    state: PollState = field(default_factory=lambda: PollState(url=URL))
    now: float = START
    jitter: float = 0.0

    def answer(
        self,
        status: int = 200,
        content: bytes = b"",
        redirects: tuple[tuple[int, str], ...] = (),
        extra: Mapping[str, str] | None = None,
        **named: str,
    ) -> Decision:
        answer = Answer(status, headers(**named, **(extra or {})), content, redirects)
        seen = glance(content, None, URL) if content else Glance()
        return self._done(after_answer(self.state, self.policy, answer, seen, self.now, self.jitter))

    def unchanged(self, **named: str) -> Decision:
        return self.answer(304, extra=named)

    def fail(self, code: str = "network") -> Decision:
        return self._done(after_failure(self.state, self.policy, code, "no answer", self.now, self.jitter))

    def _done(self, decision: Decision) -> Decision:
        self.state = decision.state
        self.now += decision.next_due_seconds if math.isfinite(decision.next_due_seconds) else 0.0
        return decision
