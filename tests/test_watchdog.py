"""Liveness is progress: what stands still is found, whatever it answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from redis import Redis

from tests.cli_support import FAST, Cli
from tests.desk_support import settings_for
from tests.support import PATIENCE_SECONDS, wait_until
from worker.desk import BellTask, SilentBells
from worker.model import Lane
from worker.state.pulses import Pulse, Pulses, living_here, pulses_here
from worker.state.server import embedded_url
from worker.supervisor import PARTS
from worker.watchdog import Watch, Watchdog

STALLED, TASK = 20.0, 270.0
SETTINGS = f"{FAST}[supervision]\nstalled_seconds = 6\n"
SOURCES = '[[source]]\nid = "inbox"\nkind = "directory"\npath = "../inbox"\nclaim = true\n'


def pulse(**facts: Any) -> Pulse:
    return Pulse(**{"name": "parse", "host": "h", "pid": 7, "serves": ("parse",), "monotonic": 100.0, **facts})


def judge(watch: Watch, shown: Pulse, now: float, *, waits: bool = True, since: float = 0.0) -> str | None:
    return watch.judge(shown, waits=waits, now=now, since=since)


def test_a_process_that_takes_what_waits_is_well() -> None:
    watch = Watch(STALLED, TASK)
    for second in range(100, 400, 10):
        assert judge(watch, pulse(monotonic=second, answered=second), float(second)) is None


def test_a_process_that_takes_nothing_though_work_waits_is_wedged_while_its_loop_turns() -> None:
    watch = Watch(STALLED, TASK)
    assert judge(watch, pulse(), 100.0) is None
    assert judge(watch, pulse(monotonic=119.0), 119.0) is None
    assert "taken none for 21 s" in str(judge(watch, pulse(monotonic=121.0), 121.0))


def test_nobody_is_blamed_for_standing_still_without_work() -> None:
    watch = Watch(STALLED, TASK)
    for second in (100.0, 200.0, 300.0):
        assert judge(watch, pulse(monotonic=second), second, waits=False) is None
    assert judge(watch, pulse(monotonic=301.0), 301.0) is None, "the work has only just come"


def test_a_long_task_is_given_its_time() -> None:
    watch = Watch(STALLED, TASK)
    judge(watch, pulse(busy=2), 100.0)
    assert judge(watch, pulse(busy=2, monotonic=350.0), 350.0) is None
    assert judge(watch, pulse(busy=2, monotonic=391.0), 391.0) is not None


def test_silence_counts_from_when_the_server_was_there() -> None:
    watch = Watch(STALLED, TASK)
    assert "no sign of life for 25 s" in str(judge(watch, pulse(), 125.0))
    assert judge(watch, pulse(), 125.0, since=110.0) is None
    assert judge(watch, pulse(patience_seconds=60.0), 125.0) is None
    assert judge(watch, pulse(monotonic=500.0), 125.0) is not None, "a file from before the host's last start"


def test_a_sign_of_life_that_comes_while_we_look_is_one() -> None:
    watch = Watch(STALLED, TASK)
    assert judge(watch, pulse(monotonic=100.01), 100.0) is None
    assert judge(watch, pulse(monotonic=103.0), 100.0) is None


def test_a_successor_begins_anew() -> None:
    watch = Watch(STALLED, TASK)
    judge(watch, pulse(), 100.0)
    assert judge(watch, pulse(pid=8, monotonic=121.0), 121.0) is None


def test_a_full_disk_makes_nobody_look_dead(redis: Redis, server_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    pulses = Pulses(settings, server_url, "parse", ("parse",))
    pulses.give(answered=1)
    # From here on no file can be written there.
    (settings.data / "run" / "pulses" / f"{socket.gethostname()}.parse.{os.getpid()}.tmp").mkdir()
    pulses.give(answered=2, patience_seconds=1.0)
    assert [shown.answered for shown in pulses_here(settings)] == [1]
    assert [shown.answered for shown in living_here(settings, redis)] == [2]


def test_what_gone_hosts_left_is_cleared_away_and_no_other(server_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    Pulses(settings, server_url, "parse", ("parse",)).give()
    (mine,) = (settings.data / "run" / "pulses").iterdir()
    gone, neighbour = mine.with_name("gone.parse.json"), mine.with_name("neighbour.parse.json")
    for path in (gone, neighbour):
        path.write_bytes(mine.read_bytes())
    os.utime(gone, (0, 0))
    Pulses(settings, server_url, "store", ("store",)).give()
    names = {path.name for path in mine.parent.iterdir()}
    assert names == {mine.name, neighbour.name, mine.name.replace("parse", "store")}


def test_the_watchdog_outlives_what_it_trips_over(
    redis: Redis, server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert redis.ping()
    monkeypatch.setattr("worker.watchdog.LOOK_SECONDS", 0.01)
    asked: list[str] = []

    class Odd(SilentBells):
        def depth(self, task: BellTask, lane: Lane) -> int:
            asked.append(f"{task} {lane}")
            raise ValueError("an answer that nobody thought of")

    watchdog = Watchdog(settings_for(tmp_path, {"COPYDESK_REDIS_URL": server_url}), Odd())
    watchdog.start()
    wait_until(lambda: len(asked) > 1, "another look after one that failed")
    watchdog.stop()


@pytest.fixture
def desk(tmp_path: Path) -> Cli:
    (tmp_path / "inbox").mkdir()
    return Cli(tmp_path, SOURCES, SETTINGS)


@pytest.fixture
def running(desk: Cli) -> Iterator[tuple[Cli, psutil.Process]]:
    with desk.running("run") as process:
        supervisor = psutil.Process(process.pid)
        wait_until(lambda: len(supervisor.children()) == len(PARTS) + 1, "all parts running")
        yield desk, supervisor


def part(supervisor: psutil.Process, words: str) -> psutil.Process | None:
    for child in supervisor.children():
        try:
            if words in " ".join(child.cmdline()):
                return child
        except psutil.NoSuchProcess:
            continue
    return None


def shown(desk: Cli) -> dict[str, Pulse]:
    files = (desk.data / "run" / "pulses").glob("*.json")
    pulses = [msgspec.json.decode(path.read_bytes(), type=Pulse) for path in files]
    return {pulse.name: pulse for pulse in pulses}


@pytest.mark.slow
def test_a_stopped_worker_is_replaced_and_its_work_done(running: tuple[Cli, psutil.Process]) -> None:
    desk, supervisor = running
    wait_until(lambda: set(shown(desk)) == set(PARTS), "a sign of life of each part")
    assert desk.json("health", "ready", "--wait", str(PATIENCE_SECONDS))["ready"]
    assert desk.json("health", "live")["live"]
    stopped = part(supervisor, "parse,dedupe")
    assert stopped is not None
    for process in (stopped, *stopped.children(recursive=True)):
        process.suspend()
    text = "The lock keeper retires\n\n" + "After forty years the keeper of the old lock hands over the key. " * 10
    (desk.directory / "inbox" / "lock.txt").write_text(text)
    wait_until(lambda: (found := part(supervisor, "parse,dedupe")) is not None and found != stopped, "another one")
    wait_until(lambda: desk.lines("records"), "the article")
    assert "child_wedged" in (desk.directory / "run.log").read_text()


def celery(desk: Cli, *words: str) -> str:
    """The answer of Celery's own command line."""
    environment = desk.environment | {"COPYDESK_REDIS_URL": embedded_url(desk.data)}
    command = [sys.executable, "-m", "celery", "-A", "worker.tasks", *words]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
    )
    return done.stdout


@pytest.mark.slow
def test_a_worker_that_answers_pings_and_takes_nothing_is_replaced(running: tuple[Cli, psutil.Process]) -> None:
    desk, supervisor = running
    wait_until(lambda: set(shown(desk)) == set(PARTS), "a sign of life of each part")
    wedged, node = part(supervisor, "parse,dedupe"), f"parse@{socket.gethostname()}"
    for queue in ("parse", "parse.backfill"):
        assert "OK" in celery(desk, "control", "-d", node, "cancel_consumer", queue)
    assert "pong" in celery(desk, "inspect", "-d", node, "ping")
    (desk.directory / "inbox" / "a.txt").write_text(
        "The mill turns\n\n" + "The old mill turns again after a year. " * 12
    )
    wait_until(lambda: (found := part(supervisor, "parse,dedupe")) is not None and found != wedged, "another one")
    wait_until(lambda: desk.lines("records"), "the article")
    assert "it has taken none" in (desk.directory / "run.log").read_text()


@pytest.mark.slow
def test_no_process_outlives_a_supervisor_that_is_killed(desk: Cli) -> None:
    with (desk.directory / "run.log").open("wb") as log:
        process = desk.popen("run", stdout=log, stderr=log)
    supervisor = psutil.Process(process.pid)
    wait_until(lambda: len(supervisor.children(recursive=True)) >= len(PARTS) + 3, "all parts and pools running")
    family = supervisor.children(recursive=True)
    process.kill()
    process.wait()
    wait_until(
        lambda: not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE],
        "the end of all of them",
    )


def test_a_host_without_processes_is_not_alive(desk: Cli) -> None:
    report = desk.json("health", "live", code=1)
    assert not report["live"]
    assert "no process of copydesk" in report["reasons"][0]
