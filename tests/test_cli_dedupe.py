"""`copydesk dedupe` and `copydesk families`: near copies on the command line, and through the whole system."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli_support import Cli
from worker.config import load_settings
from worker.operate.dedupe_run import rules_by_source

HARBOUR = """\
The harbour authority will close the northern basin for eleven weeks from Monday while divers replace the corroded
gates, its director Maria Holt said on Friday.

Ferries to the islands will leave from the fish quay instead. About 4,200 passengers a day use the basin in summer,
and the ferry company expects delays of twenty minutes at most.

The gates were built in 1931 and failed twice in the storms of last winter. Replacing them costs 38 million crowns,
of which the city pays a third.

Fishermen complained that they had not been asked. "We read about it in the newspaper like everybody else," said
Peter Lund, who lands crab at the quay every morning before five."""
REWRITTEN = (
    HARBOUR.replace("corroded", "rusted")
    .replace("Ferries to the islands", "Boats to the islands")
    .replace("complained", "protested")
)
ORCHARD = """\
Apple growers in the valley expect the smallest harvest in a decade after frost in April killed most of the blossom.

The co-operative in Elmstead said its 120 members would bring in 9,000 tonnes, less than half of last year. Prices
paid to growers have risen, but not enough to make up for the loss, its chairwoman Ida Brandt said.

Two cider makers have begun to buy fruit abroad. The regional parliament will debate on Thursday whether to help with
interest-free loans, as it did after the hail of 2019."""


@pytest.fixture
def desk(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def row(name: str, body: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "headline": f"Headline of {name}", "body_text": body, **more}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_an_archive_gets_a_line_for_each_record_in_its_own_ids(desk: Cli, tmp_path: Path) -> None:
    rows = [
        row("first", HARBOUR, source_id="gazette"),
        row("orchard", ORCHARD, source_id="gazette"),
        row("second", f"ELN (Agency) - {HARBOUR}\n\n(Reporting by Agency)", source_id="courier"),
        row("same", HARBOUR, source_id="mirror"),
    ]
    archive = tmp_path / "archive.jsonl.gz"
    archive.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in rows).encode()))
    lines = {line["id"]: line for line in desk.lines("dedupe", str(archive))}
    assert list(lines) == ["first", "orchard", "second", "same"]
    assert set(lines["first"]) == {"id", "verdict", "family_id", "relation", "matched_id", "similarity"}
    assert [lines[name]["verdict"] for name in ("first", "orchard")] == ["new", "new"]
    assert (lines["second"]["verdict"], lines["second"]["matched_id"]) == ("near_duplicate", "first")
    assert (lines["same"]["verdict"], lines["same"]["relation"]) == ("duplicate", "exact")
    assert {lines[name]["family_id"] for name in ("first", "second", "same")} == {"first"}


def test_a_source_keeps_its_own_rules_unless_told_otherwise(desk: Cli) -> None:
    rules = '[[source]]\nid = "mirror"\nkind = "push"\ndedupe_policy = "tag"\ndedupe_threshold = "strict"\n'
    (desk.config / "sources.toml").write_text(rules)
    settings = load_settings(desk.config, desk.data, environ={})

    def found(source_id: str | None, *words: str | None) -> tuple[str, str]:
        rules = rules_by_source(settings, *words)(source_id)
        return rules.policy, rules.threshold

    assert found("mirror", None, None) == ("tag", "strict")
    assert found("mirror", None, "loose") == ("tag", "loose")
    assert found("mirror", "link", None) == ("link", "strict")
    assert found("other", None, "loose") == found(None, None, "loose") == ("drop", "loose")


def test_bad_lines_are_named_and_cost_only_themselves(desk: Cli) -> None:
    text = json.dumps(row("a", HARBOUR)) + "\n\nno json\n{}\n" + json.dumps(row("b", ORCHARD)) + "\n"
    done = desk.run("dedupe", "-", "--json", stdin=text.encode(), code=1)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "b"]
    assert b"line 3:" in done.stderr
    assert b"line 4:" in done.stderr


def test_a_truncated_archive_gives_what_could_be_read(desk: Cli, tmp_path: Path) -> None:
    whole = gzip.compress("".join(json.dumps(row(f"r{n}", f"{ORCHARD} {n}")) + "\n" for n in range(3000)).encode())
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(whole[: len(whole) // 2])
    done = desk.run("dedupe", str(broken), "--json", code=1)
    assert done.stdout.splitlines()
    assert b"ended before" in done.stderr


def test_the_report_shows_what_differs(desk: Cli, tmp_path: Path) -> None:
    archive = write(tmp_path / "a.jsonl", [row("first", HARBOUR), row("second", REWRITTEN)])
    done = desk.run("dedupe", str(archive), "--threshold", "loose", "--report", str(tmp_path / "report.txt"))
    assert b"near_duplicate" in done.stdout
    report = (tmp_path / "report.txt").read_text()
    assert "second: near_duplicate" in report
    assert "~ corroded  |  rusted" in report


def test_wrong_words_are_refused(desk: Cli, tmp_path: Path) -> None:
    archive = write(tmp_path / "a.jsonl", [row("first", HARBOUR)])
    nowhere = desk.run("dedupe", str(archive), "--report", str(tmp_path / "none" / "copies.txt"), code=2)
    assert b"cannot write" in nowhere.stderr
    assert b"would replace" in desk.run("dedupe", str(archive), "--report", str(archive), code=2).stderr
    assert archive.stat().st_size, "the archive is still there"
    assert b"strict, balanced or loose" in desk.run("dedupe", str(archive), "--threshold", "odd", code=2).stderr
    assert b"cannot read" in desk.run("dedupe", str(tmp_path / "none.jsonl"), code=2).stderr
    assert b"the memory knows nothing" in desk.run("families", "show", "0" * 32, code=1).stderr
    assert b"nothing is stored" in desk.run("families", "show", "https://nobody.example/", code=2).stderr


def test_a_dropped_copy_is_explained_and_can_be_brought_back_and_merged_again(desk: Cli, tmp_path: Path) -> None:
    first = write(tmp_path / "first.jsonl", [{"guid": "g1", "headline": "Harbour gates", "body_text": HARBOUR}])
    copy = f"ELN (Agency) - {REWRITTEN}\n\n(Reporting by Agency)"
    named = {"guid": "c1", "headline": "Basin \x1b[7mclosed", "url": "https://courier.example/basin"}
    second = write(tmp_path / "second.jsonl", [named | {"body_text": copy}])
    desk.run("ingest", str(first), "--source", "gazette", "--until-idle")
    desk.run("ingest", str(second), "--source", "courier", "--until-idle")
    (stored,) = desk.lines("records")
    assert [seen["source_id"] for seen in stored["seen_in"]] == ["courier"]

    family = desk.json("families", "show", "https://courier.example/basin")
    assert [seen["url"] for seen in family["seen_in"]] == ["https://courier.example/basin"]
    assert family["head_id"] == stored["id"]
    dropped = next(member for member in family["members"] if member["state"] == "dropped")
    assert dropped["source_id"] == "courier"

    shown = desk.run("explain", dropped["id"][:10]).stdout.decode()
    assert "corroded" in shown
    assert "\x1b" not in shown, "a headline commands no terminal"
    life = desk.json("explain", f"{second}#0")
    (receipt,) = life["receipts"]
    assert receipt["verdict"] == "near_duplicate"
    assert receipt["matched_id"] == stored["id"]
    passages = [passage for passage in receipt["passages"] if passage["kind"] == "changed"]
    assert {"kind": "changed", "head": "corroded", "copy": "rusted"} in passages

    alone = desk.json("families", "split", dropped["id"])
    assert alone["head_id"] == dropped["id"]
    desk.run("run", "--until-idle")
    assert {record["source_id"] for record in desk.lines("records")} == {"gazette", "courier"}
    assert desk.json("reconcile")["balanced"]

    again = desk.json("families", "merge", stored["id"], dropped["id"])
    assert again["head_id"] == stored["id"]
    assert {member["id"] for member in again["members"]} == {stored["id"], dropped["id"]}


def test_a_purged_source_is_no_longer_copied(desk: Cli, tmp_path: Path) -> None:
    first = write(tmp_path / "first.jsonl", [{"guid": "g1", "headline": "Harbour gates", "body_text": HARBOUR}])
    desk.run("ingest", str(first), "--source", "gazette", "--until-idle")
    assert b"forgot 1 of its articles" in desk.run("sources", "remove", "gazette", "--purge").stdout
    second = write(tmp_path / "second.jsonl", [{"guid": "c1", "headline": "Basin", "body_text": HARBOUR}])
    desk.run("ingest", str(second), "--source", "courier", "--until-idle")
    assert {record["headline"] for record in desk.lines("records")} == {"Harbour gates", "Basin"}
