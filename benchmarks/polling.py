"""How fast feeds are polled by one process, beside polling them one after the other.

    python benchmarks/polling.py --feeds 3000 --one-by-one 300

A server in a process of its own answers for as many hosts as there are loopback addresses. Three rounds: every feed
brings 20 entries (200), nothing has changed (304), and the same twice with `requests` and `feedparser`, one feed after
the other. Prints one JSON object. What real workers do under fire and under load: `benchmarks/pull_workers.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import feedparser
import requests

from worker import pipeline
from worker.config import Settings, load_settings
from worker.desk import BellTask, Desk
from worker.logs import configure_logging
from worker.model import Lane, Source
from worker.state.server import EmbeddedServer, embedded_url

ENTRIES = 20
WORDS = 60
SPACING_SECONDS = 0.02
ENVIRONMENT = {
    "COPYDESK_STATE_DURABILITY": "none",
    "COPYDESK_PRESSURE_IN_FLIGHT_DOCUMENTS": "1000000",
    "COPYDESK_FEEDS_HOST_SPACING_SECONDS": str(SPACING_SECONDS),
    "COPYDESK_SWEEPER_AFTER_SECONDS": "0",
    "COPYDESK_DEDUPE_ENABLED": "false",
    "COPYDESK_FEEDS_FULL_TEXT": "never",
}


def feed_of(number: int, entries: int) -> bytes:
    """An RSS feed whose entries are its own."""
    items = "".join(
        f"<item><guid>entry-{number}-{entry}</guid><title>Report {number} {entry}</title>"
        f"<link>http://reports.example/{number}/{entry}</link><description>"
        f"{' '.join(f'word{number * 7919 + entry * 97 + word}' for word in range(WORDS))}</description></item>"
        for entry in range(entries)
    )
    return f"<rss version='2.0'><channel><title>Reports {number}</title>{items}</channel></rss>".encode()


class Answers(asyncio.Protocol):
    """One connection of the server: /N/E brings feed N with E entries, or 304 to who knows it; /stats what was seen."""

    seen = 0
    now: ClassVar[Counter[str]] = Counter()
    most = 0
    linger_seconds = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
            self.answer(head.decode("latin-1"))

    def answer(self, head: str) -> None:
        path = head.split(" ", 2)[1]
        if path == "/stats":
            self.write("200 OK", json.dumps({"seen": Answers.seen, "most_at_one_host": Answers.most}).encode())
            return
        host = head.lower().partition("\r\nhost: ")[2].partition("\r\n")[0]
        Answers.seen += 1
        Answers.now[host] += 1
        Answers.most = max(Answers.most, Answers.now[host])
        asyncio.get_running_loop().call_later(Answers.linger_seconds, self.finish, head, path, host)

    def finish(self, head: str, path: str, host: str) -> None:
        Answers.now[host] -= 1
        if "\r\nif-none-match: " in head.lower():
            self.write("304 Not Modified", None)
        else:
            number, entries = path[1:].split("/")
            self.write("200 OK", feed_of(int(number), int(entries)))

    def write(self, status: str, body: bytes | None) -> None:
        size = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = f'HTTP/1.1 {status}\r\nETag: "1"\r\nContent-Type: application/rss+xml\r\n{size}\r\n'
        self.transport.write(head.encode() + (body or b""))  # type: ignore[attr-defined]


async def serve(port: int, linger_seconds: float) -> None:
    """The server, until it is killed."""
    Answers.linger_seconds = linger_seconds
    server = await asyncio.get_running_loop().create_server(Answers, "0.0.0.0", port, backlog=1000)  # noqa: S104
    await server.serve_forever()


@contextlib.contextmanager
def serving(linger_seconds: float = 0.0) -> Iterator[int]:
    """A server in a process of its own; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(port), str(linger_seconds)])
    try:
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/stats", timeout=5)
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


class QuietBells:
    """Remembers bells for parsing, and rings nowhere."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[BellTask, str]] = deque()

    def ring(self, task: BellTask, _lane: Lane, identifier: str) -> None:
        self.waiting.append((task, identifier))

    def depth(self, task: BellTask, _lane: Lane) -> int:
        return sum(1 for waiting, _ in self.waiting if waiting == task)


def sources(count: int, port: int, hosts: int, entries: int) -> tuple[Source, ...]:
    """Feeds spread over so many hosts."""
    names = [f"127.{1 + number // 60_000}.{number // 250 % 240}.{number % 250 + 1}" for number in range(hosts)]
    return tuple(
        Source(id=f"f{n}", kind="feed", url=f"http://{name}:{port}/{n}/{entries}", allowed_hosts=(name,))
        for n in range(count)
        for name in [names[n % hosts]]
    )


def make_settings(base: Path) -> Settings:
    return load_settings(base / "config", base / "data", ENVIRONMENT)


def all_due(desk: Desk) -> None:
    names = desk.redis.zrange(desk.keys.name("feeds"), 0, -1)
    desk.redis.zadd(desk.keys.name("feeds"), dict.fromkeys(names, 0.0))
    for key in desk.redis.keys(desk.keys.name("poll", "*")):
        desk.redis.hdel(key, "due_at")
    for key in desk.redis.keys(desk.keys.host("*")):
        desk.redis.delete(key)


def measure_engine(count: int) -> dict[str, Any]:
    """Feeds a second of one process: all new, then all unchanged."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as directory, serving() as port:
        base = Path(directory)
        with EmbeddedServer(base / "server"):
            desk = Desk(make_settings(base), QuietBells(), embedded_url(base / "server"))
            desk.sources.sync(sources(count, port, count, ENTRIES))
            for answer in ("200", "304"):
                all_due(desk)
                result[answer] = timed(lambda: poll_all(desk))
            desk.close()
    result["peak_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return result


def poll_all(desk: Desk) -> int:
    """Poll until nothing is due, however many tasks that would take."""
    polled = 0
    while desk.feeds.due():
        polled += pipeline.poll(desk)
    return polled


def timed(poll: Any) -> dict[str, Any]:
    started, cpu = time.perf_counter(), time.process_time()
    polled = poll()
    seconds = time.perf_counter() - started
    return {
        "feeds": polled,
        "feeds_per_second": round(polled / seconds, 1),
        "cpu_microseconds_per_feed": round(1e6 * (time.process_time() - cpu) / polled),
    }


def measure_one_by_one(count: int) -> dict[str, Any]:
    """What most readers do: requests and feedparser, one feed after the other, entries remembered in a set."""
    known: set[str] = set()
    etags: dict[str, str] = {}

    def poll(port: int) -> int:
        for number in range(count):
            url = f"http://127.0.0.1:{port}/{number}/{ENTRIES}"
            headers = {"If-None-Match": etags[url]} if url in etags else {}
            response = requests.get(url, headers=headers, timeout=30)
            if response.status_code == 200:
                etags[url] = response.headers["ETag"]
                known.update(entry.id for entry in feedparser.parse(response.content).entries)
        return count

    with serving() as port:
        return {answer: timed(lambda: poll(port)) for answer in ("200", "304")}


def conditions() -> dict[str, Any]:
    """When and on what a benchmark ran."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Command line of `make bench`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=3_000)
    parser.add_argument("--one-by-one", type=int, default=300)
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "LINGER_SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.serve:
        asyncio.run(serve(int(options.serve[0]), float(options.serve[1])))
        return
    configure_logging("error")
    report = conditions() | {
        "one_process": measure_engine(options.feeds),
        "one_by_one": measure_one_by_one(options.one_by_one),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
