"""Words and exit codes of the command line."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.cli_support import Cli
from tests.support import PATIENCE_SECONDS
from worker.cli.common import opened
from worker.cli.progress import progress
from worker.config import load_settings
from worker.errors import StateError


@pytest.fixture
def desk(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ingest"], 2, b"Missing argument"),
        (["ingest", "a.txt", "--lane", "fast"], 2, b"--lane takes news or backfill"),
        (["worker", "--queues", "parse,cook"], 2, b"--queues takes pull, parse and dedupe, not cook"),
        (["dead", "show", "nothing"], 2, b"there is no dead letter 'nothing'"),
        (["dead", "list", "--stage", "pasre"], 2, b"--stage takes parse, dedupe, store, bell, not 'pasre'"),
        (["dead", "list", "--verdict", "odd"], 2, b"--verdict takes dead or rejected"),
        (["sources", "remove", "nothing"], 2, b"there is no source 'nothing'"),
        (["sources", "add", "ftp://example.org/feed", "--id", "x"], 2, b"starts with http:// or https://"),
        (["store", "--to", "mongodb://x"], 2, b"sqlite:"),
        (["explain", "nothing-of-that-name"], 1, b"nothing is known about"),
        (["parse", "no-such-file.txt"], 1, b""),
    ],
)
def test_wrong_words_give_a_clear_message_and_exit_code(desk: Cli, words: list[str], code: int, message: bytes) -> None:
    done = desk.run(*words, code=code)
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_broken_config_names_the_place(tmp_path: Path) -> None:
    desk = Cli(tmp_path, settings="[sweeper]\ninterval = 3\n")
    done = desk.run("status", code=2)
    assert b"worker.toml" in done.stderr
    assert b"interval" in done.stderr


def test_sources_are_added_listed_and_removed(desk: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "wire"
    folder.mkdir()
    desk.run("sources", "add", str(folder), "--id", "wire", "--inbox", "--interval-seconds", "5")
    desk.run("sources", "add", "https://example.org/feed.xml", "--id", "example")
    listed = {row["id"]: row for row in desk.lines("sources", "list")}
    assert (listed["wire"]["kind"], listed["wire"]["place"]) == ("inbox", str(folder))
    assert listed["example"]["kind"] == "feed"
    assert b"exists already" in desk.run("sources", "add", str(folder), "--id", "wire", code=2).stderr
    desk.run("sources", "remove", "wire")
    assert [row["id"] for row in desk.lines("sources", "list")] == ["example"]


def test_status_and_doctor_speak_json(desk: Cli) -> None:
    look = desk.json("status")
    assert look["in_flight"] == 0
    assert {stage["stage"] for stage in look["stages"]} == {"received", "parsed"}
    assert all(check["ok"] for check in desk.lines("doctor"))


def test_doctor_finds_a_source_whose_path_is_gone(tmp_path: Path) -> None:
    desk = Cli(tmp_path, '[[source]]\nid = "gone"\nkind = "directory"\npath = "nowhere"\n')
    problems = [check for check in desk.lines("doctor", code=1) if not check["ok"]]
    assert [check["check"] for check in problems] == ["source gone"]


def test_parse_gives_a_line_for_every_document(desk: Cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("A headline\n\n" + "A sentence of the body follows here. " * 8)
    (tmp_path / "in" / "b.jsonl").write_text('{"headline": "One", "body_text": "Text of one."}\n{"broken\n')
    lines = desk.lines("parse", "in", "--jobs", "2")
    found = [(Path(line["input"]).name, line["member"], line["outcome"], line["reason"]) for line in lines]
    assert found == [
        ("a.txt", None, "article", None),
        ("b.jsonl", 0, "article", None),
        ("b.jsonl", 1, "rejected", "malformed_json"),
    ]


def test_reconcile_fails_where_a_stored_record_is_gone(desk: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"guid": "1", "headline": "Kept", "body_text": "words " * 60}))
    desk.run("ingest", "a.json", "--until-idle")
    assert desk.json("reconcile")["balanced"]
    (desk.data / "records.db").unlink()
    report = desk.json("reconcile", code=1)
    assert (report["missing"], report["balanced"]) == (1, False)


@pytest.mark.parametrize("module", ["health", "operators", "records", "parts", "top", "dead"])
def test_commands_import_only_what_they_need(module: str) -> None:
    """Probes run every few seconds, beside every worker: they must not load parsers, fetchers and Celery."""
    code = f"import sys, worker.cli.{module}; print(*{{'trafilatura', 'celery', 'httpcore2'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == []


def test_an_unknown_command_is_answered_with_the_nearest(desk: Cli) -> None:
    assert b"Did you mean 'records'" in desk.run("record", code=2).stderr


def test_a_server_that_hangs_is_told_of_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.cli.common.ANSWER_SECONDS", 0.1)
    monkeypatch.setattr("worker.cli.common.REACH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"redis://reader:Pa55ofReader@127.0.0.1:{deaf.getsockname()[1]}/0"
        settings = load_settings(tmp_path, tmp_path, {"COPYDESK_REDIS_URL": url})
        says = r"cannot reach the state server redis://reader:\*\*\*@127.*URL right"
        with pytest.raises(StateError, match=says), opened(settings):
            pytest.fail("nobody answered")


STOPPABLE = """
import signal, sys, threading, time
from worker.cli.common import stop_on
stop = stop_on(signal.SIGTERM, signal.SIGINT, at_most_seconds=float(sys.argv[1]))
with threading._active_limbo_lock:  # as where the signal comes while a thread is started
    print("ready", flush=True)
    stop.wait()
print("told", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    ("number", "most_seconds", "told_after", "code"),
    [
        (signal.SIGTERM, "0.1", [b"ready\n"], -signal.SIGALRM),
        (signal.SIGINT, "1000", [b"ready\n", b"told\n"], -signal.SIGINT),
    ],
    ids=["what hangs is killed", "told again it ends at once"],
)
def test_a_command_that_hangs_ends_all_the_same(
    number: signal.Signals, most_seconds: str, told_after: list[bytes], code: int
) -> None:
    words = [sys.executable, "-c", STOPPABLE, most_seconds]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for said in told_after:
            assert process.stdout.readline() == said
            process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == code


def test_what_is_interrupted_says_how_far_it_came_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with progress("replayed", "the same command goes on") as counted:
            counted(1234)
            counted(1235, "the disk is full")
            raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        work()
    assert ended.value.exit_code == 130
    said = capsys.readouterr().err.splitlines()
    assert said == ["replayed 1,235; waits: the disk is full", "interrupted: replayed 1,235; the same command goes on"]
