"""Nothing leaves the house before it is on disk.

The append-only file is a prefix of history: when its tail is lost, the ledger goes back to an earlier state
that is whole. So it is enough to wait for the fsync at the two doors: before a source is acknowledged (a
file moved to `done/`), and before the sink commits what it read from the queue.

A server that was killed and started again would confirm what it has forgotten. So who waits names the run of the
server it wrote to or read from, and waits in vain where that run has ended.
"""

from __future__ import annotations

from typing import Any, Literal

from redis import Redis

from worker.errors import StateError

WAIT_MILLISECONDS = 10_000
"""Longest wait for one fsync; `everysec` needs about one second."""


Durability = Literal["fsync", "none"]


def run_id(redis: Redis, mode: Durability = "fsync") -> str:
    """The name of the server's present run, to be asked for before the first write or read; empty for `none`."""
    if mode == "none":
        return ""
    info: dict[str, Any] = redis.info("server")
    return str(info["run_id"])


def wait_until_durable(redis: Redis, events_key: str, mode: Durability, since: str = "") -> None:
    """Return when all that this client wrote or read since the run `since` is in the server's file on disk.

    Raises StateError when the disk does not keep up within ten seconds, or when that run has ended: then the last
    of it may be gone. Without `since` a restart goes unnoticed; `none` returns at once.
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
    if since and run_id(redis) != since:
        raise StateError("the state server was started again meanwhile, and may have lost what it had not yet on disk")
