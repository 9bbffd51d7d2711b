"""RabbitMQ carries bells as well: quorum queues, the same line, the same books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from tests.cli_support import FAST, Cli
from tests.desk_support import text_article
from tests.rabbit import require_rabbitmq, running_rabbitmq

pytestmark = pytest.mark.slow
QUEUES = ("control", "pull", "parse", "dedupe", "pull.backfill", "parse.backfill", "dedupe.backfill")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    require_rabbitmq()
    (tmp_path / "rabbit").mkdir()
    with running_rabbitmq(tmp_path / "rabbit") as url:
        yield url


def test_a_run_through_rabbitmq(broker: str, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    for number in range(6):
        (tmp_path / "drop" / f"{number}.txt").write_text(text_article(number))
    (tmp_path / "drop" / "broken.json").write_text('{"headline": "cut o')
    source = '[[source]]\nid = "drop"\nkind = "directory"\npath = "../drop"\n'
    desk = Cli(tmp_path, source, f'{FAST}[state]\nbroker_url = "{broker}"\n')
    look = desk.json("run", "--until-idle")
    assert (look["counters"]["stored"], look["counters"]["rejected"], look["imbalance"]) == (6, 1, 0)
    assert desk.json("reconcile")["balanced"]
    with Connection(broker) as connection:  # type: ignore[no-untyped-call]  # kombu has no types
        channel = connection.channel()
        for name in QUEUES:
            arguments = {"x-queue-type": "quorum"}
            # Another kind of queue of this name would be refused here.
            declared = channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            assert declared.queue == name
    logs = b"".join(path.read_bytes() for path in (desk.data / "logs").glob("*.log"))
    assert b"PRECONDITION" not in logs
    assert b"Traceback" not in logs
