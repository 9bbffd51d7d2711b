"""A feed on a loopback server; polls are counted, and timed, where they arrive."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

from tests.faults.articles import article

FEED_ID = "polled-feed"
SLOT_SECONDS = 3.0
"""Between two polls."""
FRAME = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Harbour</title><link>http://harbour.example/</link><description>News</description>
{}</channel></rss>"""
ENTRY = """<item><title>{headline}</title><guid isPermaLink="false">{guid}</guid>
<description>{body_text}</description></item>
"""
FIRST_ARTICLE = 20_000_000
"""Their words are those of articles that no directory holds."""


class Feed:
    """A context manager that serves what was published; `asked` are the polls, `served` when each entry first left."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.served: dict[str, float] = {}
        self._entries: list[str] = []
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

    def publish(self) -> str:
        """A new entry, the first of the feed; its guid."""
        guid = f"feed-{len(self._entries) + 1}"
        row = article(FIRST_ARTICLE + len(self._entries)) | {"guid": guid}
        self._entries.insert(0, ENTRY.format(**row))
        return guid

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """The feed, or 404 for robots.txt and the like."""
        found = request.path == "/feed"
        entries = len(self._entries)
        body = FRAME.format("".join(self._entries[-entries:])).encode() if found else b""
        request.send_response(200 if found else 404)
        request.send_header("Content-Type", "application/rss+xml")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        now = time.monotonic()
        request.wfile.write(body)
        if found:
            self.asked.append(now)
            for number in range(entries):
                self.served.setdefault(f"feed-{number + 1}", now)

    def shortest_gap(self) -> float:
        """Seconds between the two polls that came closest."""
        return min((later - earlier for earlier, later in pairwise(self.asked)), default=float("inf"))
