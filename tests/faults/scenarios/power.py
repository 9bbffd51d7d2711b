"""F6: a power loss. What the server had not yet brought to disk is gone, and nothing else.

A marker is written and the server asked (WAITAOF) whether it is on disk. As soon as one is not, the server is killed
and its file cut off in front of that marker: a disk has a prefix of the file, so all behind the marker was not on it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.faults.report import Report
from tests.faults.scenarios.network import state_server
from tests.faults.servers import StateServer
from tests.faults.system import System


def lose_power(directory: Path, *, documents: int, losses: int, server: str = "valkey") -> Report:
    """F6: the tail of the append-only file is lost, again and again, while articles flow."""
    with state_server(directory, server) as state, System(directory / "run", url=state.url) as system:
        started = time.monotonic()
        lost_bytes = []
        for step in range(losses):
            system.feed(documents * (step + 1) // losses - system.fed)
            time.sleep(system.random.uniform(0.5, 2.5))
            marker = _marker_not_on_disk(state, f"power-loss-{step}")
            state.kill()
            lost_bytes.append(_cut_before(state.directory, marker))
            state.start()
        return system.report(
            "F6",
            faults=losses,
            under_fire=time.monotonic() - started,
            notes={"server": server, "bytes_lost": lost_bytes},
            failures=() if sum(lost_bytes) else ("nothing was ever cut off",),
        )


def _marker_not_on_disk(state: StateServer, name: str) -> bytes:
    with state.client() as redis:
        for number in range(10_000):
            marker = f"{name}-{number}-marker"
            redis.set(marker, "1", ex=600)
            local: Any = redis.execute_command("WAITAOF", 1, 0, 1)
            if not local[0]:
                return marker.encode()
    raise RuntimeError("every marker was on disk at once: is appendfsync set to always?")


def _cut_before(directory: Path, marker: bytes) -> int:
    """Cut the newest append-only file in front of the command that wrote the marker; how many bytes were lost."""
    files = sorted(directory.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    content = files[-1].read_bytes()
    at = content.rfind(b"*", 0, content.rindex(marker))
    files[-1].write_bytes(content[:at])
    return len(content) - at
