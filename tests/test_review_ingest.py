"""`ingest --until-idle` neither ends early nor waits for ever, whoever else works on the data directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli_support import FAST, Cli
from tests.desk_support import text_article
from tests.support import PATIENCE_SECONDS, wait_until
from worker.state.server import EmbeddedServer
from worker.supervisor import take_run_lock

pytestmark = pytest.mark.slow


def write_articles(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_text(text_article(number))


def test_more_than_may_be_in_flight_is_worked_on_while_it_is_handed_over(tmp_path: Path) -> None:
    settings = "[pressure]\nin_flight_documents = 10\n[batches]\ndocuments = 5\n"
    desk = Cli(tmp_path, settings=FAST + settings)
    # Looking whether intake must pause happens twice a second: a pipe that stays open meets it for certain.
    process = desk.popen("ingest", "-", "--until-idle", "--json", stdin=-1, stdout=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    paused = desk.data / "valkey" / "valkey.sock"
    for number in range(40):
        line = {"headline": f"Story {number}", "body_text": text_article(number)}
        process.stdin.write(json.dumps(line).encode() + b"\n")
        process.stdin.flush()
        if number == 20:
            wait_until(paused.exists, "the server")
            wait_until(lambda: desk.json("status")["counters"]["stored"] >= 10, "work on the first ones")
    process.stdin.close()
    look = json.loads(process.stdout.read())
    assert process.wait(PATIENCE_SECONDS) == 0
    assert (look["counters"]["received"], look["counters"]["stored"], look["in_flight"]) == (40, 40, 0)
    process.stdout.close()


def test_an_ingest_takes_the_work_over_when_the_run_ends_that_did_it(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    write_articles(tmp_path / "files", 5)
    # A run that is just ending: it holds the data directory and its server, and does no work any more.
    lock = take_run_lock(desk.data)
    assert lock is not None
    with EmbeddedServer(desk.data):
        process = desk.popen("ingest", str(tmp_path / "files"), "--until-idle", "--json", stdout=-1)

        def waits() -> bool:
            look = desk.json("status")
            return (look["in_flight"], look["events"].get("durable_waits", 0) > 0) == (5, True)

        wait_until(waits, "an ingest that waits for others to work")
    lock.close()
    assert process.stdout is not None
    look = json.loads(process.stdout.read())
    assert process.wait(PATIENCE_SECONDS) == 0
    assert (look["counters"]["stored"], look["in_flight"]) == (5, 0)
    process.stdout.close()
