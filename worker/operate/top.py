"""What `copydesk top` shows: one or two looks of `worker.operate.status.snapshot` -> rows. Pure.

Rates are what changed between two looks, divided by the seconds between them; with one look there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worker.operate.health import unserved

PUBLISHED = ("stored", "updated", "duplicate")
"""Verdicts that the stage dedupe gives."""
WORST_FIRST = ("failing", "late", "gone", "quiet")
"""States of sources in trouble, in the order in which they are shown."""

Look = Mapping[str, Any]


def view(look: Look, before: Look | None, most_sources: int) -> dict[str, Any]:
    """Everything to show of the newest look; `before` is the one before it. At most so many sources in each list."""
    troubled = sorted(look["sources_in_trouble"], key=_severity)
    return {
        "at": look["at"],
        "queues": _queues(look, before),
        "counters": look["counters"],
        "in_flight": look["in_flight"],
        "processes": _processes(look, before),
        "sources": {
            "known": look["sources"],
            "states": look["source_states"],
            "last_fetched": look["last_fetched"][:most_sources],
            "in_trouble": troubled[:most_sources],
            "in_trouble_not_shown": max(0, len(troubled) - most_sources),
        },
        "letters": look["letters"],
        "alerts": [*_pauses(look), *unserved([row["serves"] for row in look["processes"]])],
    }


def _queues(look: Look, before: Look | None) -> list[dict[str, Any]]:
    """What waits for each stage: how much, how much of it in the lane backfill, since when, and what left a second."""
    due, stream = look["sources_due"], look["storage_queue"]
    return [
        _queue("pull", "sources due", due["sources"], None, due["oldest_seconds"], _rate(look, before, _received)),
        _stage("parse", look, "received", _rate(look, before, lambda each: _received(each) - _depth(each, "received"))),
        _stage("dedupe", look, "parsed", _rate(look, before, _published)),
        _queue(
            "store", "records", stream["records"], None, stream["oldest_seconds"], _rate(look, before, _left_the_stream)
        ),
    ]


def _stage(name: str, look: Look, stage: str, rate: float | None) -> dict[str, Any]:
    rows = [row for row in look["stages"] if row["stage"] == stage]
    backfill = sum(row["documents"] for row in rows if row["lane"] == "backfill")
    oldest = max((row["oldest_seconds"] for row in rows), default=0.0)
    return _queue(name, "documents", _depth(look, stage), backfill, oldest, rate)


def _queue(
    name: str, unit: str, waiting: int, backfill: int | None, oldest: float, rate: float | None
) -> dict[str, Any]:
    return {
        "queue": name,
        "waiting": waiting,
        "unit": unit,
        "backfill": backfill,
        "oldest_seconds": oldest if waiting else None,
        "per_second": rate,
    }


def _received(look: Look) -> int:
    return int(look["counters"]["received"])


def _published(look: Look) -> int:
    return sum(look["counters"][verdict] for verdict in PUBLISHED)


def _left_the_stream(look: Look) -> int:
    return int(look["storage_queue"]["added"] - look["storage_queue"]["records"])


def _depth(look: Look, stage: str) -> int:
    return sum(row["documents"] for row in look["stages"] if row["stage"] == stage)


def _rate(look: Look, before: Look | None, total: Any) -> float | None:
    """How fast a total grew; None where there was no look before. Totals of a server that began anew grow from 0."""
    seconds = 0.0 if before is None else look["at"] - before["at"]
    if before is None or seconds <= 0:
        return None
    return max(0.0, float(total(look) - total(before)) / seconds)


def _processes(look: Look, before: Look | None) -> list[dict[str, Any]]:
    """Each process with what it serves, what it works on now, and how much it took up a second."""
    known = {} if before is None else {_process(row): row for row in before["processes"]}
    rows = []
    for row in look["processes"]:
        earlier = known.get(_process(row))
        # A process gives signs of life less often than we look: its own clock tells what lies between two of them.
        seconds = row["monotonic"] - earlier["monotonic"] if earlier else 0.0
        rows.append(
            {
                "process": f"{row['host']}/{row['name']}",
                "serves": list(row["serves"]),
                "busy": row["busy"],
                "taken": row["answered"],
                "per_second": (row["answered"] - earlier["answered"]) / seconds if earlier and seconds > 0 else None,
                "detail": row["detail"],
            }
        )
    return rows


def _process(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["host"], row["name"], row["pid"]


def _pauses(look: Look) -> list[str]:
    by_hand = [f"{row['scope']} is paused: {row['reason']}" for row in look["pauses"]]
    return by_hand + [f"{what} is paused: {why}" for what, why in look["paused"].items()]


def _severity(row: Mapping[str, Any]) -> tuple[int, float, str]:
    """The worst state first, in it what is overdue longest."""
    states: Sequence[str] = WORST_FIRST
    state = states.index(row["state"]) if row["state"] in states else len(states)
    due = row["due_in_seconds"]
    return state, float("inf") if due is None else due, row["id"]
