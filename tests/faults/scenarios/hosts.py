"""F16: two hosts, each in a network namespace of its own, joined by a cable; the second is cut off and comes back.

    host A: state server, pull, parse, beat, store          10.83.0.1 ──veth── 10.83.0.2          host B: parse

What host B had claimed when its cable was pulled lapses and is done by host A; what B then still wants to write, it may
no more: its lease is lost.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.faults.report import Report
from tests.faults.servers import StateServer
from tests.faults.system import System, wait_for

ADDRESSES = ("10.83.0.1", "10.83.0.2")
"""Private addresses on a cable that nobody else is on."""
SOCKET_TIMEOUT_SECONDS = 3
WORKING_WITHIN_SECONDS = 60.0


class Hosts:
    """Two network namespaces joined by a veth pair; a context manager that takes them away again."""

    def __init__(self) -> None:
        self.names = tuple(f"copydesk-{os.getpid()}-{letter}" for letter in "ab")
        self._links = tuple(f"cd{os.getpid() % 10**7}{letter}" for letter in "ab")

    def __enter__(self) -> Hosts:
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", self._links[0], "type", "veth", "peer", "name", self._links[1])
        for name, link, address in zip(self.names, self._links, ADDRESSES, strict=True):
            _ip("link", "set", link, "netns", name)
            _ip("-n", name, "address", "add", f"{address}/30", "dev", link)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", link, "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def on(self, host: int, *words: str) -> list[str]:
        """A command line that runs on a host (0 or 1)."""
        return ["ip", "netns", "exec", self.names[host], *words]

    def cut(self) -> None:
        """Pull the cable out of the second host: packets vanish, nobody is told."""
        _ip("-n", self.names[1], "link", "set", self._links[1], "down")

    def heal(self) -> None:
        """Plug it in again."""
        _ip("-n", self.names[1], "link", "set", self._links[1], "up")


def two_hosts(directory: Path, *, documents: int, cuts: int, seconds_cut: float, server: str = "valkey") -> Report:
    """F16: so many cuts of so many seconds while workers on both hosts parse."""
    with contextlib.ExitStack() as stack:
        hosts = stack.enter_context(Hosts())
        options = {"bind": "0.0.0.0", "protected-mode": "no"}  # only the two hosts are on this network
        state = StateServer(directory / "server", server, options, prefix=hosts.on(0), host=ADDRESSES[0])
        state.spawn()
        stack.callback(state.stop)
        wait_for(lambda: _answers(hosts, state.port), WORKING_WITHIN_SECONDS)
        settings: dict[str, dict[str, object]] = {
            "state": {"socket_timeout_seconds": SOCKET_TIMEOUT_SECONDS},
            # Host A does little, so that host B holds batches when the cable is pulled.
            "workers": {"parse_processes": 1},
        }
        system = System(directory / "run", url=state.url, settings=settings, prefix=hosts.on(0))
        stack.enter_context(system)
        other = stack.enter_context(_worker(system, hosts, directory / "other.log"))
        started = time.monotonic()
        wait_for(lambda: other.poll() is not None or _is_ready(directory / "other.log"), WORKING_WITHIN_SECONDS)
        slowest = 0.0
        for step in range(cuts):
            system.feed(documents * (step + 1) // cuts - system.fed)
            _wait_for_more(system)
            hosts.cut()
            time.sleep(seconds_cut)
            hosts.heal()
            slowest = max(slowest, wait_for(lambda: system.settled(system.fed), WORKING_WITHIN_SECONDS))
        answered = (directory / "other.log").read_text().count('"event": "published"')
        failures = [] if other.poll() is None else ["the worker on the other host has ended"]
        failures += [] if answered else ["the worker on the other host has done nothing"]
        failures += ["not settled in time"] if slowest >= WORKING_WITHIN_SECONDS else []
        return system.report(
            "F16",
            faults=cuts,
            under_fire=time.monotonic() - started,
            notes={
                "server": server,
                "batches_of_the_other_host": answered,
                "slowest_seconds_to_settle": round(slowest, 1),
            },
            failures=tuple(failures),
        )


@contextlib.contextmanager
def _worker(system: System, hosts: Hosts, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on the second host, ended with all its children."""
    words = ["-m", "worker", "worker", "--queues", "parse,dedupe", "--concurrency", "2", *system.options]
    with log.open("ab") as output:
        process = subprocess.Popen(
            hosts.on(1, sys.executable, *words), stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        psutil.wait_procs(children, timeout=5)


def _wait_for_more(system: System) -> None:
    before = system.stored()
    wait_for(lambda: system.stored() > before, WORKING_WITHIN_SECONDS)


def _answers(hosts: Hosts, port: int) -> bool:
    """Asked on the first host: nobody else reaches the server."""
    words = f"import redis; redis.Redis(host={ADDRESSES[0]!r}, port={port}, socket_timeout=2).ping()"
    return subprocess.run(hosts.on(0, sys.executable, "-c", words), capture_output=True, check=False).returncode == 0


def _is_ready(log: Path) -> bool:
    return " ready." in log.read_text()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
