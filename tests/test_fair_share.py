"""A drop of many files does not delay a feed."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from tests.cli_support import FAST, Cli
from tests.faults.flags import Flags
from tests.support import wait_until
from worker.supervisor import PARTS

FILES = 3_000
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Ferries</title>
<item><title>The ferry runs again</title><link>https://ferry.example/again</link><guid>again</guid>
<description>{}</description></item></channel></rss>"""


class SlowDesk(Cli):
    """Every document takes so long to parse that the drop is not done before the feed is there."""

    @property
    def environment(self) -> dict[str, str]:
        flags = Flags(self.directory / "flags")
        flags.raise_flag("parse_slow", 0.05)
        return super().environment | flags.environment


@pytest.mark.slow
def test_a_feeds_entry_is_stored_while_a_drop_of_files_is_worked_on(tmp_path: Path) -> None:
    """The same lane for both: the worst case. That it is early is seen by what of the drop is stored after it."""
    drop = tmp_path / "drop"
    drop.mkdir()
    for number in range(FILES // 20):
        words = " ".join(f"w{number}x{place}" for place in range(120))
        rows = [
            {"guid": f"g{number}-{k}", "headline": f"Story {number} {k}", "body_text": f"{k} {words} end{k}"}
            for k in range(20)
        ]
        (drop / f"{number:04}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    feed = tmp_path / "feed.rss"
    sources = '[[source]]\nid = "drop"\nkind = "directory"\npath = "../drop"\n'
    desk = SlowDesk(tmp_path, sources, FAST + "[workers]\nparse_processes = 1\n[batches]\ndocuments = 20\n")
    with desk.running("run") as process:
        wait_until(lambda: len(psutil.Process(process.pid).children()) == len(PARTS) + 1, "all parts running")
        wait_until(lambda: desk.json("status")["in_flight"] > FILES // 3, "much in flight")
        feed.write_text(FEED.format("The ferry crosses the river again, every half hour from six. " * 12))
        desk.run("sources", "add", str(feed), "--id", "feed")
        # Told by the order in the store: whoever asks a busy system gets the answer late.
        wait_until(lambda: "drop" in after_the_feed(desk), "the entry, and files that are stored after it")


def after_the_feed(desk: Cli) -> list[str]:
    """Sources of the records that were stored after the feed's; none before that is there."""
    sources = [str(row[0]) for row in desk.stored("source_id")]
    return sources[sources.index("feed") :] if "feed" in sources else []
