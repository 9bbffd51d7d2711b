"""`copydesk top`: looks become rows and rates."""

from __future__ import annotations

from typing import Any

from tests.desk_support import Office, document, office_fixture, receive, text_article
from tests.http_support import Server, feed_answer
from tests.manners_support import item, rss
from worker import pipeline
from worker.model import Source
from worker.operate.status import snapshot
from worker.operate.top import view
from worker.state.pulses import Pulses

office = office_fixture({"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0"})


def later(look: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {**look, "at": look["at"] + seconds}


def queues(picture: dict[str, Any], fact: str) -> dict[str, Any]:
    return {row["queue"]: row[fact] for row in picture["queues"]}


def test_a_fetch_shows_with_what_came_of_it(office: Office, server: Server) -> None:
    server.answers["/feed"] = feed_answer(rss(item(1, text=text_article(1))), ETag='"one"')
    server.answers["/broken"] = lambda handler: handler.give(503, Retry_After="7200")
    for path in ("feed", "broken"):
        office.desk.sources.add(Source(id=path, kind="feed", url=server.url(f"/{path}"), allowed_hosts=("127.0.0.1",)))
    before = view(snapshot(office.desk), None, 10)
    assert (queues(before, "waiting")["pull"], before["sources"]["last_fetched"]) == (2, [])
    while pipeline.poll(office.desk):
        pass
    sources = view(snapshot(office.desk), None, 10)["sources"]
    assert {row["id"]: row["status"] for row in sources["last_fetched"]} == {"feed": 200, "broken": 503}
    assert sources["states"] == {"healthy": 1, "failing": 1}
    (trouble,) = sources["in_trouble"]
    assert (trouble["id"], trouble["state"]) == ("broken", "failing")
    assert trouble["problem"] == "http_status: HTTP 503 Service Unavailable"
    assert trouble["due_in_seconds"] > 7000


def test_two_looks_give_rates(office: Office) -> None:
    first = snapshot(office.desk)
    batches = [receive(office.desk, document(text_article(n).encode(), f"{n}.txt")) for n in range(10)]
    for batch in batches[:6]:
        pipeline.parse(office.desk, batch)
    for batch in batches[:4]:
        pipeline.dedupe(office.desk, batch)
    office.store()
    second = later(snapshot(office.desk), 0.0)
    second["at"] = first["at"] + 2.0
    assert set(queues(view(first, None, 10), "per_second").values()) == {None}
    picture = view(second, first, 10)
    assert queues(picture, "waiting") == {"pull": 0, "parse": 4, "dedupe": 2, "store": 0}
    assert queues(picture, "per_second") == {"pull": 5.0, "parse": 3.0, "dedupe": 2.0, "store": 2.0}
    assert queues(picture, "oldest_seconds")["parse"] >= 0
    assert queues(picture, "oldest_seconds")["store"] is None
    assert (picture["in_flight"], picture["letters"]) == (6, {"dead": 0, "rejected": 0})


def test_processes_pauses_and_what_nobody_serves(office: Office) -> None:
    pulses = Pulses(office.desk.settings, office.server_url, "pull-1", ("pull",))
    pulses.give(answered=5)
    first = snapshot(office.desk)
    office.desk.pauses.pause("stage:parse", "too many die", alert=True)
    picture = view(later(first, 1.0), first, 10)
    (process,) = picture["processes"]
    assert (process["serves"], process["taken"], process["per_second"]) == (["pull"], 5, None)
    moved = [{**row, "answered": 25, "monotonic": row["monotonic"] + 4.0} for row in first["processes"]]
    picture = view(later(snapshot(office.desk), 1.0) | {"processes": moved}, first, 10)
    assert picture["processes"][0]["per_second"] == 5.0
    assert "stage:parse is paused: too many die" in picture["alerts"]
    assert "nobody serves dedupe" in picture["alerts"]
    assert "nobody serves pull" not in picture["alerts"]


def test_the_worst_sources_come_first_and_the_rest_is_counted(office: Office) -> None:
    look = snapshot(office.desk)
    states = ["quiet", "late", "gone", "failing", "late"]
    look["sources_in_trouble"] = [
        {"id": f"{state}-{n}", "state": state, "problem": "", "due_in_seconds": -float(n)}
        for n, state in enumerate(states)
    ]
    sources = view(look, None, 3)["sources"]
    assert [row["id"] for row in sources["in_trouble"]] == ["failing-3", "late-4", "late-1"]
    assert sources["in_trouble_not_shown"] == 2
