"""Two real pull workers under fire, and one under load.

    python -m benchmarks.pull_workers --feeds 2000 --kills 15 --due-at-once 10000

Workers are processes of `copydesk worker --queues pull`, feeds are answered by the server of `benchmarks/polling.py`.

Under fire: two workers poll, one of them is killed by SIGKILL at random, again and again, and replaced. Every entry
must be stored once, and no host may ever have had two requests at the same time.

Under load: so many feeds are due at once, and files come into an inbox meanwhile. How long does it take, how long do
files wait, and how much memory does the worker need? Prints one JSON object; exits 1 where an entry was lost or
doubled, or a host was asked twice at once. Speeds are not judged.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from benchmarks.polling import ENTRIES, ENVIRONMENT, QuietBells, conditions, make_settings, serving, sources
from worker import pipeline
from worker.desk import Desk
from worker.logs import configure_logging
from worker.model import Source
from worker.state.queue import StorageQueue
from worker.state.server import EmbeddedServer, embedded_url
from worker.store.sink import open_sink
from worker.store.writer import Writer

ENTRIES_OF_KILLED = 3
HOSTS_OF_KILLED = 400
FILE_SECONDS = 1.0
"""Between two files that come into the inbox."""


@contextlib.contextmanager
def office(base: Path) -> Iterator[Desk]:
    """A state server, and a desk on it."""
    with EmbeddedServer(base / "server"):
        desk = Desk(make_settings(base), QuietBells(), embedded_url(base / "server"))
        yield desk
        desk.close()


def start(base: Path, *words: str) -> subprocess.Popen[bytes]:
    """A part of copydesk on that server, in a process group of its own."""
    places = {"COPYDESK_DATA": str(base / "data"), "COPYDESK_CONFIG": str(base / "config")}
    environment = os.environ | ENVIRONMENT | places | {"COPYDESK_REDIS_URL": embedded_url(base / "server")}
    with (base / "parts.log").open("ab") as log:
        command = [sys.executable, "-m", "worker", *words]
        return subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)


def kill(part: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a part and all its processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(part.pid, signal.SIGKILL)
    part.wait()


def measure_kills(count: int, kills: int, seed: int = 1) -> dict[str, Any]:
    """Two workers, one killed at random, again and again; then everything is parsed and stored."""
    with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as directory, serving(0.02) as port:
        base = Path(directory)
        with office(base) as desk:
            desk.sources.add_all(sources(count, port, min(count, HOSTS_OF_KILLED), ENTRIES_OF_KILLED))
            killed_at = kill_workers(desk, base, port, kills, random.Random(seed))
            print(f"{len(killed_at)} workers killed; storing what they brought", file=sys.stderr)
            return {"feeds": count, "killed_after_polls": killed_at, **stats_of(port), **settle_all(desk, count)}


def stats_of(port: int) -> dict[str, Any]:
    """What the server saw until now."""
    answer: dict[str, Any] = requests.get(f"http://127.0.0.1:{port}/stats", timeout=30).json()
    return answer


def kill_workers(desk: Desk, base: Path, port: int, kills: int, chance: random.Random) -> list[int]:
    """Keep two workers alive until every feed was polled; after how many polls each of the killed was killed.

    None is killed before another poll has come, or all kills would hit workers that are just starting.
    """
    workers = [start(base, "worker", "--queues", "pull", "--name", f"w{number}") for number in range(2)]
    killed: list[int] = []
    try:
        while not all_polled(desk):
            time.sleep(chance.uniform(0.1, 1.5))
            seen = stats_of(port)["seen"]
            if any(worker.poll() is not None for worker in workers):
                raise SystemExit("a worker has ended by itself:\n" + (base / "parts.log").read_text()[-3000:])
            if len(killed) < kills and seen > max(killed, default=0):
                kill(workers.pop(chance.randrange(2)))
                killed.append(seen)
                workers.append(start(base, "worker", "--queues", "pull", "--name", f"w{len(killed) + 1}"))
    finally:
        for worker in workers:
            kill(worker)
    return killed


def all_polled(desk: Desk) -> bool:
    if desk.feeds.due() or desk.redis.hlen(desk.keys.name("calls")):
        return False
    return all("pulled_at" in row.poll for row in desk.sources.all())


def settle_all(desk: Desk, count: int) -> dict[str, Any]:
    """Parse, dedupe and store what was received; what is missing and what is there twice."""
    stages = {"parse": pipeline.parse, "dedupe": pipeline.dedupe}
    sink = open_sink(desk.settings.sink_url)
    writer = Writer(
        StorageQueue(desk.redis, desk.keys, "store"), sink, desk.redis, desk.settings, "bench", lambda *_: None
    )
    while desk.counters.in_flight():
        pipeline.sweep(desk)
        while desk.bells.waiting:  # type: ignore[attr-defined]
            task, identifier = desk.bells.waiting.popleft()  # type: ignore[attr-defined]
            stages[task](desk, identifier)
        while writer.run_once():
            pass
    while writer.run_once():
        pass
    totals = desk.counters.totals()
    sink.close()
    return {
        "entries": count * ENTRIES_OF_KILLED,
        "stored": totals["stored"],
        "received_again": totals["received"] - count,
        "updated_or_dead": totals["updated"] + totals["dead"] + totals["rejected"],
    }


def measure_load(count: int) -> dict[str, Any]:
    """One worker, so many feeds due at once, each on a host of its own with 20 new entries, and files besides."""
    with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as directory, serving() as port:
        base = Path(directory)
        (base / "inbox").mkdir()
        with office(base) as desk:
            desk.sources.add_all(sources(count, port, count, ENTRIES))
            desk.sources.add(Source(id="inbox", kind="directory", path=str(base / "inbox"), claim=True))
            worker, beat = start(base, "worker", "--queues", "pull", "--name", "w1"), start(base, "beat")
            try:
                while not set(desk.redis.hkeys(desk.keys.name("calls"))) - {b"inbox"}:
                    time.sleep(0.05)
                waits, seconds = drop_files(desk, base / "inbox")
                memory = peak_memory_mb(worker.pid)
            finally:
                kill(worker)
                kill(beat)
            received = desk.counters.totals()["received"]
    return {
        "feeds_due_at_once": count,
        "seconds": round(seconds, 1),
        "files": len(waits),
        "file_waits_seconds": {"median": round(statistics.median(waits), 1), "longest": round(max(waits), 1)},
        "peak_memory_mb": memory,
        "not_received": count + len(waits) - received,
    }


def drop_files(desk: Desk, inbox: Path) -> tuple[list[float], float]:
    """Bring a file now and then until no feed is due; how long each waited until it was safe, and how long all took."""
    started = time.monotonic()
    drained = 0.0
    born: dict[str, float] = {}
    waits: dict[str, float] = {}
    while True:
        now = time.monotonic()
        for path in (inbox / "done").glob("*.txt"):
            waits.setdefault(path.name, now - born[path.name])
        if not (drained or desk.feeds.due() or set(desk.redis.hkeys(desk.keys.name("calls"))) - {b"inbox"}):
            drained = now - started
        if drained and len(waits) == len(born):
            return list(waits.values()), drained
        if not drained and now - max(born.values(), default=0.0) >= FILE_SECONDS:
            name = f"{len(born)}.txt"
            born[name] = now
            (inbox / name).write_text(f"Report {len(born)} from the quay\n\nThe quay is open again, said the master.\n")
        time.sleep(0.05)


def peak_memory_mb(pid: int) -> int:
    """The most resident memory that a process ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=2_000, help="Under fire; 0: leave it out.")
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--due-at-once", type=int, default=10_000, help="Under load; 0: leave it out.")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    configure_logging("error")
    report = conditions()
    if options.due_at_once:
        report["under_load"] = measure_load(options.due_at_once)
    fire = measure_kills(options.feeds, options.kills) if options.feeds else {}
    print(json.dumps(report | ({"under_fire": fire} if fire else {}), indent=2))
    if fire and (fire["stored"] != fire["entries"] or fire["most_at_one_host"] > 1):
        sys.exit(1)


if __name__ == "__main__":
    main()
