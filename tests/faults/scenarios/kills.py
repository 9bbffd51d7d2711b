"""F1 and F3: SIGKILL of workers, writer, beat and of the state server while articles flow."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.flags import Flags
from tests.faults.pace import Pace
from tests.faults.report import Report
from tests.faults.servers import state_server
from tests.faults.system import WORK_SECONDS, System, system_on

GOAL_SECONDS = 10.0
"""How soon new articles should be stored after a killed server was started again."""


def kill_workers(
    directory: Path,
    *,
    documents: int,
    kills: int,
    server_kills: int = 0,
    seconds_between: float = 1.0,
    server: str = "valkey",
    broker: str = "",
) -> Report:
    """F1: process groups of pull, parse, beat and store are killed at random, and the server too if asked."""
    with system_on(server, directory, broker=broker) as system:
        plan = ["worker"] * kills + ["server"] * server_kills
        system.random.shuffle(plan)
        started = time.monotonic()
        at_work = 0
        for step, kind in enumerate(plan):
            system.feed(documents * (step + 1) // len(plan) - system.fed)
            # At any moment, also of those that have just been started: kills wait for nothing.
            time.sleep(system.random.uniform(0.3, 1.7) * seconds_between)
            at_work += system.stored() < system.fed
            if kind == "server":
                system.kill_server()
            else:
                system.kill_one()
        under_fire = time.monotonic() - started
        notes = {"server": server, "broker": broker, "kills_while_at_work": at_work}
        return system.report("F1", faults=len(plan), under_fire=under_fire, notes=notes)


def kill_server(
    directory: Path, *, documents: int, kills: int, server: str = "valkey", fsync: str = "always"
) -> Report:
    """F3: kill -9 of a state server of its own, again and again; each time the system must work again by itself.

    With `fsync` everysec nothing waits for the disk: what a killed process had written, the page cache still has.
    """
    flags = Flags(directory / "flags")
    flags.raise_flag("parse_slow", WORK_SECONDS)
    durability = {"state": {"durability": "always" if fsync == "always" else "none"}}
    with (
        state_server(directory, server, {"appendfsync": fsync}) as state,
        System(directory / "run", url=state.url, settings=durability, environment=flags.environment) as system,
    ):
        pace = Pace(system, documents, kills, GOAL_SECONDS)
        for _ in pace.steps():
            state.kill()
            state.start()
            pace.wait_working()
        # What is still to be done after the last fault need not take long.
        flags.lower_flag("parse_slow")
        return pace.report("F3", fsync=fsync, server=server)
