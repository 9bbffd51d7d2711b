"""WebSub: hubs are asked, their questions answered, their contents taken in when signed; silence costs only time."""

from __future__ import annotations

import hashlib
import hmac
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest

from tests.cli_support import Cli
from tests.desk_support import Office, office_fixture, text_article
from tests.http_support import Server, feed_answer
from tests.manners_support import DAY, HOUR, START, item, numbered, rss
from worker import pipeline
from worker.intake import websub
from worker.intake.http import HttpClient
from worker.intake.poll_state import PollState
from worker.intake.websub import Subscription, is_authentic, verify, wanted
from worker.model import Source
from worker.operate.feeds import why
from worker.operate.websub import CallbackServer, ask_hubs

TOPIC, HUB = "https://paper.example/feed", "https://hub.example/"
MEMORY = PollState(url=TOPIC, hubs=(HUB,))


class Hub(ThreadingHTTPServer):
    """A hub that keeps what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.forms: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Asked(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.forms.append(dict(parse_qsl(body.decode())))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it
        pass


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


office = office_fixture({"COPYDESK_FEEDS_HOST_SPACING_SECONDS": "0"})


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    with running(hub):
        yield hub


@pytest.fixture
def callback(office: Office) -> Iterator[str]:
    server = CallbackServer(("127.0.0.1", 0), office.desk)
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/websub"


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        request = urllib.request.Request(url, body, named)  # noqa: S310  # our own server
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # the same
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def subscribe(office: Office, server: Server, hub: Hub, callback: str, **facts: Any) -> dict[str, str]:
    """A feed that names the hub is polled once, and the hub asked; what the hub was asked."""
    content = numbered(1, head=f"<atom:link rel='hub' href='{hub.url}'/><atom:link rel='self' href='{TOPIC}'/>")
    server.answers["/feed"] = feed_answer(content, ETag='"one"')
    office.desk.sources.add(
        Source(id="paper", kind="feed", url=server.url("/feed"), allowed_hosts=("127.0.0.1",), **facts)
    )
    pipeline.poll(office.desk)
    office.drain()
    assert ask_hubs(office.desk, HttpClient("copydesk tests"), callback) == 1
    return hub.forms[-1]


def confirm(form: dict[str, str], **changed: str) -> tuple[int, bytes]:
    query = {
        "hub.mode": "subscribe",
        "hub.topic": form["hub.topic"],
        "hub.challenge": "abc123",
        "hub.lease_seconds": "864000",
        **{f"hub.{name}": value for name, value in changed.items()},
    }
    return ask(f"{form['hub.callback']}?{urlencode(query)}")


def signature(form: dict[str, str], body: bytes, method: str = "sha256") -> str:
    return f"{method}=" + hmac.new(form["hub.secret"].encode(), body, method).hexdigest()


def test_a_hub_is_asked_and_its_question_answered(office: Office, server: Server, hub: Hub, callback: str) -> None:
    form = subscribe(office, server, hub, callback)
    assert (form["hub.mode"], form["hub.topic"]) == ("subscribe", TOPIC)
    assert form["hub.callback"].startswith(f"{callback}/paper:")
    assert len(form["hub.secret"]) == 64
    assert confirm(form, topic="https://other.example/") == (404, b"")
    assert confirm(form, mode="unsubscribe") == (404, b"")
    assert confirm({**form, "hub.callback": f"{callback}/paper:guess"}) == (404, b"")
    assert confirm(form) == (200, b"abc123")
    known = websub.recalled(office.desk.recall("paper"))
    assert known is not None
    assert known.state == "active"
    assert ask_hubs(office.desk, HttpClient("copydesk tests"), callback) == 0


def test_what_a_hub_sends_is_taken_in_when_it_is_signed(
    office: Office, server: Server, hub: Hub, callback: str
) -> None:
    form = subscribe(office, server, hub, callback)
    confirm(form)
    body = rss(item(2), item(3))
    named = {"Content_Type": "application/rss+xml"}
    assert ask(form["hub.callback"], body, X_Hub_Signature="sha256=00", **named) == (202, b"")
    assert ask(form["hub.callback"], body, **named) == (202, b"")
    office.drain()
    assert office.verdicts() == {"stored": 1}, "what is not signed is passed over"
    for method in ("sha1", "sha512"):
        assert ask(form["hub.callback"], body, X_Hub_Signature=signature(form, body, method), **named)[0] == 202
    office.drain()
    assert office.verdicts() == {"stored": 3, "duplicate": 2}
    assert ask(f"{callback}/paper:guess", body, X_Hub_Signature=signature(form, body))[0] == 404


def test_polls_become_slow_while_the_hub_tells(office: Office, server: Server, hub: Hub, callback: str) -> None:
    form = subscribe(office, server, hub, callback)
    confirm(form)
    office.due_now("paper")
    pipeline.poll(office.desk)
    look = why(office.desk, "paper")
    assert look["due_in_seconds"] > 3 * HOUR
    assert "hub" in look["why_then"]


def test_where_pages_are_fetched_a_hub_only_wakes_the_poll(
    office: Office, server: Server, hub: Hub, callback: str
) -> None:
    server.answers["/robots.txt"] = lambda handler: handler.give(404)
    form = subscribe(office, server, hub, callback, full_text="auto")
    confirm(form)
    while pipeline.poll(office.desk):
        office.drain()
    assert office.desk.feeds.due() == 0
    whole = rss(item(3, text=text_article(3, words=200)))
    assert ask(form["hub.callback"], whole, X_Hub_Signature=signature(form, whole))[0] == 202
    assert office.desk.feeds.due() == 0, "there is nothing to fetch for it"
    body = rss(item(2))
    assert ask(form["hub.callback"], body, X_Hub_Signature=signature(form, body))[0] == 202
    assert office.desk.feeds.due() == 1


def test_a_body_that_is_too_large_is_not_read(office: Office, server: Server, hub: Hub, callback: str) -> None:
    form = subscribe(office, server, hub, callback)
    feeds = msgspec.structs.replace(office.desk.settings.feeds, document_bytes=10)
    office.desk.settings = msgspec.structs.replace(office.desk.settings, feeds=feeds)
    assert ask(form["hub.callback"], b"x" * 11)[0] == 413


def test_subscriptions_are_renewed_before_they_end_and_not_too_often() -> None:
    first = wanted(MEMORY, None, START, "paper:t", "s")
    assert first is not None
    assert (first.hub, first.topic) == (HUB, TOPIC)
    assert wanted(MEMORY, first, START + HOUR, "x", "x") is None, "the hub has a day to answer"
    again = wanted(MEMORY, first, START + DAY, "x", "x")
    assert again is not None
    assert (again.token, again.secret, again.asked_at) == ("paper:t", "s", START + DAY)
    query = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c", "hub.lease_seconds": "864000"}
    active = verify(first, query, START).subscription
    assert wanted(MEMORY, active, START + 7 * DAY, "x", "x") is None
    renewed = wanted(MEMORY, active, START + 8.5 * DAY, "x", "x")
    assert renewed is not None
    assert wanted(MEMORY, renewed, START + 8.6 * DAY, "x", "x") is None
    assert (active.is_active(START + 9.9 * DAY), active.is_active(START + 10.1 * DAY)) == (True, False)


def test_another_hub_or_topic_is_a_subscription_of_its_own() -> None:
    first = wanted(MEMORY, None, START, "a", "a")
    moved = wanted(msgspec.structs.replace(MEMORY, self_url="https://new.example/"), first, START + 1, "b", "b")
    assert moved is not None
    assert (moved.topic, moved.secret) == ("https://new.example/", "b")
    assert wanted(PollState(url=TOPIC), None, START, "a", "a") is None
    assert wanted(msgspec.structs.replace(MEMORY, gone_at=START), None, START, "a", "a") is None


def test_a_hub_may_deny_and_leases_are_bounded() -> None:
    known = Subscription(hub=HUB, topic=TOPIC, token="t", secret="s")
    denied = verify(known, {"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "no"}, START)
    assert (denied.status, denied.subscription.state, denied.subscription.reason) == (200, "denied", "no")
    query = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c", "hub.lease_seconds": "9" * 30}
    assert verify(known, query, START).subscription.lease_ends_at == START + 60 * DAY
    for missing in ("hub.challenge", "hub.lease_seconds", "hub.mode"):
        without = {name: value for name, value in query.items() if name != missing}
        assert verify(known, without, START).status == 404


@pytest.mark.parametrize("given", ["", "sha256", "md5=" + hashlib.md5(b"x").hexdigest(), "sha256=é", "sha256="])  # noqa: S324
def test_strange_signatures_are_none(given: str) -> None:
    assert not is_authentic(Subscription(hub=HUB, topic=TOPIC, token="t", secret="s"), given, b"x")


def test_the_command_refuses_what_cannot_work(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    assert b"HOST:PORT" in desk.run("websub", "--callback", "https://x.example/", "--listen", "8711", code=2).stderr
    assert b"--callback" in desk.run("websub", "--callback", "x.example", code=2).stderr
