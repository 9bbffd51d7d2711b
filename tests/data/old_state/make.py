"""Makes the fixture of F13 with an older copydesk: `cd WORKTREE-OF-0ea6fe9 && python .../make.py TARGET.tar.xz`.

Articles 0-9 are stored, 10-19 wait as records in the storage queue, 20-29 as a parsed batch, 30-39 as a received one;
article 40 is held by a worker that was killed.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from worker import pipeline
from worker.config import load_settings
from worker.desk import Desk, SilentBells
from worker.model import Document, Source
from worker.state.keys import RECEIVED
from worker.state.queue import StorageQueue
from worker.state.server import EmbeddedServer
from worker.store.sink import open_sink
from worker.store.writer import Writer


def line(number: int) -> bytes:
    """As `tests/faults/articles.py` writes them."""
    words = " ".join(f"word{(number * 7919 + k * k) % 9973}" for k in range(60))
    body = f"Report number {number} from the harbour. {words}\n\nThe second paragraph of report {number}."
    return msgspec.json.encode({"guid": f"fault-{number}", "headline": f"Harbour report {number}", "body_text": body})


def document(number: int, content: bytes) -> Document:
    return Document(
        source_id="fault-test",
        origin="inbox/old.jsonl",
        member=number,
        received_at=datetime.now(UTC),
        content=content,
        size_bytes=len(content),
        media_type="application/json",
    )


def fill(desk: Desk) -> None:
    source = Source(id="fault-test", kind="directory", path="../inbox", claim=True)
    desk.sources.sync((source,))

    def batches() -> set[str]:
        waiting: Any = desk.redis.zrange(desk.keys.waiting(RECEIVED, "news"), 0, -1)
        return {raw.decode() for raw in waiting}

    def receive(numbers: range) -> str:
        before = batches()
        desk.receive(source, [document(number, line(number)) for number in numbers], lane="news")
        (new,) = batches() - before
        return new

    first = receive(range(10))
    pipeline.parse(desk, first)
    pipeline.dedupe(desk, first)
    sink = open_sink(desk.settings.sink_url)
    queue = StorageQueue(desk.redis, desk.keys, desk.settings.store.group)
    Writer(queue, sink, desk.redis, desk.settings, "embedded", lambda *_: None).run_once()
    sink.close()
    second = receive(range(10, 20))
    pipeline.parse(desk, second)
    pipeline.dedupe(desk, second)
    pipeline.parse(desk, receive(range(20, 30)))
    receive(range(30, 40))
    desk.ledger.claim(receive(range(40, 41)), RECEIVED)
    print(desk.counters.balance())


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / "data"
        settings = load_settings(Path(place) / "config", data, {})
        with EmbeddedServer(data):
            desk = Desk(settings, SilentBells())
            fill(desk)
            desk.close()
        with tarfile.open(sys.argv[1], "w:xz") as archive:
            for name in ("records.db", "valkey/appendonlydir"):
                archive.add(data / name, name)


if __name__ == "__main__":
    main()
