"""F9 and F14: bells that come twice and out of order, and two beats of which the first stops.

Polls are counted where they arrive: at an HTTP server that serves a feed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

from tests.faults.articles import expected_ids, record_id
from tests.faults.flags import Flags
from tests.faults.report import Report
from tests.faults.system import system_on, wait_for

FEED_ID = "polled-feed"
SLOT_SECONDS = 3.0
FEED_TEXT = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Harbour</title><link>http://harbour.example/</link><description>News</description>
<item><title>Pilots count the gulls</title><guid isPermaLink="false">feed-1</guid><description>Twelve pilots on the
eastern pier counted gulls all morning and agreed on four hundred, give or take a tern.</description></item>
</channel></rss>"""


def double_bells(directory: Path, *, documents: int, server: str = "valkey") -> Report:
    """F9: every bell is delivered twice, in another order; the output is the same."""
    flags = Flags(directory / "flags")
    flags.raise_flag("double_bells")
    with system_on(server, directory, environment=flags.environment) as system:
        started = time.monotonic()
        system.feed(documents)
        return system.report("F9", faults=documents, under_fire=time.monotonic() - started)


class Feed:
    """A feed of one entry on a loopback server, and when it was asked for (monotonic seconds)."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                feed.answer(self)

            def log_message(self, *_: object) -> None:
                """The scenario counts; nobody reads a log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def source(self) -> str:
        """Its table in `sources.toml`."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}/feed"
        names = f'id = "{FEED_ID}"\nkind = "feed"\nurl = "{url}"\nallowed_hosts = ["127.0.0.1"]\n'
        return f"[[source]]\n{names}interval_seconds = {SLOT_SECONDS}\n"

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """The feed, or 404 for robots.txt and the like."""
        found = request.path == "/feed"
        if found:
            self.asked.append(time.monotonic())
        body = FEED_TEXT.encode() if found else b""
        request.send_response(200 if found else 404)
        request.send_header("Content-Type", "application/rss+xml")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def shortest_gap(self) -> float:
        """Seconds between the two polls that came closest."""
        return min((later - earlier for earlier, later in pairwise(self.asked)), default=float("inf"))


def two_beats(directory: Path, *, documents: int, seconds: float, server: str = "valkey") -> Report:
    """F14: a second beat ticks too; then the first is stopped, and killed. No feed is polled twice in a slot."""
    with Feed() as feed, system_on(server, directory, sources=feed.source) as system:
        started = time.monotonic()
        system.feed(documents // 2)
        with (directory / "beat.log").open("ab") as log:
            second = subprocess.Popen([sys.executable, "-m", "worker", "beat", *system.options], stdout=log, stderr=log)
        try:
            wait_for(lambda: system.stored() and "beat" in system.children(), 60)
            time.sleep(seconds)
            first = system.children()["beat"]
            os.killpg(first.pid, signal.SIGSTOP)
            before = len(feed.asked)
            system.feed(documents - system.fed)
            # The second beat alone keeps the feed polled.
            waited = wait_for(lambda: len(feed.asked) >= before + 2, 60)
            os.killpg(first.pid, signal.SIGKILL)
            failures = ["no poll while the first beat was stopped"] if waited >= 60 else []
            failures += ["polled twice in a slot"] if feed.shortest_gap() < SLOT_SECONDS * 0.9 else []
            return system.report(
                "F14",
                faults=2,
                under_fire=time.monotonic() - started,
                wanted=expected_ids(documents) | {record_id("feed-1", FEED_ID)},
                notes={
                    "server": server,
                    "polls": len(feed.asked),
                    "slot_seconds": SLOT_SECONDS,
                    "shortest_gap_seconds": round(feed.shortest_gap(), 2),
                },
                failures=tuple(failures),
            )
        finally:
            second.terminate()
            second.wait()
