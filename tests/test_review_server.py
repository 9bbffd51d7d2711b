"""One data directory never has two servers, whoever starts, ends or is killed meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import psutil

from tests.support import PATIENCE_SECONDS, wait_until
from worker.config import Supervision
from worker.errors import StateError
from worker.state.server import EmbeddedServer, is_answering, socket_path
from worker.supervisor import ServerWatch


def servers_of(data: Path) -> list[psutil.Process]:
    """The servers that run on a data directory."""
    mark = str(socket_path(data))
    lines = [(process, " ".join(process.info["cmdline"] or [])) for process in psutil.process_iter(["cmdline"])]
    return [process for process, line in lines if "valkey-server" in line and mark in line]


def test_a_server_that_outlives_its_owner_is_joined_and_never_doubled(tmp_path: Path) -> None:
    """A killed owner's server writes its file out before it ends: a second one would write between its lines."""
    data = tmp_path / "data"
    program = "import sys, time; from pathlib import Path; from worker.state.server import EmbeddedServer; "
    program += "EmbeddedServer(Path(sys.argv[1])).start(); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", program, str(data)])
    wait_until(lambda: is_answering(data), "the first server")
    (first,) = servers_of(data)
    # Stopped, it does not hear that its owner has gone: it ends as late as on a slow disk.
    first.suspend()
    process.kill()
    process.wait()
    second = EmbeddedServer(data)
    starting = threading.Thread(target=second.start)
    starting.start()
    try:
        starting.join(timeout=0.5)
        assert [found.pid for found in servers_of(data)] == [first.pid]
        first.kill()
        starting.join(PATIENCE_SECONDS)
        assert second.owned
        assert len(servers_of(data)) == 1
    finally:
        starting.join(PATIENCE_SECONDS)
        second.stop()
    assert servers_of(data) == []


def test_a_watch_takes_the_server_over_from_a_short_command(tmp_path: Path) -> None:
    """`copydesk records` started the server, `copydesk run` came meanwhile, and the first one ends."""
    short, long = EmbeddedServer(tmp_path), EmbeddedServer(tmp_path)
    short.start()
    watch = ServerWatch(long, Supervision())
    try:
        watch.start()
        assert not long.owned
        short.stop()
        wait_until(lambda: long.owned and is_answering(tmp_path), "a server of its own")
        assert watch.problem is None
    finally:
        short.stop()
        watch.stop()


def test_who_waits_for_a_server_takes_it_over_where_its_owner_ends_first(tmp_path: Path) -> None:
    owner, waiting = EmbeddedServer(tmp_path), EmbeddedServer(tmp_path)
    owner.directory.mkdir(parents=True)
    assert owner._take_lock()
    starting = threading.Thread(target=waiting.start)
    starting.start()
    try:
        starting.join(timeout=0.2)
        assert starting.is_alive(), "somebody else starts the server"
        owner._drop_lock()
        starting.join(PATIENCE_SECONDS)
        assert waiting.owned
    finally:
        starting.join(PATIENCE_SECONDS)
        waiting.stop()


def test_a_stop_does_not_wait_for_a_server_that_never_comes(tmp_path: Path) -> None:
    owner, server = EmbeddedServer(tmp_path), EmbeddedServer(tmp_path)
    owner.directory.mkdir(parents=True)
    assert owner._take_lock()
    problems: list[StateError] = []

    def start() -> None:
        try:
            server.start()
        except StateError as error:
            problems.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    server.give_up()
    starting.join(PATIENCE_SECONDS)
    assert not starting.is_alive()
    server.stop()
    owner._drop_lock()
    assert "told to stop" in str(problems[0])
