"""Nothing leaves the house before it is on disk.

The append-only file is a prefix of history: when its tail is lost, the ledger goes back to an earlier state
that is whole. So it is enough to be sure of the disk at the two doors: before a source is acknowledged (a
file moved to `done/`), and before the sink commits what it read from the queue.

- `always`: the server has `appendfsync always`, so that whatever it has answered is on disk.
- `everysec`: it has `appendfsync everysec`, and WAITAOF waits for the fsync. Only for servers whose WAITAOF does
  (see `preflight`): Redis 7.4 and Valkey up to 9.1 at least answer at once (redis/redis#13793).
- `none`: the last second may be lost.

A server that was killed and started again would confirm what it has forgotten. So who waits names the run of the
server it wrote to or read from, and waits in vain where that run has ended.
"""

from __future__ import annotations

from typing import Any, Literal

from redis import Redis

from worker.errors import StateError

WAIT_MILLISECONDS = 10_000
"""Longest wait for one fsync; `everysec` needs about one second."""


STARTED_AGAIN = "the state server was started again meanwhile, and may have lost what it had not yet on disk"

Durability = Literal["always", "everysec", "none"]


def run_id(redis: Redis, mode: Durability = "always") -> str:
    """The name of the server's present run, to be asked for before the first write or read; empty for `none`."""
    return "" if mode == "none" else server_run(redis)


def server_run(redis: Redis) -> str:
    """The name of the server's present run, which no later start of it will have."""
    info: dict[str, Any] = redis.info("server")
    return str(info["run_id"])


def wait_until_durable(redis: Redis, events_key: str, mode: Durability, since: str = "") -> None:
    """Return when all that this client wrote or read since the run `since` is in the server's file on disk.

    Raises StateError when the disk does not keep up within ten seconds, or when that run has ended: then the last
    of it may be gone. Without `since` a restart goes unnoticed; `none` returns at once.
    """
    if mode == "none":
        return
    # Under `always` the answer to this write says that all before it is on disk. WAITAOF counts from this
    # connection's last write: here it puts everything before it.
    with redis.pipeline(transaction=False) as pipe:
        pipe.hincrby(events_key, "durable_waits", 1)
        if mode == "everysec":
            pipe.waitaof(1, 0, WAIT_MILLISECONDS)
        answers = pipe.execute()
    if mode == "everysec" and answers[1][0] < 1:
        raise StateError(f"the server did not write to disk within {WAIT_MILLISECONDS / 1000:.0f} s")
    if since and run_id(redis) != since:
        raise StateError(STARTED_AGAIN)
