"""F16: two hosts, each in a network namespace of its own, joined by a cable; the second is cut off and comes back.

    host A: state server, pull, parse, beat, store          10.83.0.1 ──veth── 10.83.0.2          host B: parse

Host B is made to hold a batch when its cable is pulled. The lease lapses, host A does the batch; what B still wants to
write when the cable is back, it may no more. Each step waits for what the next one needs, however long it takes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.lone import LoneWorker
from tests.faults.report import Report
from tests.faults.servers import StateServer
from tests.faults.system import PATIENT_SECONDS, System, wait_for

ADDRESSES = ("10.83.0.1", "10.83.0.2")
"""Private addresses on a cable that nobody else is on."""
SOCKET_TIMEOUT_SECONDS = 3
GOAL_SECONDS = 60.0
FEW = 100
"""Articles that are fed at a time until host B has taken one of their batches."""


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


def two_hosts(directory: Path, *, documents: int, cuts: int, server: str = "valkey") -> Report:
    """F16: so many cuts while the worker on host B holds a batch."""
    with contextlib.ExitStack() as stack:
        hosts = stack.enter_context(Hosts())
        options = {"bind": "0.0.0.0", "protected-mode": "no"}  # only the two hosts are on this network
        state = StateServer(directory / "server", server, options, prefix=hosts.on(0), host=ADDRESSES[0])
        state.spawn()
        stack.callback(state.stop)
        wait_for(lambda: _answers(hosts, state.port))
        settings: dict[str, dict[str, object]] = {
            "state": {"socket_timeout_seconds": SOCKET_TIMEOUT_SECONDS},
            "workers": {"parse_processes": 1},
        }
        system = System(directory / "run", url=state.url, settings=settings, prefix=hosts.on(0))
        stack.enter_context(system)
        other = _Other(system, hosts, directory)
        stack.enter_context(other.running())
        started = time.monotonic()
        slowest = 0.0
        for step in range(cuts):
            other.take_a_batch()
            hosts.cut()
            system.feed(max(0, documents * (step + 1) // cuts - system.fed))
            # Host A does it all, also what B still holds.
            slowest = max(slowest, wait_for(lambda: system.settled(system.fed)))
            hosts.heal()
            other.let_go()
        failures = other.failures + (["not settled while the cable was out"] if slowest >= PATIENT_SECONDS else [])
        return system.report(
            "F16",
            faults=cuts,
            under_fire=time.monotonic() - started,
            notes={"server": server, "leases_lost_by_the_other_host": other.leases_lost()},
            goals={"seconds_to_settle_without_the_other_host": (round(slowest, 1), GOAL_SECONDS)},
            failures=tuple(failures),
        )


class _Other(LoneWorker):
    """The worker on the second host."""

    def __init__(self, system: System, hosts: Hosts, directory: Path) -> None:
        super().__init__(system, directory, prefix=hosts.on(1))
        self.failures: list[str] = []

    def take_a_batch(self) -> None:
        """Feed until this worker is in the middle of a batch, where it stays."""
        self.flags.raise_flag("parse_hold")
        if not self.feed_until("held", FEW):
            self.failures.append("the worker on the other host has taken no batch")

    def let_go(self) -> None:
        """It finishes what it holds, and finds that it may not."""
        before = self.leases_lost()
        self.flags.lower_flag("held")
        self.flags.lower_flag("parse_hold")
        if wait_for(lambda: self.leases_lost() > before) >= PATIENT_SECONDS:
            self.failures.append("the worker on the other host did not notice that its lease was lost")
        if not self.alive:
            self.failures.append("the worker on the other host has ended")

    def leases_lost(self) -> int:
        """How often it came too late with a batch."""
        return self.log.read_text().count('"event": "lease_lost"')


def _answers(hosts: Hosts, port: int) -> bool:
    """Asked on the first host: nobody else reaches the server."""
    words = f"import redis; redis.Redis(host={ADDRESSES[0]!r}, port={port}, socket_timeout=2).ping()"
    return subprocess.run(hosts.on(0, sys.executable, "-c", words), capture_output=True, check=False).returncode == 0


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
