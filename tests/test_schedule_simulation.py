"""A thousand feeds over two simulated days: no bursts, one unconditional GET each, and no poll before its time."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tests.manners_support import DAY, HOUR, START, Answer, headers, numbered
from worker.config import Feeds
from worker.intake.glance import Glance, glance
from worker.intake.manners import Policy, after_answer, after_failure
from worker.intake.poll_state import fields_of, recalled

FEEDS = 1000
MINUTE = 60.0
AT_ONCE_SECONDS = 0.05
"""The engine's own pace: so far apart are polls of feeds that are due at the same moment."""
DEFAULTS = Feeds()
POLICY = Policy(
    interval_seconds=DEFAULTS.interval_seconds,
    without_validators_seconds=DEFAULTS.interval_without_validators_seconds,
    slowest_seconds=DEFAULTS.slowest_interval_seconds,
)
KINDS = {"unchanged": 800, "hourly": 80, "busy": 40, "bare": 40, "failing": 40}


@dataclass
class Publisher:
    """A feed's server: what it would say at a moment. `kind` is one of `KINDS`."""

    kind: str
    number: int
    polls: list[tuple[float, int, bool]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://paper-{self.number}.example/feed"

    def newest(self, now: float) -> int:
        """The number of the newest entry."""
        every = {"hourly": HOUR, "busy": HOUR / 10, "bare": 2 * HOUR}.get(self.kind)
        return 20 if every is None else 20 + int((now - START + 977 * self.number) / every)

    def answer(self, now: float, etag: str) -> Answer:
        if self.kind == "failing":
            return Answer(503 if self.number % 2 else 500)
        newest = self.newest(now)
        mine = "" if self.kind == "bare" else f'"{newest}"'
        if mine and etag == mine:
            return Answer(304, headers(ETag=mine))
        return Answer(200, headers(ETag=mine) if mine else (), numbered(*range(newest, newest - 20, -1)))


class World:
    """The schedule and every feed's memory, which goes through its stored form at each poll, as if after a restart."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        kinds = [kind for kind, count in KINDS.items() for _ in range(count)]
        assert len(kinds) == FEEDS
        self.publishers = [Publisher(kind, number) for number, kind in enumerate(kinds)]
        self.memory: list[dict[str, str]] = [{} for _ in kinds]
        self.promised = [START] * FEEDS
        self.early = 0
        self.per_minute: Counter[int] = Counter()

    def run(self, seconds: float) -> None:
        """All feeds are due at the start: somebody has just imported them."""
        due = [(START, number) for number in range(FEEDS)]
        heapq.heapify(due)
        now = START
        while due and due[0][0] < START + seconds:
            moment, number = heapq.heappop(due)
            now = max(now + AT_ONCE_SECONDS, moment)
            heapq.heappush(due, (now + self.poll(number, now), number))

    def poll(self, number: int, now: float) -> float:
        publisher = self.publishers[number]
        state = recalled(self.memory[number], publisher.url)
        self.early += now < self.promised[number] - 1e-6
        answer = publisher.answer(now, state.etag)
        jitter = self.random.random()
        if answer.status == 304 or answer.content:
            seen = glance(answer.content, None, publisher.url) if answer.content else Glance()
            decision = after_answer(state, POLICY, answer, seen, now, jitter)
        else:
            decision = after_failure(state, POLICY, "http_status", "trouble", now, jitter, answer)
        publisher.polls.append((now, answer.status, bool(state.etag)))
        self.memory[number] = {**self.memory[number], **fields_of(decision.state)}
        self.promised[number] = decision.state.due_at
        self.per_minute[int((now - START) // MINUTE)] += 1
        return decision.next_due_seconds


@pytest.fixture(scope="module")
def world() -> World:
    world = World(seed=1)
    world.run(2 * DAY)
    return world


def of_kind(world: World, kind: str) -> list[Publisher]:
    return [publisher for publisher in world.publishers if publisher.kind == kind]


def test_no_burst_beyond_jitter(world: World) -> None:
    """After the import itself, no minute sees more than a few times its share."""
    first_day = [world.per_minute[minute] for minute in range(10, 24 * 60)]
    second_day = [world.per_minute[minute] for minute in range(24 * 60 + 10, 48 * 60)]
    assert max(first_day) <= 3 * FEEDS / 60, "an hour's polls, spread over its minutes"
    assert max(second_day) <= 5 * sum(second_day) / len(second_day)


def test_unchanged_feeds_are_transferred_once_in_their_life(world: World) -> None:
    for publisher in of_kind(world, "unchanged"):
        statuses = [status for _, status, _ in publisher.polls]
        assert statuses[0] == 200
        assert set(statuses[1:]) == {304}
    second_day = [
        status for publisher in of_kind(world, "unchanged") for at, status, _ in publisher.polls if at >= START + DAY
    ]
    assert second_day.count(304) >= 0.95 * len(second_day)


def test_a_feed_is_asked_without_conditions_once(world: World) -> None:
    for kind in ("unchanged", "hourly", "busy"):
        for publisher in of_kind(world, kind):
            assert [conditional for _, _, conditional in publisher.polls].count(False) == 1


def test_nobody_is_asked_too_soon(world: World) -> None:
    assert world.early == 0
    for publisher in world.publishers:
        moments = [at for at, _, _ in publisher.polls]
        waits = [later - earlier for earlier, later in pairwise(moments)]
        assert waits, "everybody was asked again"
        assert min(waits) >= HOUR


def test_busy_feeds_are_asked_each_hour_and_unchanged_ones_seldom(world: World) -> None:
    def polls_a_day(kind: str) -> float:
        return sum(len(publisher.polls) for publisher in of_kind(world, kind)) / KINDS[kind] / 2

    assert 20 <= polls_a_day("busy") <= 25
    assert polls_a_day("unchanged") <= 9
    assert polls_a_day("failing") <= 5
    assert polls_a_day("bare") < polls_a_day("hourly")


def test_no_entry_passes_unseen_where_the_feed_is_asked_often_enough(world: World) -> None:
    """Ten entries an hour in a feed of twenty: each fetch shares entries with the one before."""
    for number, publisher in enumerate(world.publishers):
        if publisher.kind in ("busy", "hourly"):
            assert recalled(world.memory[number], publisher.url).gaps == 0
