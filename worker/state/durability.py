"""Nothing leaves the house before it is on disk.

The append-only file is a prefix of history: when its tail is lost, the ledger goes back to an earlier state
that is whole. So it is enough to wait for the fsync at the two doors: before a source is acknowledged (a
file moved to `done/`), and before the sink commits what it read from the queue.
"""

from __future__ import annotations

from typing import Literal

from redis import Redis

from worker.errors import StateError

WAIT_MILLISECONDS = 10_000
"""Longest wait for one fsync; `everysec` needs about one second."""


def wait_until_durable(redis: Redis, events_key: str, mode: Literal["fsync", "none"]) -> None:
    """Return when all that this client wrote or read is in the server's file on disk.

    Raises StateError when the disk does not keep up within ten seconds; `none` returns at once.
    """
    if mode == "none":
        return
    # WAITAOF counts from this connection's last write: an empty write puts everything before it.
    with redis.pipeline(transaction=False) as pipe:
        pipe.hincrby(events_key, "durable_waits", 1)
        pipe.waitaof(1, 0, WAIT_MILLISECONDS)
        local = pipe.execute()[1][0]
    if local < 1:
        raise StateError(f"the server did not write to disk within {WAIT_MILLISECONDS / 1000:.0f} s")
