"""What `run` and `ingest` show while they work: a live table on a terminal, log lines elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from types import TracebackType
from typing import Any

import structlog
from redis.exceptions import RedisError
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from worker.cli.common import ago
from worker.config import Settings
from worker.desk import Desk
from worker.operate.status import snapshot

LOG_SECONDS = 5.0
"""Between two progress lines where there is no terminal."""
VERDICTS = ("stored", "updated", "duplicate", "rejected", "dead")

log = structlog.get_logger()


class Display:
    """Shows a system at work. On a terminal a live table, else a log line when something changed."""

    def __init__(self, desk: Desk, *, quiet: bool = False) -> None:
        self._desk = desk
        self._quiet = quiet
        self._live: Live | None = None
        self._logged_at = 0.0
        self._last: dict[str, int] = {}

    def __enter__(self) -> Display:
        if not self._quiet and sys.stderr.isatty():
            self._live = Live(console=Console(stderr=True), refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self) -> None:
        """Look again; a server that is just starting again is no reason to end."""
        if self._quiet:
            return
        try:
            look = snapshot(self._desk)
        except (RedisError, OSError) as error:
            log.warning("state_server_away", error=str(error))
            return
        if self._live is not None:
            self._live.update(_picture(look))
        else:
            self._log(look)

    def _log(self, look: dict[str, Any]) -> None:
        counters = {name: look["counters"][name] for name in ("received", "members", *VERDICTS)}
        if counters == self._last or time.monotonic() - self._logged_at < LOG_SECONDS:
            return
        self._last, self._logged_at = counters, time.monotonic()
        log.info("progress", **counters, in_flight=look["in_flight"], storage_queue=look["storage_queue"]["records"])


def _picture(look: dict[str, Any]) -> Group:
    counters = look["counters"]
    table = Table(title="copydesk", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("stage", "documents", "oldest"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    names = {"received": "waiting to be parsed", "parsed": "waiting for a verdict"}
    for stage in look["stages"]:
        if stage["documents"] or stage["lane"] == "news":
            label = names[stage["stage"]] + ("" if stage["lane"] == "news" else f" ({stage['lane']})")
            table.add_row(label, f"{stage['documents']:,}", ago(stage["oldest_seconds"]))
    queue = look["storage_queue"]
    table.add_row("storage queue", f"{queue['records']:,}", ago(queue["oldest_seconds"]))
    verdicts = Text("  ".join(f"{name} {counters[name]:,}" for name in ("received", "members", *VERDICTS)))
    lines: list[Any] = [table, verdicts]
    lines += [Text(f"paused: {why}", style="yellow") for why in look["paused"].values()]
    lines += [Text(f"{row['id']}: {row['problem']}", style="yellow") for row in look["sources_in_trouble"][:5]]
    lines.append(Text(f"look at the records: {command_name()} records", style="dim"))
    lines.append(Text("Ctrl-C stops; the next start continues", style="dim"))
    return Group(*lines)


def command_name() -> str:
    """How this command was called, so that it can be typed again."""
    called = sys.argv[0]
    if not called.endswith("copydesk"):
        return "copydesk"
    relative = os.path.relpath(called)
    return "copydesk" if shutil.which("copydesk") == called else min(called, relative, key=len)


def print_summary(look: dict[str, Any], settings: Settings) -> None:
    """What came of it, and where to look."""
    console = Console()
    table = Table(title="since the beginning", title_justify="left", box=box.SIMPLE_HEAD)
    counters = look["counters"]
    rows = {
        "received": "documents taken in",
        "members": "further documents found inside them (feed entries, lines)",
        "stored": "new records",
        "updated": "new versions of known records",
        "duplicate": "copies recognised",
        "rejected": "refused with a code: copydesk dead list --verdict rejected",
        "dead": "failed: copydesk dead list",
    }
    table.add_column("")
    table.add_column("documents", justify="right")
    table.add_column("")
    for name, meaning in rows.items():
        table.add_row(name, f"{counters[name]:,}", meaning)
    table.add_row("in flight", f"{look['in_flight']:,}", "continue at the next start")
    console.print(table)
    for row in look["sources_in_trouble"]:
        console.print(f"source {row['id']}: {row['problem']}", style="yellow", markup=False)
    console.print(f"records are in {settings.sink_url}", markup=False, soft_wrap=True)
    name = command_name()
    console.print(f"look at them: {name} records      check the books: {name} reconcile", markup=False)
