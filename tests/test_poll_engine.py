"""The poll engine: many feeds at once, one request at a time at each host, nothing lost and nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis

from tests.desk_support import SWIFT, Office, office_fixture, open_office, settings_for, text_article
from tests.http_support import Handler, Server, serving
from tests.support import wait_until
from worker import pipeline
from worker.config import load_settings
from worker.desk import Desk, SilentBells
from worker.intake import polling
from worker.intake.polled import Settled
from worker.model import Source
from worker.operate.idle import what_waits
from worker.state.hosts import HostLease
from worker.state.sources import LEASE_SECONDS

GROUP, IN_HAND = 10, 30
NO_REST = {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0"}


office = office_fixture(NO_REST)


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with serving(CountingServer("0.0.0.0")) as server:
        yield server


class CountingServer(Server):
    """Notes the most requests that were under way at one time, for each host and in all."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.lock = threading.Lock()
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.linger_seconds = 0.0

    def enter(self, host: str) -> None:
        with self.lock:
            for name in (host, "all"):
                self.now[name] += 1
                self.most[name] = max(self.most[name], self.now[name])

    def leave(self, host: str) -> None:
        with self.lock:
            for name in (host, "all"):
                self.now[name] -= 1

    def once(self, number: int) -> Callable[[Handler], None]:
        """An answer that brings a feed once, and 304 to who knows it."""

        def answer(handler: Handler) -> None:
            host = handler.headers["Host"].partition(":")[0]
            self.enter(host)
            self.stopping.wait(self.linger_seconds)
            self.leave(host)
            if handler.headers.get("If-None-Match") == f'"{number}"':
                handler.give(304)
            else:
                handler.give(200, rss(number), ETag=f'"{number}"')

        return answer


def rss(*numbers: int) -> bytes:
    items = "".join(
        f"<item><guid>entry-{number}</guid><title>Entry {number}</title><description>{text_article(number)}"
        f"</description><link>http://news.example/{number}</link></item>"
        for number in numbers
    )
    return f"<rss version='2.0'><channel><title>News</title>{items}</channel></rss>".encode()


def host(number: int) -> str:
    """Each loopback address is a host of its own."""
    return f"127.0.{number // 250 + 1}.{number % 250 + 1}"


def add_feeds(office: Office, server: CountingServer, hosts: Sequence[str]) -> None:
    """A feed for each host named."""
    rows = []
    for number, name in enumerate(hosts):
        server.answers[f"/{number}"] = server.once(number)
        url = server.url(f"/{number}", name)
        rows.append(Source(id=f"feed-{number}", kind="feed", url=url, allowed_hosts=(name,)))
    office.desk.sources.sync(tuple(rows))


def all_due(office: Office, count: int) -> None:
    for number in range(count):
        office.due_now(f"feed-{number}")


def test_all_due_feeds_are_polled_and_come_due_again_later(office: Office, server: CountingServer) -> None:
    add_feeds(office, server, [host(number) for number in range(3)])
    assert pipeline.tick(office.desk) == 3
    office.drain()
    assert office.verdicts() == {"stored": 3}
    assert (office.desk.feeds.due(), pipeline.poll(office.desk)) == (0, 0)
    all_due(office, 3)
    assert pipeline.poll(office.desk) == 3
    state = office.desk.sources.recall("feed-0")
    assert (state["status"], state["etag"]) == ("304", '"0"')
    assert office.verdicts() == {"stored": 3}


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many feeds as there are servers for in a test."""
    monkeypatch.setattr(polling, "GROUP", GROUP)
    monkeypatch.setattr(pipeline, "GROUP", GROUP)
    monkeypatch.setattr(polling, "IN_HAND", IN_HAND)


@pytest.mark.usefixtures("small_groups")
def test_more_feeds_than_fit_in_hand_are_polled_side_by_side(office: Office, server: CountingServer) -> None:
    count = IN_HAND + GROUP
    server.linger_seconds = 0.05
    add_feeds(office, server, [host(number) for number in range(count)])
    assert pipeline.poll(office.desk) == count
    assert len({path for path, _ in server.seen}) == len(server.seen) == count
    assert 1 < server.most["all"] <= IN_HAND
    assert office.desk.counters.in_flight() == count


@pytest.mark.usefixtures("small_groups")
def test_bells_for_feeds_are_few_and_may_be_lost_or_come_twice(office: Office, server: CountingServer) -> None:
    add_feeds(office, server, [host(number) for number in range(GROUP + 1)])
    assert pipeline.tick(office.desk) == GROUP + 1
    assert office.bells.depth("poll", "news") == 2
    assert pipeline.tick(office.desk) == GROUP + 1
    assert office.bells.depth("poll", "news") == 2, "those that wait are enough"
    office.bells.waiting.clear()
    assert pipeline.tick(office.desk) == GROUP + 1
    office.bells.ring("poll", "news", "due")
    office.drain()
    assert office.verdicts() == {"stored": GROUP + 1}
    assert len(server.seen) == GROUP + 1


def test_large_documents_travel_through_the_spool(
    redis: Redis, server_url: str, tmp_path: Path, server: CountingServer
) -> None:
    assert redis.ping()
    settings = settings_for(tmp_path, NO_REST | {"COPYDESK_LIMITS_INLINE_BYTES": "300"})
    with open_office(server_url, settings) as office:
        add_feeds(office, server, [host(number) for number in range(3)])
        assert pipeline.poll(office.desk) == 3
        assert office.desk.redis.hlen(office.desk.keys.name("spool")) == 3
        office.drain()
        assert office.verdicts() == {"stored": 3}
        (tmp_path / "data" / "spool").rename(tmp_path / "data" / "gone")
        (tmp_path / "data" / "spool").write_text("no directory")
        server.answers["/0"] = server.once(8)
        office.desk.sources.note("feed-0", {"etag": "", "poll": ""})
        office.due_now("feed-0")
        pipeline.poll(office.desk)
        state = office.desk.sources.recall("feed-0")
        assert (state["more"], bool(state["problem"])) == ("1", True), "asked again soon, and no fault of the feed"


def test_a_host_is_asked_by_one_at_a_time_with_a_rest_between(office: Office, server: CountingServer) -> None:
    """Two workers, several feeds of each of two hosts; what the rest costs is measured, nothing is slept."""
    settings = load_settings(
        office.desk.settings.config, office.desk.settings.data, SWIFT | {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0.05"}
    )
    hosts = [host(number % 2) for number in range(12)]
    server.linger_seconds = 0.02
    add_feeds(office, server, hosts)
    desks = [Desk(settings, SilentBells(), office.server_url) for _ in range(2)]
    started = time.monotonic()
    work_until(desks, lambda: len(server.seen) == 12)
    assert (server.most[hosts[0]], server.most[hosts[1]]) == (1, 1)
    assert len({path for path, _ in server.seen}) == 12
    assert time.monotonic() - started > 5 * (0.05 + 0.02), "six requests at each host have five rests between them"


def work_until(desks: Sequence[Desk], done: Callable[[], bool]) -> None:
    """Each desk polls in a thread of its own, as a pull worker does, until all is done."""

    def work(desk: Desk) -> None:
        while not desk.stopping.wait(0.01):
            pipeline.poll(desk)

    threads = [threading.Thread(target=work, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    try:
        wait_until(done)
    finally:
        for desk in desks:
            desk.stopping.set()
        for thread in threads:
            thread.join()
        for desk in desks:
            desk.close()


def test_feeds_that_would_wait_long_for_their_host_are_put_off_each_to_its_turn(
    office: Office, server: CountingServer
) -> None:
    settings = load_settings(
        office.desk.settings.config, office.desk.settings.data, SWIFT | {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "60"}
    )
    add_feeds(office, server, [host(0)] * 5)
    desk = Desk(settings, office.bells, office.server_url)
    assert pipeline.poll(desk) == 1
    due = sorted(row.due_in_seconds or 0.0 for row in desk.sources.all() if row.poll.get("more"))
    assert len(due) == 4
    assert all(later - earlier > 30 for earlier, later in pairwise(due)), "not all at once"
    assert what_waits(desk, since=time.time()) is not None, "they are still to be polled"
    all_due(office, 5)
    assert pipeline.poll(desk) == 0, "the host has its rest"
    desk.close()


def test_a_redirect_waits_for_its_host_and_gives_it_back(office: Office, server: CountingServer) -> None:
    add_feeds(office, server, [host(0)])
    there = server.url("/there", host(1))
    server.answers["/there"] = server.once(7)
    office.desk.sources.sync(
        (Source(id="feed-0", kind="feed", url=server.url("/0", host(0)), allowed_hosts=(host(0), host(1))),)
    )
    taken = office.desk.hosts.take([host(1)])[host(1)]
    assert isinstance(taken, HostLease)

    def redirect(handler: Handler) -> None:
        handler.give(302, Location=there)
        office.desk.hosts.free(taken, 0.0)

    server.answers["/0"] = redirect
    assert pipeline.poll(office.desk) == 1
    assert [path for path, _ in server.seen] == ["/0", "/there"]
    assert all(isinstance(answer, HostLease) for answer in office.desk.hosts.take([host(0), host(1)]).values())


def test_leases_on_hosts_lapse_and_are_counted_everywhere(office: Office) -> None:
    environ = SWIFT | NO_REST | {"COPYDESK_FEEDS_AT_ONCE_EVERYWHERE": "2"}
    desk = Desk(
        load_settings(office.desk.settings.config, office.desk.settings.data, environ),
        SilentBells(),
        office.server_url,
    )
    answers = desk.hosts.take(["a.example", "b.example", "c.example"])
    assert [isinstance(answer, HostLease) for answer in answers.values()] == [True, True, False]
    again = desk.hosts.take(["a.example"])["a.example"]
    assert isinstance(again, float)
    lease = answers["a.example"]
    assert isinstance(lease, HostLease)
    desk.hosts.free(lease)
    assert isinstance(desk.hosts.take(["c.example"])["c.example"], HostLease)
    for token in desk.redis.zrange(desk.keys.name("asking"), 0, -1):
        desk.redis.zadd(desk.keys.name("asking"), {str(token, "ascii"): 1.0})  # type: ignore[arg-type]  # bytes
    for name, value in desk.redis.hgetall(desk.keys.host("b.example")).items():
        assert float(value) > time.time()
        desk.redis.hset(desk.keys.host("b.example"), name, 1.0)
    assert isinstance(desk.hosts.take(["b.example"])["b.example"], HostLease), "its holder has died"
    desk.close()


def test_a_rule_for_one_host(office: Office) -> None:
    (office.desk.settings.config).mkdir(parents=True, exist_ok=True)
    (office.desk.settings.config / "worker.toml").write_text(
        '[hosts."fast.example"]\nat_once = 2\nspacing_seconds = 0.0\n'
    )
    settings = load_settings(office.desk.settings.config, office.desk.settings.data, SWIFT)
    desk = Desk(settings, SilentBells(), office.server_url)
    answers = [desk.hosts.take(["fast.example", "other.example"]) for _ in range(3)]
    assert [isinstance(row["fast.example"], HostLease) for row in answers] == [True, True, False]
    assert [isinstance(row["other.example"], HostLease) for row in answers] == [True, False, False]
    assert desk.hosts.rest_seconds("fast.example") == 0.0
    assert 1.0 <= desk.hosts.rest_seconds("other.example") <= 1.5
    desk.close()


def test_one_bad_feed_does_not_keep_the_others(office: Office, server: CountingServer, tmp_path: Path) -> None:
    add_feeds(office, server, [host(number) for number in range(4)])
    sources = office.desk.sources
    server.answers["/1"] = lambda handler: handler.give(500)
    sources.add(Source(id="odd", kind="feed", url="http://[", allowed_hosts=("not a host",)))
    sources.add(Source(id="local", kind="feed", url=str(tmp_path / "missing.xml")))
    sources.add(Source(id="variable", kind="feed", url=server.url("/0"), auth="${COPYDESK_TEST_NOT_SET}"))
    assert pipeline.poll(office.desk) == 7
    office.drain()
    assert office.verdicts() == {"stored": 3}
    problems = {row.source.id: row.poll.get("problem", "").partition(":")[0] for row in sources.all()}
    assert {name: problems[name] for name in ("feed-1", "odd", "local", "variable")} == {
        "feed-1": "http_status",
        "odd": "refused",
        "local": "unreadable",
        "variable": "refused",
    }


def test_a_feed_that_was_settled_is_not_held_any_longer(office: Office, server: CountingServer) -> None:
    """Renewing what is in hand runs beside settling it: a late renewal must not bring the next poll forward."""
    add_feeds(office, server, [host(0), host(1)])
    assert [feed.source.id for feed in office.desk.feeds.take(2)] == ["feed-0", "feed-1"]
    office.desk.feeds.settle("feed-0", 5000.0, {})
    office.desk.feeds.renew(["feed-0", "feed-1", "feed-2"])
    due = {row.source.id: row.due_in_seconds or 0.0 for row in office.desk.sources.all()}
    assert due["feed-0"] > 4000
    assert 0 < due["feed-1"] <= LEASE_SECONDS


def test_what_cannot_be_written_down_holds_up_nobody(
    office: Office, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_feeds(office, server, [host(number) for number in range(4)])
    settle = office.desk.settle

    def settle_badly(ended: Sequence[Settled]) -> None:
        settle([replace(row, problem="\ud800") if row.polled and row.source.id == "feed-1" else row for row in ended])

    monkeypatch.setattr(office.desk, "settle", settle_badly)
    pipeline.poll(office.desk)
    office.drain()
    assert office.verdicts() == {"stored": 3}
    assert office.desk.sources.recall("feed-1")["problem"].startswith("fault")


def test_a_paused_intake_asks_no_feed(office: Office, server: CountingServer) -> None:
    add_feeds(office, server, [host(0), host(1)])
    office.desk.pauses.pause("source:feed-0", "a test")
    assert pipeline.poll(office.desk) == 1
    assert [path for path, _ in server.seen] == ["/1"]
    assert "a test" in office.desk.sources.recall("feed-0")["problem"]


def test_a_feed_that_is_removed_while_it_is_polled_leaves_nothing(office: Office, server: CountingServer) -> None:
    office.desk.sources.add(Source(id="added", kind="feed", url=server.url("/f", host(0)), allowed_hosts=(host(0),)))

    def answer(handler: Handler) -> None:
        office.desk.sources.remove("added")
        handler.give(200, rss(1), ETag='"1"')

    server.answers["/f"] = answer
    pipeline.poll(office.desk)
    assert office.desk.sources.recall("added") == {}
    assert office.desk.feeds.due() == 0
    assert office.desk.redis.exists(office.desk.keys.name("calls")) == 0


def test_who_is_told_to_stop_hands_back_what_it_holds(office: Office, server: CountingServer) -> None:
    add_feeds(office, server, [host(0), host(1)])
    hanging = threading.Event()

    def hang(handler: Handler) -> None:
        hanging.set()
        server.stopping.wait(30)
        handler.give(200)

    server.answers["/0"] = server.answers["/1"] = hang
    poller = threading.Thread(target=pipeline.poll, args=(office.desk,))
    poller.start()
    wait_until(hanging.is_set)
    office.desk.stopping.set()
    poller.join()
    assert office.desk.feeds.due() == 2
    assert office.desk.redis.exists(office.desk.keys.name("calls")) == 0
    assert office.desk.redis.zcard(office.desk.keys.name("asking")) == 0


def test_feeds_that_are_due_do_not_keep_files_waiting(office: Office, server: CountingServer, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.txt").write_text(text_article(99))
    add_feeds(office, server, [host(number) for number in range(5)])
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(drop)))
    assert pipeline.tick(office.desk) == 6
    assert [(task, name) for task, _, name in office.bells.waiting] == [("pull", "drop"), ("poll", "due")]


def test_pollers_that_are_killed_lose_no_entry_and_store_none_twice(office: Office, server: CountingServer) -> None:
    """By SIGKILL at random requests, again and again; what the dead held is made to lapse, as time would."""
    count, chance = 40, random.Random(5)
    server.linger_seconds = 0.01
    add_feeds(office, server, [host(number) for number in range(count)])
    for _ in range(6):
        last = len(server.seen) + chance.randint(1, 20)
        with forked(lambda: pipeline.poll(Desk(office.desk.settings, SilentBells(), office.server_url))) as child:
            wait_until(partial(reached, server, last, child))
        lapse(office)
    wait_until(lambda: poll_and_lapse(office) == set())
    pipeline.sweep(office.desk)
    office.drain()
    assert office.verdicts() == {"stored": count}
    assert office.store() == count
    assert office.reconcile().balanced


@contextlib.contextmanager
def forked(work: Callable[[], object]) -> Iterator[int]:
    """A process of its own that works until the block ends, and is then killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def reached(server: Server, requests: int, child: int) -> bool:
    """True after so many requests, or where the process has ended and waits to be buried."""
    return len(server.seen) >= requests or Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def lapse(office: Office) -> None:
    """End every lease, as the time does in which nobody renews them."""
    redis, keys = office.desk.redis, office.desk.keys
    for raw in redis.hkeys(keys.name("calls")):
        office.due_now(str(raw, "utf-8"))  # type: ignore[arg-type]  # bytes
    for key in [keys.name("asking"), *redis.keys(keys.host("*"))]:
        redis.delete(key)


def poll_and_lapse(office: Office) -> set[str]:
    """Poll what is due; the feeds that were not yet polled to the end."""
    pipeline.poll(office.desk)
    return not_polled(office)


def not_polled(office: Office) -> set[str]:
    return {row.source.id for row in office.desk.sources.all() if "pulled_at" not in row.poll}
