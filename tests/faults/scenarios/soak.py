"""F15: full rate for long. What each process holds must not grow between the middle and the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from redis import Redis

from tests.faults.report import Report
from tests.faults.system import System, system_on, wait_for
from worker.state.connection import connect

Sample = dict[str, float]

ON_THEIR_WAY = 1_000
"""So many articles lie in the inbox or are on their way at any time: the system is never idle."""
WARM_UP = 1_000
LIMITS = {"rss_mb": (1.15, 20.0), "fds": (1.05, 15.0), "keys": (1.10, 80.0)}
"""The end may be this many times the middle, and so much above that. A Python process breathes by some megabytes
between two collections; keys of batches in flight come and go. Pool children are replaced after so many tasks, and
later ones have some six descriptors more than the first: a worker with two went from 78 to 90 in the first 45 s, and
had 91 all through 40 minutes.
Keys that expire are left out: those of the last 15 minutes are as many as batches came in that time."""
SERVER_BYTES_PER_ARTICLE = 4_000.0
"""The server remembers articles for `memory.remember_days`: it alone grows, by this much for each at most."""


def soak(directory: Path, *, seconds: float, server: str = "valkey") -> Report:
    """F15: so many seconds of load; sampled once a second or a thousand times in all, whichever is rarer."""
    with system_on(server, directory) as system:
        redis = connect(system.url, 10)
        samples: list[tuple[float, int, Sample]] = []
        # Imports and models come first: what they take is no leak.
        system.feed(WARM_UP)
        wait_for(lambda: system.stored() >= system.fed)
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            system.feed(max(0, ON_THEIR_WAY - (system.fed - system.stored())))
            samples.append((elapsed, system.fed, _sample(system, redis)))
            time.sleep(max(1.0, seconds / 1000))
        under_fire = time.monotonic() - started
        figures, failures = _compare(samples, seconds)
        return system.report(
            "F15",
            faults=0,
            under_fire=under_fire,
            notes={"server": server, "articles_a_second": round(system.fed / under_fire, 1), "figures": figures},
            failures=tuple(failures),
        )


def _sample(system: System, redis: Redis) -> Sample:
    """`rss_mb:<role>` and `fds:<role>` of each process with its children, and `keys` that do not expire."""
    keyspace: dict[str, Any] = redis.info("keyspace")
    found: Sample = {"keys": float(sum(db["keys"] - db["expires"] for db in keyspace.values()))}
    for role, process in system.children().items():
        family = [process, *process.children(recursive=True)]
        found[f"rss_mb:{role}"] = sum(_of(member, "rss") for member in family) / 1e6
        found[f"fds:{role}"] = sum(_of(member, "fds") for member in family)
    return found


def _of(process: psutil.Process, what: str) -> float:
    try:
        return float(process.memory_info().rss if what == "rss" else process.num_fds())
    except psutil.NoSuchProcess:
        return 0.0


def _compare(samples: Sequence[tuple[float, int, Sample]], seconds: float) -> tuple[dict[str, list[float]], list[str]]:
    """Medians of the middle (40 to 60 % of the time) and of the end (the last 20 %), and what has grown too much."""
    middle = [row for row in samples if 0.4 <= row[0] / seconds <= 0.6]
    end = [row for row in samples if row[0] / seconds >= 0.8]
    figures: dict[str, list[float]] = {}
    failures = []
    for name in sorted(end[-1][2]):
        before = median(row[2].get(name, 0.0) for row in middle)
        after = median(row[2].get(name, 0.0) for row in end)
        factor, more = LIMITS[name.partition(":")[0]]
        if name == "rss_mb:server":
            more += (end[-1][1] - middle[0][1]) * SERVER_BYTES_PER_ARTICLE / 1e6
        figures[name] = [round(before, 1), round(after, 1)]
        if after > before * factor + more:
            failures.append(f"{name} grew from {before:.1f} to {after:.1f}")
    return figures, failures
