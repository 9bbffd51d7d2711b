"""F1 and F3: SIGKILL of workers, writer, beat and of the state server while articles flow."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.report import Report
from tests.faults.servers import StateServer
from tests.faults.system import System, system_on


def kill_workers(
    directory: Path,
    *,
    documents: int,
    kills: int,
    server_kills: int = 0,
    seconds_between: float = 1.0,
    server: str = "valkey",
) -> Report:
    """F1: process groups of pull, parse, beat and store are killed at random, and the server too if asked."""
    with system_on(server, directory) as system:
        plan = ["worker"] * kills + ["server"] * server_kills
        system.random.shuffle(plan)
        started = time.monotonic()
        for step, kind in enumerate(plan):
            system.feed(documents * (step + 1) // len(plan) - system.fed)
            time.sleep(system.random.uniform(0.3, 1.7) * seconds_between)
            if kind == "server":
                system.kill_server()
            else:
                system.kill_one()
        under_fire = time.monotonic() - started
        return system.report("F1", faults=len(plan), under_fire=under_fire, notes={"server": server})


def kill_server(
    directory: Path, *, documents: int, kills: int, server: str = "valkey", fsync: str = "always"
) -> Report:
    """F3: kill -9 of a state server of its own, again and again; each time the system must work again by itself.

    With `fsync` everysec nothing waits for the disk: what a killed process had written, the page cache still has.
    """
    state = StateServer(directory / "server", server, {"appendfsync": fsync})
    state.start()
    try:
        durability = {"state": {"durability": "always" if fsync == "always" else "none"}}
        with System(directory / "run", url=state.url, settings=durability) as system:
            started = time.monotonic()
            slowest = 0.0
            for step in range(kills):
                system.feed(documents * (step + 1) // kills - system.fed)
                time.sleep(system.random.uniform(0.5, 2.5))
                before = system.stored()
                state.kill()
                state.start()
                back = time.monotonic()
                while system.stored() <= before and system.stored() < system.fed and time.monotonic() - back < 60:
                    time.sleep(0.1)
                slowest = max(slowest, time.monotonic() - back)
            under_fire = time.monotonic() - started
            return system.report(
                "F3",
                faults=kills,
                under_fire=under_fire,
                notes={"fsync": fsync, "server": server, "slowest_seconds_to_work_again": round(slowest, 1)},
            )
    finally:
        state.stop()
