"""Bells that wait long, ring twice or come late never pull a source twice; an idle system owes no feed a poll."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk_support import Office, office_fixture, text_article
from worker import pipeline
from worker.model import Source
from worker.operate.idle import what_waits

office = office_fixture()


@pytest.fixture
def drop(office: Office, tmp_path: Path) -> Path:
    """A watched directory with one file."""
    path = tmp_path / "drop"
    path.mkdir()
    (path / "a.txt").write_text(text_article(1))
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(path)))
    return path


def test_a_second_bell_for_one_turn_pulls_nothing(office: Office, drop: Path) -> None:
    """Bells wait in a long queue: after the lease the next tick rings again."""
    assert pipeline.tick(office.desk) == 1
    office.due_now("drop")  # the lease has lapsed, and nobody has answered the first bell
    assert pipeline.tick(office.desk) == 1
    office.step()
    office.bells.waiting.remove(("parse", "news", office.bells.rung[-1][2]))
    (drop / "b.txt").write_text(text_article(2))
    office.drain()
    assert office.desk.counters.totals()["received"] == 1, "the second file waits for its turn"
    office.due_now("drop")
    assert pipeline.tick(office.desk) == 1
    office.drain()
    assert office.desk.counters.totals()["received"] == 2


def test_a_bell_that_comes_while_the_source_is_pulled_pulls_nothing(
    office: Office, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drop.is_dir()
    receive = office.desk.receive

    def receive_while_another_bell_rings(*arguments: object, **named: object) -> None:
        monkeypatch.undo()
        pipeline.pull(office.desk, "drop")
        receive(*arguments, **named)  # type: ignore[arg-type]  # what was given to it

    monkeypatch.setattr(office.desk, "receive", receive_while_another_bell_rings)
    pipeline.tick(office.desk)
    office.drain()
    assert office.desk.counters.totals()["received"] == 1


def test_a_pull_that_died_is_rung_again_when_its_lease_has_lapsed(office: Office, drop: Path) -> None:
    assert drop.is_dir()
    assert pipeline.tick(office.desk) == 1
    assert office.desk.sources.take("drop"), "and then its worker dies"
    assert pipeline.tick(office.desk) == 0
    office.due_now("drop")
    assert pipeline.tick(office.desk) == 1
    office.drain()
    assert office.verdicts() == {"stored": 1}


def test_a_feed_whose_poll_is_under_way_is_waited_for(office: Office, tmp_path: Path) -> None:
    """The second `run --until-idle` of a day must not end before it has asked the feeds that are due."""
    sources = office.desk.sources
    sources.add(Source(id="county", kind="feed", url=str(tmp_path / "county.rss")))
    sources.note("county", {"pulled_at": "1000"})
    assert what_waits(office.desk, since=2000) == "source county", "due"
    assert pipeline.tick(office.desk) == 1
    assert what_waits(office.desk, since=2000) == "source county", "its bell rings"
    assert [feed.source.id for feed in office.desk.feeds.take(10)] == ["county"]
    assert what_waits(office.desk, since=2000) == "source county", "somebody answers it"
    office.desk.feeds.settle("county", 3600, {"pulled_at": "2001"})
    assert what_waits(office.desk, since=2000) is None
    assert what_waits(office.desk, since=3000) is None, "not due yet"


def test_a_feed_pulled_since_the_start_is_not_waited_for_again(office: Office, tmp_path: Path) -> None:
    """Many feeds with short intervals would else never all rest at once."""
    office.desk.sources.add(Source(id="county", kind="feed", url=str(tmp_path / "county.rss")))
    office.desk.sources.note("county", {"pulled_at": "2001"})
    assert pipeline.tick(office.desk) == 1
    assert what_waits(office.desk, since=2000) is None


def test_a_source_that_is_removed_or_paused_leaves_no_call(office: Office, drop: Path) -> None:
    assert drop.is_dir()
    assert pipeline.tick(office.desk) == 1
    office.desk.sources.remove("drop")
    watched = Source(id="other", kind="directory", path=str(drop))
    office.desk.sources.sync((watched,))
    assert pipeline.tick(office.desk) == 1
    office.desk.sources.sync((Source(id="other", kind="directory", path=str(drop), enabled=False),))
    assert office.desk.redis.exists(office.desk.keys.name("calls")) == 0
    office.drain()
    assert office.desk.counters.totals()["received"] == 0
