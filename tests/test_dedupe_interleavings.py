"""Whatever the order in which workers look up and publish: one head a family, nothing lost, the books balance.

Each worker's work is a chain of two kinds of steps, look up and publish; a publish that finds the lookup outdated
does what it can and the worker looks up again. All orders of the steps of all workers are tried on a real server.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest
from redis import Redis

from tests.dedupe_support import NOW, Desk, article, text
from tests.desk_support import Office, open_office, settings_for
from worker import pipeline
from worker.desk import Desk as RealDesk
from worker.model import LANES, Article, Batch, Document, decode_record
from worker.state import postings, scripts
from worker.state.codec import Item
from worker.state.counters import imbalance
from worker.state.index import FILED_FROM_BYTES, PRELUDE
from worker.state.keys import RECEIVED
from worker.state.ledger import new_id
from worker.state.memory import Run

STORY = [f"story{i}" for i in range(200)]


def story(words: int = 200) -> str:
    """The story, cut off after so many words."""
    return " ".join(STORY[:words])


def of(guid: str, body: str, **facts: Any) -> Article:
    return article(guid=guid, body_text=body, **facts)


class Worker:
    """Publishes the articles of one batch, `at_once` of them in a run, step by step."""

    def __init__(self, desk: Desk, number: int, articles: Sequence[Article], at_once: int) -> None:
        self._desk = desk
        self._claim = desk.parsed(list(articles), f"s{number}", lane=LANES[number % 2])
        self._candidates = desk.candidates(self._claim)
        self._at_once = at_once
        self._done = 0
        self._run: Run | None = None
        self.settled = False
        self.verdicts: list[str] = []

    @property
    def looks_up_next(self) -> bool:
        return self._run is None

    def step(self) -> None:
        memory, rules = self._desk.memory, self._desk.rules
        if self._run is None:
            self._run = memory.prepare(self._candidates[self._done : self._done + self._at_once], rules)
            return
        progress, settled, _, verdicts, _ = memory.commit(self._claim, self._done, self._run, rules)
        self._run, self._done, self.settled = None, int(progress), bool(settled)
        self.verdicts += [verdict.decode() for verdict in verdicts]


def every_order(begin: Callable[[], list[Worker]]) -> Iterator[list[Worker]]:
    """Run the workers to their end once for each order of their steps.

    Two lookups in a row read the same whichever is first: only one order of them is tried.
    """
    choices: list[tuple[int, int]] = []
    while True:
        workers = begin()
        depth, last = 0, -1
        while any(not worker.settled for worker in workers):
            able = [at for at, one in enumerate(workers) if not one.settled and (at >= last or not one.looks_up_next)]
            if depth == len(choices):
                choices.append((0, len(able)))
            chosen = able[choices[depth][0]]
            last = chosen if workers[chosen].looks_up_next else -1
            workers[chosen].step()
            depth += 1
            assert depth < 100, "the workers hold each other up for ever"
        yield workers
        # The next order: the last choice that can be another one is.
        while choices and choices[-1][0] + 1 == choices[-1][1]:
            choices.pop()
        if not choices:
            return
        chosen, of_them = choices.pop()
        choices.append((chosen + 1, of_them))


def assert_sound(desk: Desk, workers: Sequence[Worker], articles: int) -> None:
    """Nothing lost; at each moment at most one live head a family, and no copy dropped for one that is not live."""
    assert sum(len(worker.verdicts) for worker in workers) == articles
    totals = desk.counters.totals()
    assert imbalance(totals, desk.counters.in_flight()) == 0
    assert desk.counters.in_flight() == 0
    live: dict[str, str] = {}
    rows = desk.stream()
    for row in rows:
        if row["event"] == b"seen":
            assert row["id"].decode() in live.values(), "a copy was dropped in favour of nobody"
            continue
        record = decode_record(row["record"])
        assert record.family_id is not None
        if record.event == "create":
            assert record.family_id not in live, "two heads"
            live[record.family_id] = record.id
        elif record.event == "withdraw":
            live = {family: head for family, head in live.items() if head != record.id}
    assert sum("record" in row for row in rows) == totals["stored"] + totals["updated"]


def explore(
    redis: Redis, desk: Desk, batches: Sequence[Sequence[Article]], at_once: int = 9, before: Sequence[Article] = ()
) -> list[list[str]]:
    """Verdicts of every order; each batch is a worker's, `before` is published by source `s0` before they begin."""

    def begin() -> list[Worker]:
        redis.flushall()
        if before:
            desk.push(*before, source="s0")
        return [Worker(desk, number, batch, at_once) for number, batch in enumerate(batches)]

    outcomes = []
    for workers in every_order(begin):
        assert_sound(desk, workers, sum(map(len, batches)))
        outcomes.append([verdict for worker in workers for verdict in worker.verdicts])
    return outcomes


@pytest.fixture
def desk(redis: Redis, tmp_path: Path) -> Desk:
    return Desk(redis, tmp_path)


@pytest.fixture
def two_windows(redis: Redis, tmp_path: Path) -> Desk:
    """Every other worker's articles come by the lane `backfill`, which has a window of its own."""
    return Desk(redis, tmp_path, backfill_days=7)


@pytest.fixture(params=["fresh", "filed"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is published waits to be filed, or is filed at once."""
    if request.param == "filed":
        filing = PRELUDE.replace(f"{FILED_FROM_BYTES}\n", "1\n")
        assert filing != PRELUDE
        monkeypatch.setattr(scripts, "PRELUDE", filing)
        monkeypatch.setattr(postings, "FILED_FROM_BYTES", 1)
    scripts.source_text.cache_clear()
    yield
    scripts.source_text.cache_clear()


def in_turn(
    redis: Redis, desk: Desk, batches: Sequence[Sequence[Article]], before: Sequence[Article] = ()
) -> list[list[str]]:
    """Verdicts of every order in which one worker ends before the next begins."""
    outcomes = []
    for order in itertools.permutations(range(len(batches))):
        redis.flushall()
        if before:
            desk.push(*before, source="s0")
        verdicts = {
            number: desk.push(*batches[number], source=f"s{number}", lane=LANES[number % 2]) for number in order
        }
        outcomes.append([verdict for number in range(len(batches)) for verdict in verdicts[number]])
    return outcomes


def assert_as_in_turn(
    redis: Redis, desk: Desk, batches: Sequence[Sequence[Article]], before: Sequence[Article] = ()
) -> list[list[str]]:
    """All orders of steps give only what some order of whole workers gives; their verdicts."""
    outcomes = explore(redis, desk, batches, before=before)
    assert {tuple(verdicts) for verdicts in outcomes} == {
        tuple(verdicts) for verdicts in in_turn(redis, desk, batches, before)
    }
    return outcomes


def heads(outcomes: list[list[str]]) -> set[int]:
    """How many records were published, over all orders."""
    return {sum(verdict == "stored" for verdict in verdicts) for verdicts in outcomes}


@pytest.mark.usefixtures("either")
def test_two_workers_with_two_copies_each(redis: Redis, desk: Desk) -> None:
    batches = [[of("a1", story(200)), of("a2", story(197))], [of("b1", story(199)), of("b2", story(196))]]
    together = explore(redis, desk, batches)
    one_by_one = explore(redis, desk, batches, at_once=1)
    assert len(one_by_one) > 20
    assert heads(together) == heads(one_by_one) == {1}


def test_three_workers_with_copies_and_texts_of_their_own(redis: Redis, desk: Desk) -> None:
    batches = [[of(f"{w}{n}", body) for n, body in enumerate((story(200 - w), text(w)))] for w in range(3)]
    outcomes = explore(redis, desk, batches)
    assert len(outcomes) > 50
    assert heads(outcomes) == {1 + 3}


@pytest.mark.usefixtures("either")
def test_exact_and_near_copies_at_once(redis: Redis, desk: Desk) -> None:
    outcomes = assert_as_in_turn(redis, desk, [[of("a", story(200))], [of("b", story(200))], [of("c", story(195))]])
    assert heads(outcomes) == {1}
    assert {verdict for verdicts in outcomes for verdict in verdicts} == {"stored", "duplicate", "near_duplicate"}


@pytest.mark.usefixtures("either")
def test_copies_by_lanes_with_windows_of_their_own(redis: Redis, two_windows: Desk) -> None:
    batches = [[of("a", story(200))], [of("b", story(200))], [of("c", story(195))]]
    assert heads(assert_as_in_turn(redis, two_windows, batches)) == {1}


def test_a_head_withdrawn_by_another_lane(redis: Redis, two_windows: Desk) -> None:
    batches = [[of("head", story(), withdrawn=True)], [of("b", story(198))], [of("c", story(196))]]
    assert heads(assert_as_in_turn(redis, two_windows, batches, before=[of("head", story())])) == {0, 1}


def test_a_chain_in_which_only_neighbours_resemble_each_other(redis: Redis, desk: Desk) -> None:
    links = [" ".join(STORY[begin : begin + 150]) for begin in (0, 7, 14)]
    assert_as_in_turn(redis, desk, [[of(str(number), body)] for number, body in enumerate(links)])


def test_two_stories_crosswise(redis: Redis, desk: Desk) -> None:
    batches = [[of("a1", story(200)), of("a2", text(1))], [of("b1", text(1) + " end"), of("b2", story(198))]]
    assert heads(explore(redis, desk, batches, at_once=1)) == {2}


def test_a_head_withdrawn_between_lookup_and_publish(redis: Redis, desk: Desk) -> None:
    batches = [[of("head", story(), withdrawn=True)], [of("b", story(198))], [of("c", story(196))]]
    outcomes = assert_as_in_turn(redis, desk, batches, before=[of("head", story())])
    assert heads(outcomes) == {0, 1}, "the head was withdrawn after, or before a copy came"


def test_a_head_rewritten_between_lookup_and_publish(redis: Redis, desk: Desk) -> None:
    batches = [[of("head", text(7), updated_at=NOW)], [of("b", story(198))], [of("c", text(7) + " end")]]
    outcomes = assert_as_in_turn(redis, desk, batches, before=[of("head", story())])
    assert {verdicts[0] for verdicts in outcomes} == {"updated"}


def test_without_validation_two_heads_are_found(redis: Redis, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exploration sees what it is there to see."""
    source_text = scripts.source_text
    validation = "if came_between(a) then return nil end"

    def unvalidated(name: str) -> str:
        whole = source_text(name)
        assert name != "publish" or validation in whole
        return whole.replace(validation, "")

    monkeypatch.setattr(scripts, "source_text", unvalidated)
    with pytest.raises(AssertionError, match=r"two heads|assert \{1, 2\}"):
        assert heads(explore(redis, desk, [[of("a", story(200))], [of("b", story(198))]])) == {1}


STORIES, COPIES, THREADS = 25, 14, 8


@pytest.fixture
def offices(redis: Redis, server_url: str, tmp_path: Path) -> Iterator[list[Office]]:
    assert redis.ping()
    opened = [
        open_office(server_url, settings_for(tmp_path, {"COPYDESK_SWEEPER_LEASE_SECONDS": "30"}))
        for _ in range(THREADS)
    ]
    entered = [office.__enter__() for office in opened]
    yield entered
    for office in opened:
        office.__exit__(None, None, None)


def parsed_batch(desk: RealDesk, articles: Sequence[Article], source: str) -> str:
    """A batch that waits for the dedupe stage."""
    document = Document(source_id=source, origin=f"/in/{source}", received_at=NOW, content=b"x", size_bytes=1)
    batch = Batch(id=new_id("news"), source_id=source, lane="news", day="2026-11-01", documents=(document,))
    assert desk.ledger.receive(batch)
    claim = desk.ledger.claim(batch.id, RECEIVED)
    assert claim is not None
    desk.ledger.advance(claim, [Item(0, one) for one in articles], [])
    return batch.id


def test_eight_workers_on_a_stream_of_copies(offices: list[Office]) -> None:
    desk = offices[0].desk
    dice = random.Random(5)
    copies = [(number, copy) for number in range(STORIES) for copy in range(COPIES)]
    dice.shuffle(copies)
    batches: SimpleQueue[str] = SimpleQueue()
    for first in range(0, len(copies), 5):
        articles = [
            of(f"{number}-{copy}", " ".join(f"{number}x{word}" for word in range(200 - copy)))
            for number, copy in copies[first : first + 5]
        ]
        batches.put(parsed_batch(desk, articles, f"s{first}"))

    def work(office: Office) -> None:
        while True:
            try:
                pipeline.dedupe(office.desk, batches.get_nowait())
            except Empty:
                return

    threads = [threading.Thread(target=work, args=(office,)) for office in offices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    published: defaultdict[str, int] = defaultdict(int)
    for record in offices[0].queued():
        published[record.body_text.partition("x")[0]] += 1
    assert published == {str(number): 1 for number in range(STORIES)}
    totals = desk.counters.totals()
    assert (totals["stored"], totals["near_duplicate"]) == (STORIES, STORIES * (COPIES - 1))
    assert imbalance(totals, desk.counters.in_flight()) == 0
