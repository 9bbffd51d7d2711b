"""Processes end when they are told to, and when whoever started them has ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.cli_support import Cli
from tests.support import PATIENCE_SECONDS, wait_until
from worker.state.process import SignalEvent
from worker.state.server import EmbeddedServer, embedded_url

TOLD_WHILE_IT_WAITS = """
import signal
from worker.state.process import SignalEvent

for _ in range(2000):
    stop = SignalEvent()
    signal.signal(signal.SIGALRM, lambda *_: stop.set())
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    while not stop.wait(0.00001):
        pass
"""
PARENT = """
import os, signal, sys, time
from worker.state.process import kill_forks_with_us

late, parent = sys.argv[1] == "late", os.getpid()

def wait_for_the_end():
    while os.getppid() == parent:
        time.sleep(0.01)

if late:
    os.register_at_fork(after_in_child=wait_for_the_end)
kill_forks_with_us()
child = os.fork()
if child == 0 and not late:
    child = os.fork()
    if child:
        print(os.getpid(), child, flush=True)
if child == 0:
    while True:
        signal.pause()
elif late:
    print(child, flush=True)
while True:
    signal.pause()
"""


def python(code: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_handler_may_set_the_event_that_it_interrupts() -> None:
    with python(TOLD_WHILE_IT_WAITS) as process:
        assert process.wait(PATIENCE_SECONDS) == 0


def test_who_waits_for_an_event_wakes() -> None:
    stop, woken = SignalEvent(), []
    waiting = threading.Thread(target=lambda: woken.append(stop.wait(PATIENCE_SECONDS)))
    waiting.start()
    assert not stop.wait(0.01)
    assert not stop.is_set()
    for _ in range(100_000):  # more than a pipe holds
        stop.set()
    waiting.join()
    assert woken == [True]
    assert stop.wait()
    assert stop.is_set()


@pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel tells children of their parent's end")
@pytest.mark.parametrize("when", ["late", "together"])
def test_no_fork_outlives_its_parent(when: str) -> None:
    with python(PARENT, when) as process:
        assert process.stdout is not None
        forks = [psutil.Process(int(word)) for word in process.stdout.readline().split()]
        assert all(fork.is_running() for fork in forks)
        process.kill()
        wait_until(lambda: not any(map(lives, forks)), "the end of its forks")


@pytest.mark.slow
@pytest.mark.parametrize("queues", ["pull", "parse,dedupe"])
def test_a_worker_that_is_told_to_stop_many_times_stops_once(tmp_path: Path, queues: str) -> None:
    desk = Cli(tmp_path)
    with EmbeddedServer(desk.data), (tmp_path / "log").open("wb") as log:
        url = {"COPYDESK_REDIS_URL": embedded_url(desk.data)}
        command = [sys.executable, "-m", "worker", "worker", "--queues", queues, "--concurrency", "1"]
        with subprocess.Popen(command, env=desk.environment | url, stdout=log, stderr=log) as process:
            wait_until(lambda: b" ready." in (tmp_path / "log").read_bytes(), "the worker")

            def ended_though_told_again() -> bool:
                for _ in range(50):
                    process.send_signal(signal.SIGTERM)
                return process.poll() is not None

            wait_until(ended_though_told_again, "its end")
            assert process.returncode == 0, (tmp_path / "log").read_text()


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
