"""Not a fault but a flood: a directory of many files must not delay a feed.

The same lane for both, which is the worst case: nobody has declared the files a backfill.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from tests.faults.articles import article, expected_ids, record_id, write_file
from tests.faults.feed import FEED_ID, Feed
from tests.faults.report import Report
from tests.faults.system import System, system_on, wait_for

GOAL_SECONDS = 10.0
"""How soon an entry should be stored after the feed was served with it."""
DEFAULTS: dict[str, dict[str, object]] = {"batches": {"documents": 100}}
FLOODED = 1_000
"""Documents in flight from which on the directory is a flood: twice `pressure.fair_documents`."""


def share_fairly(directory: Path, *, documents: int, entries: int, server: str = "valkey") -> Report:
    """FAIR: entries of a feed, one after another, while so many files of one article each are worked on."""
    inbox = directory / "run" / "inbox"
    with Feed() as feed, system_on(server, directory, sources=feed.source, settings=DEFAULTS, claim=False) as system:
        started = time.monotonic()
        for number in range(documents):
            write_file(inbox / f"{number % 100:02}-{number:07}.jsonl", [article(number)])
        system.fed = documents
        wait_for(lambda: system.status().get("in_flight", 0) > FLOODED)
        seconds: list[float] = []
        beside = 0
        while len(seconds) < entries:
            guid = feed.publish()
            _wait_stored(system, guid)
            seconds.append(round(time.monotonic() - feed.served.get(guid, started), 1))
            beside += system.stored() < documents
        return system.report(
            "FAIR",
            faults=0,
            under_fire=time.monotonic() - started,
            wanted=expected_ids(documents) | {record_id(f"feed-{number + 1}", FEED_ID) for number in range(entries)},
            notes={"server": server, "seconds_each": seconds, "median": median(seconds), "beside_the_flood": beside},
            goals={"slowest_seconds_from_served_to_stored": (max(seconds), GOAL_SECONDS)},
            failures=() if beside else ("the files were done before any entry was stored",),
        )


def _wait_stored(system: System, guid: str) -> None:
    wanted = record_id(guid, FEED_ID)
    wait_for(lambda: system.holds(wanted))
