"""Start-up checks: refuse a server that would lose data, and say how to fix it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from worker.errors import PreflightError, StateError
from worker.state.durability import Durability
from worker.state.keys import Keys

OLDEST = (7, 0)
PROBES = 3
PREMATURE_SECONDS = 0.3
"""A server that writes to disk every second cannot confirm two writes in a row sooner than this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `problem` is None where it is fine, else what to do about it."""

    check: str
    value: str
    problem: str | None = None


def inspect_server(redis: Redis, durability: Durability = "always") -> list[Finding]:
    """Look at a state server; raises StateError where it cannot be reached."""
    try:
        info: dict[str, Any] = redis.info()
    except (RedisError, OSError) as error:
        raise StateError(f"cannot reach the state server: {error}") from error
    return [_version(info), _mode(info), _eviction(info), _persistence(info, durability), _fsync(redis, durability)]


def require_safe(redis: Redis, durability: Durability = "always") -> None:
    """Raise PreflightError naming everything that makes the server unsafe for a ledger."""
    problems = [finding.problem for finding in inspect_server(redis, durability) if finding.problem]
    if problems:
        raise PreflightError("; ".join(problems))


def _version(info: dict[str, Any]) -> Finding:
    name = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get(f"{name}_version", "0"))
    old = tuple(int(part) for part in version.split(".")[:2]) < OLDEST
    problem = f"{name} {version} is too old: use Redis >= 7.0 or Valkey" if old else None
    return Finding("version", f"{name} {version}", problem)


def _mode(info: dict[str, Any]) -> Finding:
    mode = str(info.get("redis_mode", info.get("server_mode", "standalone")))
    problem = "a Cluster cannot hold the ledger: use a single primary (with replicas if you like)"
    return Finding("mode", mode, problem if mode == "cluster" else None)


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    problem = f"the server evicts keys ({policy}): CONFIG SET maxmemory-policy noeviction"
    return Finding("maxmemory-policy", policy, None if policy == "noeviction" else problem)


def _persistence(info: dict[str, Any], durability: Durability) -> Finding:
    enabled = int(info.get("aof_enabled", 0)) == 1
    problem = None
    if not enabled and durability != "none":
        problem = (
            "the server keeps no append-only file: CONFIG SET appendonly yes "
            '(or state.durability = "none" if losing data in a restart is fine)'
        )
    return Finding("appendonly", "yes" if enabled else "no", problem)


def _fsync(redis: Redis, durability: Durability) -> Finding:
    """Whether what the server answers, or what WAITAOF confirms, is on disk."""
    try:
        policy = str(cast("dict[str, Any]", redis.config_get("appendfsync")).get("appendfsync", "unknown"))
    except NoPermissionError:
        # A role with least rights (deploy/valkey.acl) may not ask: the settings are taken at their word.
        return Finding("appendfsync", f"not permitted to ask; state.durability says {durability}")
    except ResponseError:
        policy = "unknown (the server does not say)"
    wanted = {"always": ("always",), "everysec": ("always", "everysec"), "none": (policy,)}[durability]
    if policy not in wanted:
        remedy = f"CONFIG SET appendfsync {durability}"
        return Finding(
            "appendfsync", policy, f"the server's appendfsync is {policy}: {remedy} (or see state.durability)"
        )
    if durability == "everysec" and policy == "everysec" and confirms_too_soon(redis):
        remedy = 'CONFIG SET appendfsync always and state.durability = "always"'
        return Finding("appendfsync", policy, f"its WAITAOF does not wait for the disk (redis/redis#13793): {remedy}")
    return Finding("appendfsync", policy)


def confirms_too_soon(redis: Redis) -> bool:
    """True where WAITAOF answers before the fsync, or is not known. Takes up to three seconds where it is honest."""
    try:
        for number in range(PROBES):
            started = time.monotonic()
            with redis.pipeline(transaction=False) as pipe:
                pipe.set(Keys().name("probe"), number, ex=60)
                pipe.waitaof(1, 0, 5000)
                pipe.execute()
            # The first may have come just before an fsync that was due.
            if number and time.monotonic() - started < PREMATURE_SECONDS:
                return True
    except ResponseError:
        return True
    return False
