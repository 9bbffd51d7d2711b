"""The main job, through the real command: everything in, everything accounted for, stopped and continued."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cli_support import Cli
from tests.support import wait_until
from worker.supervisor import PARTS

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow

SOURCES = f"""
[[source]]
id = "samples"
kind = "directory"
path = "{ROOT}/samples/articles"

[[source]]
id = "inbox"
kind = "directory"
path = "../inbox"
claim = true

[[source]]
id = "science"
kind = "feed"
url = "{ROOT}/samples/feeds/science.atom"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Cli:
    (tmp_path / "inbox").mkdir()
    return Cli(tmp_path, SOURCES)


@pytest.fixture
def running(desk: Cli) -> Iterator[Cli]:
    """A running system; it is stopped with Ctrl-C, and must leave no process behind."""
    with desk.running("run") as process:
        started = psutil.Process(process.pid)
        wait_until(lambda: len(started.children()) == len(PARTS) + 1, "server and all parts running")
        yield desk
        family = started.children(recursive=True)
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def rows(desk: Cli) -> list[tuple[Any, ...]]:
    return desk.stored("id, version")


def test_samples_are_stored_and_a_second_run_adds_nothing(desk: Cli) -> None:
    first = desk.json("run", "--until-idle")
    assert first["counters"]["stored"] >= 20
    assert first["counters"]["updated"] >= 2
    assert first["counters"]["duplicate"] >= 3
    assert first["counters"]["rejected"] >= 2
    assert (first["counters"]["dead"], first["in_flight"], first["imbalance"]) == (0, 0, 0)
    stored = rows(desk)
    assert len(stored) == len(set(stored)) == first["counters"]["stored"] + first["counters"]["updated"]

    second = desk.json("run", "--until-idle")
    assert second["counters"] == first["counters"], "files read in place are remembered"
    assert rows(desk) == stored
    report = desk.json("reconcile")
    assert report["balanced"]
    assert report["remembered"] == first["counters"]["stored"]


def test_an_inbox_file_is_stored_and_moved_and_the_system_stops_cleanly(running: Cli) -> None:
    text = "Quay closed for repairs\n\n" + "The old quay will be closed while divers look at its piles. " * 12
    (running.directory / "inbox" / "quay.txt").write_text(text)
    done = running.directory / "inbox" / "done" / "quay.txt"
    wait_until(done.exists, "the file in done/")
    assert done.read_text() == text
    wait_until(lambda: any(r["headline"] == "Quay closed for repairs" for r in running.lines("records")), "stored")
    life = running.json("explain", str(running.directory / "inbox" / "quay.txt"))
    assert life["receipts"][0]["verdict"] == "stored"
    assert life["records"][0]["provenance"]["headline"]


def test_a_second_run_on_the_same_data_is_refused(running: Cli) -> None:
    refused = running.run("run", code=2)
    assert b"already running" in refused.stderr


def test_a_worker_told_to_stop_finishes_its_batch(running: Cli) -> None:
    for number in range(40):
        words = " ".join(f"w{number}x{k}" for k in range(80))
        (running.directory / "inbox" / f"{number}.json").write_text(
            json.dumps({"guid": f"g{number}", "headline": f"Story {number}", "body_text": words})
        )
    supervisor = psutil.Process(running_pid(running))
    worker = next(child for child in supervisor.children() if "parse,dedupe" in " ".join(child.cmdline()))
    worker.terminate()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker's end")
    wait_until(lambda: len(rows(running)) >= 60, "all stories stored")
    events = running.json("status")["events"]
    assert events.get("redelivered", 0) == 0, "nothing was cut off"


def running_pid(desk: Cli) -> int:
    """The process id of the one `copydesk run` on this data directory."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or []
        if words[-1:] == ["run"] and (process.info["environ"] or {}).get("COPYDESK_DATA") == str(desk.data):
            return int(process.pid)
    pytest.fail("copydesk run is not running")


def test_copies_that_arrive_at_once_in_many_batches_give_one_record(tmp_path: Path) -> None:
    desk = Cli(tmp_path, settings="[batches]\ndocuments = 1\n")
    folder = tmp_path / "copies"
    folder.mkdir()
    text = "One story, sixty-four files\n\n" + "The same words in every one of the files that came at once. " * 10
    for number in range(64):
        (folder / f"{number}.txt").write_text(text)
    counters = desk.json("ingest", str(folder), "--until-idle")["counters"]
    assert (counters["stored"], counters["duplicate"]) == (1, 63)
    assert len(rows(desk)) == 1
    assert desk.json("ingest", str(folder), "--until-idle")["counters"]["stored"] == 1, "ingested twice, stored once"


def test_what_cannot_be_parsed_keeps_its_code_and_its_bytes(tmp_path: Path) -> None:
    desk = Cli(tmp_path, settings="[limits]\ndocument_bytes = 1_000_000\ninline_bytes = 100_000\n")
    folder = tmp_path / "bad"
    folder.mkdir()
    contents = {
        "empty.txt": b"",
        "blank.txt": b" \n\t\n",
        "picture.txt": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
        "noise.txt": bytes((n * n * 31 + n // 7) % 256 for n in range(4000)),
        "nul.txt": b"Headline\n\nBody with a \x00 byte in the middle of its words.\n" * 5,
        "broken.json": b'{"headline": "cut o',
        "paper.pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
        "large.txt": b"Large\n\n" + b"word " * 300_000,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "latin.txt").write_bytes(
        "Crêpes\n\n".encode() + b"A caf\xe9 with a broken byte opens in town today. " * 20
    )
    look = desk.json("ingest", str(folder), "--until-idle")
    assert look["counters"]["stored"] == 1, "malformed UTF-8 is read as well as it can be"
    assert look["imbalance"] == 0
    letters = {Path(row["origin"]).name: row for row in desk.lines("dead", "list")}
    assert {name: row["code"] for name, row in letters.items()} == {
        "empty.txt": "empty_document",
        "blank.txt": "empty_document",
        "picture.txt": "unsupported_format",
        "noise.txt": "binary_content",
        "nul.txt": "binary_content",
        "broken.json": "malformed_json",
        "paper.pdf": "unsupported_format",
        "large.txt": "too_large",
    }
    for name, row in letters.items():
        assert desk.run("dead", "show", row["id"], "--raw").stdout == contents[name], name
    assert desk.json("reconcile")["balanced"]


def test_dead_letters_are_replayed_and_purged(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    (tmp_path / "broken.json").write_text('{"headline": "cut \x1b]0;owned\x07 o')
    desk.run("ingest", str(tmp_path / "broken.json"), "--until-idle")
    (letter,) = desk.lines("dead", "list")
    assert b"1 would be replayed" in desk.run("dead", "replay", "--all", "--dry-run").stdout
    assert desk.lines("dead", "replay", "--all", "--dry-run") == [letter]
    shown = desk.run("dead", "show", letter["id"]).stdout
    assert b"cut \\x1b]0;owned\\x07 o" in shown, "no bytes of strangers command the terminal"
    desk.run("dead", "replay", letter["id"])
    assert desk.lines("dead", "list") == []
    assert desk.json("run", "--until-idle")["counters"]["rejected"] == 1, "refused again, not counted twice"
    (again,) = desk.lines("dead", "list")
    assert json.loads(desk.run("dead", "show", again["id"], "--json").stdout)["replayed_from"] == letter["id"]
    desk.run("dead", "purge", "--all", "--yes")
    assert desk.lines("dead", "list") == []
    assert desk.json("reconcile")["balanced"]


def test_jsonl_on_standard_input(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    lines = [json.dumps({"guid": str(n), "headline": f"Line {n}", "body_text": "text " * 30}) for n in range(5)]
    desk.run("ingest", "-", "--source", "pipe", "--until-idle", stdin="\n".join(lines).encode())
    assert {record["headline"] for record in desk.lines("records")} == {f"Line {n}" for n in range(5)}
    assert {record["source_id"] for record in desk.lines("records")} == {"pipe"}


def test_a_known_source_may_hand_over_to_the_other_lane(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    for lane in ("news", "backfill"):
        text = f"Lane {lane}\n\n" + f"This text of the lane {lane} is long enough to be an article. " * 5
        (tmp_path / f"{lane}.txt").write_text(text)
        desk.run("ingest", f"{lane}.txt", "--source", "archive", "--lane", lane, "--until-idle")
    assert {(record["headline"], record["lane"]) for record in desk.lines("records")} == {
        ("Lane news", "news"),
        ("Lane backfill", "backfill"),
    }


def test_work_handed_over_without_workers_waits_for_the_next_run(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    (tmp_path / "a.txt").write_text("Waiting\n\n" + "This text waits until somebody works on it. " * 10)
    assert desk.json("ingest", str(tmp_path / "a.txt"))["in_flight"] == 1
    assert rows(desk) == []
    assert desk.json("run", "--until-idle")["counters"]["stored"] == 1


def test_the_seed_article_of_the_corpus_parses_as_its_gold_says(tmp_path: Path) -> None:
    corpus = ROOT.parent / "shared" / "corpus" / "text" / "seed"
    if not corpus.is_dir():
        pytest.skip("the corpus is not here")
    (text,) = corpus.glob("*.txt")
    (gold,) = (json.loads(path.read_text("utf-8")) for path in corpus.glob("*.gold.json"))
    (line,) = Cli(tmp_path).lines("parse", os.fspath(text))
    record = line["record"]
    for field in ("headline", "subheadline", "body_text", "source_name", "syndicated_from", "language", "published_at"):
        assert record.get(field) == gold[field], field
    assert [author["name"] for author in record["authors"]] == gold["authors"]
