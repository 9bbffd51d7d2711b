"""Not a fault but a flood: a directory of many files must not delay a feed.

The same lane for both, which is the worst case: nobody has declared the files a backfill.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
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
    with ExitStack() as stack:
        feed = stack.enter_context(Feed())
        # A feed without entries would be refused.
        guids = [feed.publish()]
        system = stack.enter_context(system_on(server, directory, sources=feed.source, settings=DEFAULTS, claim=False))
        started = time.monotonic()
        for number in range(documents):
            write_file(inbox / f"{number % 100:02}-{number:07}.jsonl", [article(number)])
        system.fed = documents
        wait_for(lambda: system.status().get("in_flight", 0) > FLOODED)
        seconds: list[float] = []
        beside = 0
        while len(seconds) < entries:
            guids.append(feed.publish())
            _wait_stored(system, guids[-1])
            seconds.append(round(time.monotonic() - feed.served.get(guids[-1], started), 1))
            beside += system.stored() < documents
        return system.report(
            "FAIR",
            faults=0,
            under_fire=time.monotonic() - started,
            wanted=expected_ids(documents) | {record_id(guid, FEED_ID) for guid in guids},
            notes={
                "server": server,
                "seconds_each": seconds,
                "median": round(median(seconds), 1),
                "beside_the_flood": beside,
            },
            goals={"slowest_seconds_from_served_to_stored": (max(seconds), GOAL_SECONDS)},
            failures=() if beside else ("the files were done before any entry was stored",),
        )


def _wait_stored(system: System, guid: str) -> None:
    wanted = record_id(guid, FEED_ID)
    wait_for(lambda: system.holds(wanted))
