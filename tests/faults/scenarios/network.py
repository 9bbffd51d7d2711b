"""F4 and F5: a server that stops answering, and a network that breaks, swallows, delays and drips."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.proxy import Proxy
from tests.faults.report import Report
from tests.faults.servers import state_server
from tests.faults.system import System, wait_for

SOCKET_TIMEOUT_SECONDS = 3.0
RECOVERY_LIMIT_SECONDS = 60.0
"""How soon new articles must be stored after the fault has gone."""


def freeze_server(directory: Path, *, documents: int, freezes: int, server: str = "valkey") -> Report:
    """F4: the server is stopped for longer than the socket timeout, more often than workers have slots to leak."""
    with state_server(directory, server) as state:
        settings = {"state": {"socket_timeout_seconds": SOCKET_TIMEOUT_SECONDS}}
        with System(directory / "run", url=state.url, settings=settings) as system:
            pace = _Pace(system, documents, freezes)
            for _ in pace.steps():
                state.freeze()
                thaw_at = time.monotonic() + SOCKET_TIMEOUT_SECONDS + 3
                pace.expect(not _is_ready(system), "ready while the server is frozen")
                time.sleep(max(0.0, thaw_at - time.monotonic()))
                state.thaw()
                pace.wait_working()
                pace.expect(_is_ready(system, "--wait", f"{RECOVERY_LIMIT_SECONDS:g}"), "not ready after the thaw")
            return pace.report("F4", server=server)


def break_network(directory: Path, *, documents: int, resets: int, server: str = "valkey") -> Report:
    """F5: resets of every connection, then a black hole, 200 ms of latency, and chunks of one byte."""
    with state_server(directory, server) as state, Proxy(state.port) as proxy:
        settings = {"state": {"socket_timeout_seconds": SOCKET_TIMEOUT_SECONDS}}
        with System(directory / "run", url=proxy.url, settings=settings) as system:
            pace = _Pace(system, documents, resets + 3)
            faults: list[Callable[[], None]] = [lambda: _reset(proxy)] * resets
            faults += [lambda: _swallow(proxy), lambda: _slow(proxy), lambda: _drip(proxy)]
            for step in pace.steps():
                faults[step]()
                pace.wait_working()
            return pace.report("F5", server=server)


class _Pace:
    """Feeds a share of the documents before each fault and watches how soon the system works again after it."""

    def __init__(self, system: System, documents: int, faults: int) -> None:
        self._system = system
        self._documents = documents
        self._faults = faults
        self._slowest = 0.0
        self._failures: list[str] = []
        self._started = time.monotonic()

    def steps(self) -> Iterator[int]:
        """Before each step articles are on their way."""
        for step in range(self._faults):
            before = self._system.stored()
            self._system.feed(self._documents * (step + 1) // self._faults - self._system.fed)
            self._wait_for_more_than(before)
            yield step

    def expect(self, held: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
        """Something the scenario expects of its own, and what to report where it does not hold."""
        self._failures += [] if held else [otherwise]

    def wait_working(self) -> None:
        """A few more articles, and how long until one of them is stored (or all there is)."""
        self._slowest = max(self._slowest, self._wait_for_more_than(self._system.stored()))

    def _wait_for_more_than(self, rows: int) -> float:
        return wait_for(lambda: self._system.stored() > rows or rows >= self._system.fed, RECOVERY_LIMIT_SECONDS)

    def report(self, fault: str, **notes: object) -> Report:
        """The report, failed where one recovery took too long."""
        if self._slowest >= RECOVERY_LIMIT_SECONDS:
            self._failures.append(f"not working again within {RECOVERY_LIMIT_SECONDS:g} s")
        return self._system.report(
            fault,
            faults=self._faults,
            under_fire=time.monotonic() - self._started,
            notes={**notes, "slowest_seconds_to_work_again": round(self._slowest, 1)},
            failures=tuple(self._failures),
        )


def _is_ready(system: System, *words: str) -> bool:
    """What `copydesk health ready` says; a command that fails for another reason says no yes either."""
    return system.command("health", "ready", *words).stdout.startswith("ready: yes")


def _reset(proxy: Proxy) -> None:
    proxy.reset_all()


def _swallow(proxy: Proxy) -> None:
    proxy.mode = "black_hole"
    time.sleep(SOCKET_TIMEOUT_SECONDS + 2)
    proxy.mode = "pass"
    # Requests that were swallowed are never answered: whoever waits for them must give up by itself.


def _slow(proxy: Proxy) -> None:
    proxy.mode = "slow"
    time.sleep(4)
    proxy.mode = "pass"


def _drip(proxy: Proxy) -> None:
    proxy.mode = "drip"
    time.sleep(4)
    proxy.mode = "pass"
