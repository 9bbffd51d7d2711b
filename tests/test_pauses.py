"""What is paused stands still and loses nothing; what would bury everything pauses by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli_support import Cli
from tests.desk_support import Office, document, office_fixture, receive, text_article
from worker import pipeline
from worker.desk import Desk
from worker.errors import ConfigurationError
from worker.model import LANES, Lane, Source
from worker.operate.drain import drained
from worker.operate.idle import what_waits
from worker.operate.status import snapshot
from worker.state.keys import RECEIVED
from worker.state.pauses import Pauses, check_scope

LIMITS = {
    "COPYDESK_BURIALS_DOCUMENTS": "3",
    "COPYDESK_BURIALS_SHARE": "0.5",
    "COPYDESK_PRESSURE_FAIR_DOCUMENTS": "6",
    "COPYDESK_BATCHES_DOCUMENTS": "4",
}


office = office_fixture(LIMITS)


def articles(desk: Desk, *numbers: int, lane: Lane = "news") -> str:
    """A batch of articles that waits to be parsed."""
    return receive(desk, *[document(text_article(n).encode(), f"{n}.txt") for n in numbers], lane=lane)


def sweep(office: Office) -> int:
    return pipeline.sweep(office.desk)


@pytest.mark.parametrize("scope", ["all", "stage:parse", "lane:news"])
def test_a_paused_stage_takes_nothing_and_goes_on_with_all_of_it(office: Office, scope: str) -> None:
    batch = articles(office.desk, 1, 2)
    office.desk.pauses.pause(scope, "an upgrade")
    pipeline.parse(office.desk, batch)
    assert sweep(office) == 0, "nobody is called to what is paused"
    assert office.verdicts() == {}
    assert snapshot(office.desk)["pauses"][0]["reason"] == "an upgrade"
    assert office.desk.pauses.resume(scope)
    assert sweep(office) == 1
    office.drain()
    assert office.verdicts() == {"stored": 2}


def test_a_pause_between_parse_and_dedupe_holds_what_is_parsed(office: Office) -> None:
    office.desk.pauses.pause("stage:dedupe", "index is rebuilt")
    office.bells.ring("parse", "news", articles(office.desk, 1))
    office.drain()
    assert office.verdicts() == {}
    assert office.desk.counters.totals()["parsed"] == 1
    office.desk.pauses.resume("stage:dedupe")
    assert sweep(office) == 1
    office.drain()
    assert office.verdicts() == {"stored": 1}


def test_a_paused_lane_lets_the_other_pass(office: Office) -> None:
    office.desk.pauses.pause("lane:backfill", "news first")
    for lane in LANES:
        office.bells.ring("parse", lane, articles(office.desk, len(lane), lane=lane))
    office.drain()
    assert office.verdicts() == {"stored": 1}
    assert drained(office.desk, lane="news") is None or "store" in str(drained(office.desk, lane="news"))
    assert drained(office.desk, lane="backfill") == "1 batches in flight"


def test_a_paused_source_is_not_pulled_and_waited_for_by_nobody(office: Office, tmp_path: Path) -> None:
    for name in ("paused", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(text_article(len(name)))
        office.desk.sources.add(Source(id=name, kind="directory", path=str(tmp_path / name)))
    office.desk.pauses.pause("source:paused", "publisher asked")
    assert pipeline.tick(office.desk) == 2
    office.drain()
    assert "publisher asked" in office.desk.recall("paused")["problem"]
    assert office.desk.counters.by_source().keys() == {"other"}
    office.store()
    assert what_waits(office.desk, since=1.0) is None
    office.desk.pauses.resume("source:paused")
    assert what_waits(office.desk, since=1.0) == "source paused"
    office.due_now("paused")
    pipeline.tick(office.desk)
    office.drain()
    assert office.desk.counters.by_source()["paused"]["stored"] == 1


def test_no_source_is_called_while_pulling_is_paused(office: Office, tmp_path: Path) -> None:
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(tmp_path)))
    office.desk.pauses.pause("stage:pull", "an upgrade")
    assert pipeline.tick(office.desk) == 0
    office.desk.pauses.resume("stage:pull")
    assert pipeline.tick(office.desk) == 1


@pytest.mark.parametrize("scope", ["stage:moon", "lane:fast", "source:", "everything", "", "stage"])
def test_what_does_not_exist_cannot_be_paused(scope: str) -> None:
    with pytest.raises(ConfigurationError):
        check_scope(scope)


def test_a_pause_is_seen_by_others(office: Office) -> None:
    other = Pauses(office.desk.redis, office.desk.keys)
    office.desk.pauses.pause("stage:store", "disk is changed")
    assert "disk is changed" in str(other.why("store"))
    assert other.why("parse") is None


def broken(office: Office, count: int) -> str:
    """A batch of documents that die: the spool has lost their bytes."""
    documents = [document(b"gone", f"gone-{n}.txt") for n in range(count)]
    lost = [msgspec.structs.replace(one, content=None, content_ref="0" * 64) for one in documents]
    return receive(office.desk, *lost)


def test_a_few_may_die(office: Office) -> None:
    pipeline.parse(office.desk, broken(office, 3))
    assert office.verdicts() == {"dead": 3}
    assert office.desk.counters.events()["buried"] == 3
    assert office.desk.pauses.all() == []


def test_a_bad_deployment_does_not_bury_everything(office: Office) -> None:
    batches = [broken(office, 2), broken(office, 2), broken(office, 2)]
    for batch in batches:
        pipeline.parse(office.desk, batch)
    assert office.verdicts() == {"dead": 2}
    (pause,) = office.desk.pauses.all()
    assert (pause.scope, pause.alert) == ("stage:parse", True)
    assert "4 of 4 documents would have died" in pause.reason
    assert office.desk.counters.in_flight() == 4, "kept, and not held against them"
    claim = office.desk.ledger.claim(batches[1], "received")
    assert claim is not None
    assert claim.deliveries == 1


def test_what_dies_among_many_is_no_alarm(office: Office) -> None:
    for first in range(0, 12, 4):
        office.bells.ring("parse", "news", articles(office.desk, *range(first, first + 4)))
    office.drain()
    pipeline.parse(office.desk, broken(office, 4))
    assert office.verdicts() == {"stored": 12, "dead": 4}
    assert office.desk.pauses.all() == []


def test_what_passed_several_stages_counts_once_beside_what_died(office: Office) -> None:
    office.bells.ring("parse", "news", articles(office.desk, *range(4)))
    office.drain()
    pipeline.parse(office.desk, broken(office, 5))
    (pause,) = office.desk.pauses.all()
    assert "5 of 9 documents would have died" in pause.reason


def test_a_source_with_much_in_flight_queues_behind_all_others(office: Office, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    for number in range(24):
        (drop / f"{number:02}.txt").write_text(text_article(number))
    feed = tmp_path / "feed.json"
    feed.write_text(json.dumps({"headline": "Ferry late", "url": "https://a.example/1", "body": "late again " * 20}))
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(drop)))
    pipeline.pull(office.desk, "drop")
    queues = [lane for task, lane, _ in office.bells.rung if task == "parse"]
    assert queues == ["news", "backfill", "backfill", "backfill", "backfill", "backfill"]
    fast = receive(office.desk, document(feed.read_bytes(), "feed.json"), source_id="feed")
    office.desk.ring("parse", office.desk.queue_lane("feed", "news"), fast)
    assert office.bells.rung[-1] == ("parse", "news", fast)
    assert sweep(office) == 0, "bells in the other queue count"
    lanes: dict[str, int] = {"news": 0, "backfill": 0}
    for row in office.desk.counters.depths():
        lanes[row.lane] += row.documents
    assert lanes == {"news": 25, "backfill": 0}, "in the ledger they keep their lane"
    office.drain()
    assert office.verdicts() == {"stored": 25}


def test_lost_bells_of_such_a_source_are_rung_where_they_were(office: Office) -> None:
    for first in range(0, 12, 4):
        articles(office.desk, *range(first, first + 4))
    assert sweep(office) == 3
    assert {lane for _, lane, _ in office.bells.rung} == {"backfill"}


def test_a_store_that_refuses_everything_pauses_and_keeps_its_records(office: Office) -> None:
    desk = office.desk
    refuse = desk.burials.refuse
    assert refuse("store", 0, 500) is None
    assert refuse("store", 3, 0) is None
    desk.burials.note_refused(3)
    assert refuse("store", 4, 10) is None, "some among many"
    assert "7 of 7 documents would have died" in str(refuse("store", 4, 0))
    assert desk.pauses.why("store") is not None
    assert desk.pauses.why("parse") is None


@pytest.mark.parametrize("asked", [{}, {"stage": "pull"}, {"lane": "news"}, {"source_id": "drop"}])
def test_nothing_is_drained_while_a_pull_that_began_before_the_pause_goes_on(
    office: Office, tmp_path: Path, asked: dict[str, Any]
) -> None:
    desk = office.desk
    desk.sources.add(Source(id="drop", kind="directory", path=str(tmp_path)))
    assert desk.sources.pop_due() == ["drop"]
    assert drained(desk, **asked) is None, "a bell that waits is let go while intake is paused"
    assert desk.sources.take("drop")
    desk.pauses.pause("stage:pull", "drained")
    assert drained(desk, **asked) == "sources being pulled: drop"
    assert drained(desk, lane="backfill") is None
    desk.sources.reschedule("drop", 0.0)
    assert drained(desk, **asked) is None, "whoever pulled it has died"
    desk.sources.finish("drop", 60.0)
    assert drained(desk, **asked) is None


def test_a_stage_is_not_drained_while_the_one_before_still_works(office: Office) -> None:
    desk = office.desk
    batch = articles(desk, 1)
    desk.pauses.pause("stage:parse", "drained")
    assert drained(desk, stage="dedupe") is None, "nobody has begun with it"
    claim = desk.ledger.claim(batch, RECEIVED)
    assert claim is not None
    assert drained(desk, stage="dedupe") == "batches on their way to dedupe"
    desk.ledger.hand_back(claim)
    assert drained(desk, stage="dedupe") is None


def test_the_store_is_drained_though_other_stages_stand_still_with_work(office: Office) -> None:
    articles(office.desk, 1)
    office.desk.pauses.pause("stage:dedupe", "drained")
    assert drained(office.desk) == "1 batches in flight"
    assert drained(office.desk, stage="store") is None


@pytest.mark.slow
def test_pause_drain_and_resume_through_the_command(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    (tmp_path / "a.txt").write_text(text_article(1))
    desk.run("pause", "--stage", "parse", "--reason", "look first")
    stuck = desk.run("ingest", "a.txt", "--until-idle", code=1)
    assert b"stage:parse is paused: look first" in stuck.stderr
    assert b"stage:parse" in desk.run("status").stdout
    said = desk.run("drain", "--timeout", "0", code=1).stderr
    assert b"1 batches in flight; stage:parse is paused; nobody serves parse" in said, "with what holds it up"
    assert {row["resumed"] for row in desk.lines("resume")} == {"stage:parse", "stage:pull"}
    assert desk.json("run", "--until-idle")["counters"]["stored"] == 1
    assert desk.json("drain", "--lane", "news") == {"drained": True, "paused": "intake:news"}
    assert desk.lines("resume", "--lane", "news") == [{"resumed": "intake:news"}]
    assert desk.run("resume").stdout == b"nothing was paused\n"
    assert desk.run("pause", "--source", "nobody", code=2)
    assert desk.run("resume", "--lane", "news", code=2)
