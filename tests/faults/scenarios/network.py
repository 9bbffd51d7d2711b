"""F4 and F5: a server that stops answering, and a network that breaks, swallows, delays and drips."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.faults.flags import Flags
from tests.faults.pace import Pace
from tests.faults.proxy import Mode, Proxy
from tests.faults.report import Report
from tests.faults.servers import state_server
from tests.faults.system import PATIENT_SECONDS, WORK_SECONDS, System
from tests.rabbit import running_rabbitmq

SOCKET_TIMEOUT_SECONDS = 3.0
GOAL_SECONDS = 60.0
"""How soon new articles should be stored after the fault has gone."""
SETTINGS: dict[str, dict[str, object]] = {"state": {"socket_timeout_seconds": SOCKET_TIMEOUT_SECONDS}}


def freeze_server(directory: Path, *, documents: int, freezes: int, server: str = "valkey") -> Report:
    """F4: the server is stopped for longer than the socket timeout, more often than workers have slots to leak."""
    flags = Flags(directory / "flags")
    flags.raise_flag("parse_slow", WORK_SECONDS)
    with (
        state_server(directory, server) as state,
        System(directory / "run", url=state.url, settings=SETTINGS, environment=flags.environment) as system,
    ):
        pace = Pace(system, documents, freezes, GOAL_SECONDS)
        for _ in pace.steps():
            state.freeze()
            thaw_at = time.monotonic() + SOCKET_TIMEOUT_SECONDS + 3
            pace.expect(not _is_ready(system), "ready while the server is frozen")
            time.sleep(max(0.0, thaw_at - time.monotonic()))
            state.thaw()
            pace.wait_working()
            pace.expect(_is_ready(system, "--wait", f"{PATIENT_SECONDS:g}"), "not ready after the thaw")
        # What is still to be done after the last fault need not take long.
        flags.lower_flag("parse_slow")
        return pace.report("F4", server=server)


def break_network(directory: Path, *, documents: int, resets: int, server: str = "valkey", broker: str = "") -> Report:
    """F5: resets of every connection, then a black hole, 200 ms of latency, and chunks of one byte.

    The proxy stands before the state server, or before the broker where that is another one.
    """
    flags = Flags(directory / "flags")
    flags.raise_flag("parse_slow", WORK_SECONDS)
    with ExitStack() as stack:
        state = stack.enter_context(state_server(directory, server))
        url, settings = state.url, {name: dict(values) for name, values in SETTINGS.items()}
        if broker:
            (directory / "broker").mkdir()
            there = stack.enter_context(running_rabbitmq(directory / "broker"))
            proxy = stack.enter_context(Proxy(int(there.rpartition(":")[2].strip("/"))))
            settings["state"]["broker_url"] = f"amqp://guest:guest@127.0.0.1:{proxy.port}//"
        else:
            proxy = stack.enter_context(Proxy(state.port))
            url = proxy.url
        system = System(directory / "run", url=url, settings=settings, environment=flags.environment)
        stack.enter_context(system)
        pace = Pace(system, documents, resets + 3, GOAL_SECONDS)
        faults: list[Callable[[], None]] = [lambda: _reset(proxy)] * resets
        # Requests that were swallowed are never answered: whoever waits for them must give up by itself.
        faults += [lambda: _misbehave(proxy, "black_hole", SOCKET_TIMEOUT_SECONDS + 2)]
        faults += [lambda: _misbehave(proxy, "slow", 4.0), lambda: _misbehave(proxy, "drip", 4.0)]
        for step in pace.steps():
            faults[step]()
            pace.wait_working()
        # What is still to be done after the last fault need not take long.
        flags.lower_flag("parse_slow")
        return pace.report("F5", server=server, broker=broker, connections=proxy.connections)


def _is_ready(system: System, *words: str) -> bool:
    """What `copydesk health ready` says; a command that fails for another reason says no yes either."""
    return system.command("health", "ready", *words).stdout.startswith("ready: yes")


def _reset(proxy: Proxy) -> None:
    proxy.reset_all()


def _misbehave(proxy: Proxy, mode: Mode, seconds: float) -> None:
    proxy.mode = mode
    time.sleep(seconds)
    proxy.mode = "pass"
