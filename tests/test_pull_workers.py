"""Two real pull workers, real processes that are killed at random: no host asked twice at once, no entry lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk_support import SWIFT, Office, office_fixture
from tests.http_support import serving
from tests.support import wait_until
from tests.test_poll_engine import CountingServer, add_feeds, host, lapse, not_polled
from worker import pipeline

FEEDS, HOSTS = 350, 14
"""More than one worker takes in hand, and many for each host."""
SETTINGS = {"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0.01", "COPYDESK_FEEDS_HOST_JITTER": "0"}
pytestmark = pytest.mark.slow


class Desk:
    """The command line and its workers on the server of the tests."""

    def __init__(self, base: Path, server_url: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("COPYDESK_")}
        places = {"COPYDESK_DATA": str(base / "data"), "COPYDESK_CONFIG": str(base / "config")}
        self.environment = clean | SWIFT | SETTINGS | places | {"COPYDESK_REDIS_URL": server_url, "COLUMNS": "200"}
        self.log = base / "workers.log"

    def start(self, *words: str, agent: str = "", stdout: int | None = None) -> subprocess.Popen[bytes]:
        environment = self.environment | ({"COPYDESK_FEEDS_USER_AGENT": agent} if agent else {})
        command = [sys.executable, "-m", "worker", *words]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=environment, start_new_session=True, stdout=stdout or log, stderr=log)

    @contextlib.contextmanager
    def workers(self) -> Iterator[None]:
        """Two pull workers, which are killed at the end of the block."""
        both = [self.start("worker", "--queues", "pull", "--name", name, agent=name) for name in ("one", "two")]
        try:
            yield
            assert [worker.poll() for worker in both] == [None, None], self.log.read_text()[-3000:]
        finally:
            for worker in both:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


office = office_fixture(SETTINGS)


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with serving(CountingServer("0.0.0.0")) as server:
        yield server


def ranks() -> list[int]:
    """For each feed its place in the order in which workers take them, that of their ids.

    Who has a host in hand keeps it: with a host's feeds together, the second worker finds hosts that nobody has.
    """
    order = sorted(range(FEEDS), key=str)
    return sorted(range(FEEDS), key=order.__getitem__)


def agents(server: CountingServer) -> set[str]:
    """Which workers have asked it."""
    return {names["user-agent"] for _, names in list(server.seen)}


def test_two_workers_ask_each_host_one_at_a_time_and_a_kill_loses_nothing(
    office: Office, server: CountingServer, tmp_path: Path, server_url: str
) -> None:
    desk, chance = Desk(tmp_path, server_url), random.Random(7)
    until = chance.randint(30, 100)
    # So slow that one worker cannot do all before the other has looked.
    server.linger_seconds = 0.5
    with desk.workers():
        wait_until(lambda: desk.log.read_text().count(" ready.") == 2, "both workers")
        add_feeds(office, server, [host(rank * HOSTS // FEEDS) for rank in ranks()])
        wait_until(lambda: len(server.seen) >= until and agents(server) == {"one", "two"}, "polls of both")
    server.linger_seconds = 0.01
    lapse(office)
    with desk.workers():
        wait_until(lambda: not not_polled(office), "every feed polled")
        once = desk.start("top", "--once", "--json", stdout=subprocess.PIPE)
        live = desk.start("top", "--interval", "0.1", stdout=subprocess.PIPE)
        assert live.stdout is not None
        assert b"copydesk top" in live.stdout.readline()
        live.send_signal(signal.SIGINT)
        assert b"last fetched" in live.stdout.read()
        live.stdout.close()
        assert live.wait(60) == 0
        shown = once.communicate(timeout=60)[0]
    del server.most["all"]
    assert (len(server.most), max(server.most.values())) == (HOSTS, 1), "never two requests at a host"
    picture = json.loads(shown)
    assert {row["serves"][0] for row in picture["processes"]} == {"pull"}
    assert {row["status"] for row in picture["sources"]["last_fetched"]} == {200}
    while office.desk.counters.in_flight():
        pipeline.sweep(office.desk)
        office.drain()
    assert office.verdicts() == {"stored": FEEDS}
    assert office.store() == FEEDS
    assert office.reconcile().balanced
