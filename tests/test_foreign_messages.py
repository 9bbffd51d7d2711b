"""What lies on a queue and is no bell of ours is refused, never run, and kept."""

from __future__ import annotations

import base64
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from tests.cli_support import Cli
from tests.support import wait_until
from worker.config import load_settings
from worker.desk import Desk, SilentBells
from worker.state.connection import broker_url, connect
from worker.state.letters import Filter
from worker.state.server import EmbeddedServer, embedded_url

pytestmark = pytest.mark.slow
MARK = "planted-by-pickle"


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self.path), "w"))


@pytest.fixture
def desk(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def worker(desk: Cli) -> Iterator[Cli]:
    """A server of our own with one worker of every stage."""
    with EmbeddedServer(desk.data), desk.running("worker", "--concurrency", "1", end=signal.SIGTERM):
        yield desk


def task(name: str, arguments: list[Any], **named: Any) -> tuple[list[Any], dict[str, Any]]:
    """Body and headers of a Celery task message (protocol 2)."""
    headers = {"lang": "py", "task": name, "id": "0" * 8, "root_id": "0" * 8, "argsrepr": "", "kwargsrepr": ""}
    return [arguments, named, {}], headers


def test_foreign_messages_are_kept_and_never_run(worker: Cli) -> None:
    planted = worker.directory / MARK
    queue = Queue("parse", Exchange("copydesk"), routing_key="parse")  # type: ignore[no-untyped-call]  # kombu has no types
    options = {"global_keyprefix": "copydesk:bells:"}
    with Connection(broker_url(embedded_url(worker.data)), transport_options=options) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
        producer = connection.Producer(exchange=queue.exchange, routing_key="parse")

        def send(body: Any, headers: dict[str, Any], **facts: Any) -> None:
            producer.publish(body, headers=headers, declare=[queue], **facts)

        good, headers = task("copydesk.parse", ["n0"])
        raw = pickle.dumps((["n1"], {"x": Bomb(planted)}, {}))
        send(raw, headers, content_type="application/x-python-serialize", content_encoding="binary")
        send(*task("somebody.elses", ["n2"]), serializer="json")
        send(*task("copydesk.parse", ["n3", "priority", 7]), serializer="json")
        send(*task("copydesk.parse", [{"batch": "n4"}]), serializer="json")
        send(*task("copydesk.parse", ["n5"], since="9.0"), serializer="json")
        send({"hello": "n6"}, {}, serializer="json")
        send(good, headers, serializer="json")
    redis = connect(embedded_url(worker.data))
    redis.lpush("copydesk:bells:parse", b"garbage n7 {", b'[1, "n8"]', b'{"n9": null}')
    redis.close()
    office = Desk(load_settings(worker.config, worker.data, {}), SilentBells())
    wait_until(lambda: len(list(office.letters.find(Filter(stage="bell")))) == 9, "nine letters")
    assert not planted.exists()
    letters = list(office.letters.find())
    assert {letter.code for letter in letters} == {"foreign_message"}
    kept = [letter.document.content or b"" for letter in letters]
    assert raw in kept or base64.b64encode(raw) in kept, "as it came"
    assert all(any(f"n{number}".encode() in body for body in kept) for number in range(2, 10))
    assert b"replayed 0" in worker.run("dead", "replay", "--all").stdout
    assert len(list(office.letters.find())) == 9
    office.close()
    worker.run("dead", "purge", "--all", "--yes")
    assert worker.json("reconcile")["balanced"]
