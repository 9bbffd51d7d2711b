"""F6: a power loss takes the end of the server's file. The server answers before its disk here, and nobody waits.

The file is a prefix of history, so the ledger, and what the sources remember, go back together: a directory read in
place is read again from there. What was stored meanwhile is stored again under the same ids.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.faults.report import Report
from tests.faults.servers import StateServer, state_server
from tests.faults.system import System

MOST_BYTES = 400_000


def lose_power(directory: Path, *, documents: int, losses: int, server: str = "valkey") -> Report:
    """F6: the last bytes of the append-only file are cut off, also in the middle of a command, while articles flow."""
    settings = {"state": {"durability": "none"}}
    with (
        state_server(directory, server, {"appendfsync": "everysec"}) as state,
        System(directory / "run", url=state.url, settings=settings, claim=False) as system,
    ):
        started = time.monotonic()
        lost_bytes = []
        for step in range(losses):
            before = system.stored()
            system.feed(documents * (step + 1) // losses - system.fed)
            # There must be something to lose.
            system.wait_busy(before)
            time.sleep(system.random.uniform(0.0, 2.0))
            state.kill()
            lost_bytes.append(_cut(state.directory, system.random.randint(1, MOST_BYTES)))
            mend(state)
            state.start()
        return system.report(
            "F6",
            faults=losses,
            under_fire=time.monotonic() - started,
            notes={"server": server, "bytes_lost": lost_bytes},
        )


def mend(state: StateServer) -> None:
    """What an operator of Redis does after a power loss, before the server is started again.

    Redis 7.0 leaves the begun half of a torn transaction in the file, and applies it when it is started once more
    (Valkey takes all of it out): half of a script's writes.
    """
    if Path(state.binary).name == "redis-server":
        command = ["redis-check-aof", "--fix", "appendonlydir/appendonly.aof.manifest"]
        subprocess.run(command, cwd=state.directory, input=b"y\n", stdout=subprocess.DEVNULL, check=True)


def _cut(directory: Path, most_bytes: int) -> int:
    """Cut up to so many bytes, at most half, off the newest append-only file; how many were cut."""
    file = max(directory.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
    size = file.stat().st_size
    cut = min(most_bytes, size // 2)
    os.truncate(file, size - cut)
    return cut
