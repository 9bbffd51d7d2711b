"""Start-up checks: refuse a server that would lose data, and say how to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from worker.errors import PreflightError, StateError

OLDEST = (7, 2)
"""First version with WAITAOF, which the promise of durability rests on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `problem` is None where it is fine, else what to do about it."""

    check: str
    value: str
    problem: str | None = None


def inspect_server(redis: Redis, durability: str = "fsync") -> list[Finding]:
    """Look at a state server; raises StateError where it cannot be reached."""
    try:
        info: dict[str, Any] = redis.info()
    except (RedisError, OSError) as error:
        raise StateError(f"cannot reach the state server: {error}") from error
    return [_version(info), _mode(info), _eviction(info), _persistence(info, durability)]


def require_safe(redis: Redis, durability: str = "fsync") -> None:
    """Raise PreflightError naming everything that makes the server unsafe for a ledger."""
    problems = [finding.problem for finding in inspect_server(redis, durability) if finding.problem]
    if problems:
        raise PreflightError("; ".join(problems))


def _version(info: dict[str, Any]) -> Finding:
    name = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get(f"{name}_version", "0"))
    old = tuple(int(part) for part in version.split(".")[:2]) < OLDEST
    problem = f"{name} {version} is too old: use Redis >= 7.2 or Valkey" if old else None
    return Finding("version", f"{name} {version}", problem)


def _mode(info: dict[str, Any]) -> Finding:
    mode = str(info.get("redis_mode", info.get("server_mode", "standalone")))
    problem = "a Cluster cannot hold the ledger: use a single primary (with replicas if you like)"
    return Finding("mode", mode, problem if mode == "cluster" else None)


def _eviction(info: dict[str, Any]) -> Finding:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    problem = f"the server evicts keys ({policy}): CONFIG SET maxmemory-policy noeviction"
    return Finding("maxmemory-policy", policy, None if policy == "noeviction" else problem)


def _persistence(info: dict[str, Any], durability: str) -> Finding:
    enabled = int(info.get("aof_enabled", 0)) == 1
    problem = None
    if not enabled and durability != "none":
        problem = (
            "the server keeps no append-only file: CONFIG SET appendonly yes "
            '(or state.durability = "none" if losing data in a restart is fine)'
        )
    return Finding("appendonly", "yes" if enabled else "no", problem)
