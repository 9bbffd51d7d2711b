"""Sources: definitions from file and command line, due times with leases, and what a pull notes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.desk_support import Office, office_fixture, text_article
from worker import pipeline
from worker.errors import ConfigurationError, StateError
from worker.model import Source
from worker.state.sources import LEASE_SECONDS, Sources

office = office_fixture()


@pytest.fixture
def sources(office: Office) -> Sources:
    return office.desk.sources


def directory(source_id: str = "drop", **facts: Any) -> Source:
    return Source(**{"id": source_id, "kind": "directory", "path": "drop", **facts})


def ids(sources: Sources) -> list[str]:
    return [state.source.id for state in sources.all()]


def due_in(sources: Sources, source_id: str) -> float | None:
    return next(state.due_in_seconds for state in sources.all() if state.source.id == source_id)


def test_the_file_decides_about_its_own_and_leaves_the_added_ones(sources: Sources) -> None:
    sources.sync((directory("a"), directory("b")))
    sources.add(directory("mine"))
    sources.sync((directory("b", path="elsewhere"), directory("c")))
    assert ids(sources) == ["b", "c", "mine"]
    assert [state.origin for state in sources.all()] == ["config", "config", "added"]
    changed = sources.get("b")
    assert changed is not None
    assert changed.path == "elsewhere"
    assert sources.get("a") is None


def test_syncing_again_changes_no_due_time(sources: Sources) -> None:
    sources.sync((directory(),))
    sources.reschedule("drop", 500)
    sources.sync((directory(),))
    due = due_in(sources, "drop")
    assert due is not None
    assert due > 400


def test_an_id_is_given_once(sources: Sources) -> None:
    sources.add(directory())
    with pytest.raises(ConfigurationError, match="exists already"):
        sources.add(directory())
    with pytest.raises(ConfigurationError, match="use letters"):
        sources.add(directory("no spaces"))


def test_removing_forgets_everything(sources: Sources) -> None:
    sources.add(directory())
    sources.note("drop", {"etag": "x"})
    sources.remove("drop")
    assert (ids(sources), sources.recall("drop"), sources.pop_due()) == ([], {}, [])
    with pytest.raises(ConfigurationError, match="there is no source"):
        sources.remove("drop")


def test_what_the_file_defines_is_removed_in_the_file(sources: Sources) -> None:
    sources.sync((directory(),))
    with pytest.raises(ConfigurationError, match=r"sources\.toml"):
        sources.remove("drop")


def test_ensure_registers_once_and_answers_the_registered_one(sources: Sources) -> None:
    first = sources.ensure(Source(id="push", kind="push", name="First"))
    assert sources.ensure(Source(id="push", kind="push", name="Second")) == first
    assert sources.pop_due() == [], "nothing is pulled from a push source"
    with pytest.raises(ConfigurationError):
        sources.ensure(Source(id="no spaces", kind="push"))


def test_a_due_source_is_named_once_a_lease(sources: Sources) -> None:
    sources.sync((directory("a"), directory("b"), directory("off", enabled=False)))
    assert sorted(sources.pop_due()) == ["a", "b"]
    assert sources.pop_due() == []
    due = due_in(sources, "a")
    assert due is not None
    assert 0 < due <= LEASE_SECONDS
    sources.reschedule("a", -1)
    assert sources.pop_due() == ["a"]
    assert due_in(sources, "off") is None


def test_pausing_in_the_file_takes_the_due_time_away(sources: Sources) -> None:
    sources.sync((directory(),))
    sources.sync((directory(enabled=False),))
    assert sources.pop_due() == []
    sources.sync((directory(),))
    assert sources.pop_due() == ["drop"]


def test_a_removed_source_is_not_scheduled_again(sources: Sources) -> None:
    sources.add(directory())
    sources.remove("drop")
    sources.reschedule("drop", -1)
    assert sources.pop_due() == []


def test_notes_replace_and_an_empty_value_removes(sources: Sources) -> None:
    sources.note("drop", {"etag": "1", "status": "200"})
    sources.note("drop", {"etag": "", "status": "304"})
    sources.note("drop", {})
    assert sources.recall("drop") == {"status": "304"}


def test_a_pull_notes_its_problem_and_the_next_one_clears_it(office: Office, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    office.desk.sources.add(directory(path=str(drop)))
    pipeline.pull(office.desk, "drop")
    assert "No such file" in office.desk.recall("drop")["problem"]
    drop.mkdir()
    (drop / "a.txt").write_text(text_article(1))
    office.due_now("drop")
    pipeline.pull(office.desk, "drop")
    poll = office.desk.recall("drop")
    assert "problem" not in poll
    assert float(poll["pulled_at"]) > 0
    due = due_in(office.desk.sources, "drop")
    assert due is not None
    assert due > 0


def test_an_error_of_the_state_is_noted_and_tried_again_within_a_minute(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StateError("the spool cannot write: No space left on device")

    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "large.txt").write_text("x" * 1_000_001)
    office.desk.sources.add(directory(path=str(tmp_path / "drop")))
    with monkeypatch.context() as patch:
        patch.setattr(office.desk.spool, "put", full)
        pipeline.pull(office.desk, "drop")
    poll = office.desk.recall("drop")
    assert ("No space left" in poll["problem"], poll["more"]) == (True, "1")
    due = due_in(office.desk.sources, "drop")
    assert due is not None
    assert due <= 60
    office.due_now("drop")
    pipeline.pull(office.desk, "drop")
    assert "problem" not in office.desk.recall("drop")
    assert office.desk.counters.totals()["received"] == 1


def test_a_source_removed_while_it_is_pulled_leaves_nothing(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = office.desk
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "a.txt").write_text(text_article(1))
    desk.sources.add(directory(path=str(tmp_path / "drop")))
    receive = desk.receive

    def remove_then_receive(*arguments: Any, **named: Any) -> None:
        desk.sources.remove("drop")
        receive(*arguments, **named)

    monkeypatch.setattr(desk, "receive", remove_then_receive)
    pipeline.pull(desk, "drop")
    assert desk.redis.exists(desk.keys.poll("drop")) == 0
    assert desk.sources.pop_due() == []
    assert desk.counters.totals()["received"] == 1, "what was read is not lost"


def test_a_disabled_source_is_not_pulled(office: Office, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "a.txt").write_text(text_article(1))
    office.desk.sources.add(directory(path=str(tmp_path / "drop"), enabled=False))
    pipeline.pull(office.desk, "drop")
    assert office.desk.recall("drop") == {}
