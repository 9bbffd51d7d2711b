"""Fetching and polling feeds: a real HTTP server on the loopback, and local files."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.intake_support import MemoryReceiver, moment, settings_for
from worker.config import Feeds, Settings
from worker.errors import FetchError, StateError
from worker.intake import pull_source
from worker.intake.feed import LONGEST_INTERVAL_SECONDS, next_interval
from worker.intake.fetch import Fetched, Gate, fetch_feed, gunzip
from worker.intake.receiver import PAUSE_SECONDS
from worker.model import Source
from worker.state.spool import Spool

FEED = b"<rss version='2.0'><channel><title>T</title></channel></rss>"
CAP = 10_000
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the test told the server to."""

    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        with contextlib.suppress(ConnectionError):
            self.server.answers[self.path](self)

    def give(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it
        pass


class Server(ThreadingHTTPServer):
    """Paths with their answers, and the requests seen."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def drip(self, handler: Handler, piece: bytes) -> None:
        """Send the piece now and then until the client goes away."""
        while not self.stopping.wait(0.01):
            handler.wfile.write(piece)


def redirect_to(location: str) -> Answer:
    return lambda handler: handler.give(302, Location=location)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    feeds = Feeds(timeout_seconds=20.0, document_bytes=CAP, user_agent="copydesk tests", interval_seconds=600.0)
    return msgspec.structs.replace(settings_for(tmp_path), feeds=feeds)


def impatient(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, feeds=msgspec.structs.replace(settings.feeds, timeout_seconds=0.3))


def feed(url: str) -> Source:
    return Source(id="feed", kind="feed", url=url, name="A feed", language="en")


def fetch(url: str, settings: Settings, validators: dict[str, str] | None = None, gate: Gate | None = None) -> Fetched:
    return fetch_feed(feed(url), validators or {}, settings, Spool(settings.data / "spool"), moment(), gate)


def refusal(url: str, settings: Settings) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(url, settings)
    return caught.value


def test_a_feed_comes_with_what_http_said(server: Server, settings: Settings) -> None:
    server.answers["/f"] = lambda handler: handler.give(
        200, FEED, ETag='W/"1"', Last_Modified="yesterday-ish", Content_Type="Application/RSS+xml; charset=ISO-8859-1"
    )
    fetched = fetch(server.url("/f"), settings)
    document = fetched.document
    assert document is not None
    assert document.http is not None
    assert (document.content, document.size_bytes, document.origin) == (FEED, len(FEED), server.url("/f"))
    assert (document.media_type, (document.encoding_declared or "").lower()) == ("application/rss+xml", "iso-8859-1")
    assert (document.http.status, document.http.etag, document.http.url) == (200, 'W/"1"', server.url("/f"))
    assert (document.source_name, document.language) == ("A feed", "en")
    assert (fetched.status, fetched.bytes) == (200, len(FEED))
    assert server.seen[0][1]["user-agent"] == "copydesk tests"
    assert "if-none-match" not in server.seen[0][1]


def test_validators_are_echoed_byte_for_byte_and_304_means_not_modified(server: Server, settings: Settings) -> None:
    etag, date = 'W/"caf\xe9 ,;=\\"', "Tue,  3 Jun 2008 11:05:30 GMT (about)"

    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == etag and handler.headers.get("If-Modified-Since") == date:
            handler.give(304)
        else:
            handler.give(200, FEED, ETag=etag, Last_Modified=date)

    server.answers["/f"] = answer
    first = fetch(server.url("/f"), settings)
    second = fetch(server.url("/f"), settings, first.validators)
    assert first.document is not None
    assert (second.document, second.status, second.validators) == (None, 304, first.validators)


def test_validators_of_another_url_are_not_sent(server: Server, settings: Settings) -> None:
    server.answers["/old"] = server.answers["/new"] = lambda handler: handler.give(200, FEED, ETag='"1"')
    old = fetch(server.url("/old"), settings)
    assert fetch(server.url("/new"), settings, old.validators).document is not None
    assert "if-none-match" not in server.seen[1][1]


def test_redirects_are_followed_by_hand(server: Server, settings: Settings) -> None:
    admitted: list[str] = []

    class Notes:
        def admit(self, url: str) -> None:
            admitted.append(url)

    server.answers["/a"] = lambda handler: handler.give(301, Location="/b")
    server.answers["/b"] = lambda handler: handler.give(307, Location=server.url("/c"))
    server.answers["/c"] = lambda handler: handler.give(200, FEED)
    fetched = fetch(server.url("/a"), settings, gate=Notes())
    assert fetched.document is not None
    assert fetched.document.http is not None
    assert (fetched.document.origin, fetched.document.http.url) == (server.url("/a"), server.url("/c"))
    assert admitted == [server.url("/a"), server.url("/b"), server.url("/c")]


def test_five_redirects_are_followed_and_the_sixth_is_not(server: Server, settings: Settings) -> None:
    for number in range(1, 7):
        server.answers[f"/{number}"] = redirect_to(f"/{number - 1}")
    server.answers["/0"] = lambda handler: handler.give(200, FEED)
    assert fetch(server.url("/5"), settings).document is not None
    error = refusal(server.url("/6"), settings)
    assert (error.code, error.status) == ("http_status", 302)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_leads_to_http_only(server: Server, settings: Settings, target: str) -> None:
    server.answers["/a"] = redirect_to(target)
    assert refusal(server.url("/a"), settings).code == "refused"
    assert len(server.seen) == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://[bad", "http://", "data://x"])
def test_other_urls_are_refused(settings: Settings, url: str) -> None:
    assert refusal(url, settings).code == "refused"


def test_a_gate_can_refuse(server: Server, settings: Settings) -> None:
    class Shut:
        def admit(self, url: str) -> None:
            raise FetchError("refused", f"not {url}")

    with pytest.raises(FetchError, match="not http"):
        fetch(server.url("/f"), settings, gate=Shut())
    assert server.seen == []


@pytest.mark.parametrize("status", [204, 304, 404, 410, 429, 500, 503])
def test_other_answers_are_no_feed(server: Server, settings: Settings, status: int) -> None:
    server.answers["/f"] = lambda handler: handler.give(status)
    error = refusal(server.url("/f"), settings)
    assert (error.code, error.status) == ("http_status", status)


def test_gzip_is_expanded_member_by_member_and_padding_ignored(server: Server, settings: Settings) -> None:
    body = gzip.compress(FEED[:20]) + gzip.compress(FEED[20:]) + b"\x00" * 10
    server.answers["/f"] = lambda handler: handler.give(200, body, Content_Encoding="gzip")
    fetched = fetch(server.url("/f"), settings)
    assert fetched.document is not None
    assert (fetched.document.content, fetched.bytes) == (FEED, len(body))
    assert server.seen[0][1]["accept-encoding"] == "gzip"


def test_a_gzip_bomb_is_never_expanded_past_the_cap() -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    sizes: list[int] = []
    with pytest.raises(FetchError) as caught:
        sizes.extend(len(part) for part in gunzip(iter([bomb]), CAP))
    assert caught.value.code == "too_large"
    assert sum(sizes) <= CAP


@pytest.mark.parametrize("size", [CAP, CAP + 1])
def test_the_cap_counts_expanded_bytes(server: Server, settings: Settings, size: int) -> None:
    server.answers["/f"] = lambda handler: handler.give(200, gzip.compress(b"x" * size), Content_Encoding="gzip")
    if size <= CAP:
        document = fetch(server.url("/f"), settings).document
        assert document is not None
        assert Spool(settings.data / "spool").read(document.content_ref or "") == b"x" * size
    else:
        assert refusal(server.url("/f"), settings).code == "too_large"


def test_too_many_bytes_are_refused_announced_or_not(server: Server, settings: Settings) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        server.drip(handler, b"x" * 5000)

    server.answers["/announced"] = lambda handler: handler.give(200, b"x" * (CAP + 1))
    server.answers["/endless"] = endless
    assert refusal(server.url("/announced"), settings).code == "too_large"
    assert refusal(server.url("/endless"), settings).code == "too_large"


@pytest.mark.parametrize(
    ("coding", "body"),
    [("br", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(FEED)[:-12])],
    ids=["another coding", "broken", "cut off"],
)
def test_bodies_that_cannot_be_expanded_are_errors(
    server: Server, settings: Settings, coding: str, body: bytes
) -> None:
    server.answers["/f"] = lambda handler: handler.give(200, body, Content_Encoding=coding)
    assert refusal(server.url("/f"), settings).code == "network"


def test_a_body_that_stops_short_is_an_error(server: Server, settings: Settings) -> None:
    def short(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x")

    server.answers["/f"] = short
    assert refusal(server.url("/f"), settings).code == "network"


def test_a_body_that_drips_meets_the_deadline(server: Server, settings: Settings) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        server.drip(handler, b"x")

    server.answers["/f"] = drip
    assert refusal(server.url("/f"), impatient(settings)).code == "timeout"


def test_headers_that_drip_meet_the_deadline(server: Server, settings: Settings) -> None:
    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
        server.drip(handler, b"X: y\r\n")

    server.answers["/f"] = drip
    assert refusal(server.url("/f"), impatient(settings)).code == "timeout"


def test_redirects_share_one_deadline(server: Server, settings: Settings) -> None:
    def slow(handler: Handler) -> None:
        server.stopping.wait(0.2)
        handler.give(302, Location="/f")

    server.answers["/f"] = slow
    assert refusal(server.url("/f"), impatient(settings)).code == "timeout"


def test_nobody_listening_is_a_network_error(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert refusal(f"http://127.0.0.1:{taken.getsockname()[1]}/", settings).code == "network"


def test_credentials_are_used_and_never_written_down(server: Server, settings: Settings) -> None:
    server.answers["/f"] = lambda handler: handler.give(200, FEED)
    fetched = fetch(server.url("/f").replace("http://", "http://user:secret@"), settings)
    assert server.seen[0][1]["authorization"].startswith("Basic ")
    assert b"secret" not in msgspec.json.encode(fetched)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_local_feed_is_read_when_it_changed(tmp_path: Path, settings: Settings, scheme: str) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(FEED)
    first = fetch(f"{scheme}{path}", settings)
    again = fetch(f"{scheme}{path}", settings, first.validators)
    path.write_bytes(FEED + b"\n")
    changed = fetch(f"{scheme}{path}", settings, again.validators)
    assert first.document is not None
    assert first.document.content == FEED
    assert again.document is None
    assert changed.document is not None


def test_a_missing_local_feed_is_unreadable(tmp_path: Path, settings: Settings) -> None:
    assert refusal(str(tmp_path / "missing.xml"), settings).code == "unreadable"


def test_a_poll_saves_validators_with_the_batch_and_asks_with_them_next_time(
    server: Server, settings: Settings
) -> None:
    receiver, spool = MemoryReceiver(), Spool(settings.data / "spool")
    source = feed(server.url("/f"))
    server.answers["/f"] = lambda handler: (
        handler.give(304) if handler.headers.get("If-None-Match") == '"1"' else handler.give(200, FEED, ETag='"1"')
    )
    first = pull_source(source, receiver, settings, spool, moment())
    second = pull_source(source, receiver, settings, spool, moment(60))
    assert (first.documents, second.documents) == (1, 0)
    assert (first.next_due_seconds, second.next_due_seconds, second.problem) == (600.0, 600.0, None)
    assert receiver.contents == [FEED]
    assert receiver.recall("feed")["status"] == "304"
    own = pull_source(msgspec.structs.replace(source, interval_seconds=30.0), receiver, settings, spool, moment())
    assert own.next_due_seconds == 30.0


def test_a_batch_that_is_not_received_leaves_no_validators(server: Server, settings: Settings) -> None:
    receiver, spool = MemoryReceiver(), Spool(settings.data / "spool")
    server.answers["/f"] = lambda handler: handler.give(200, FEED, ETag='"1"')

    def fail(_: object) -> None:
        raise StateError("gone")

    receiver.on_receive = fail
    with pytest.raises(StateError):
        pull_source(feed(server.url("/f")), receiver, settings, spool, moment())
    assert receiver.recall("feed") == {}


def test_failures_are_remembered_double_the_interval_and_end_with_a_success(server: Server, settings: Settings) -> None:
    receiver, spool = MemoryReceiver(), Spool(settings.data / "spool")
    source = feed(server.url("/f"))
    server.answers["/f"] = lambda handler: handler.give(503)
    results = [pull_source(source, receiver, settings, spool, moment()) for _ in range(3)]
    assert [result.next_due_seconds for result in results] == [1200.0, 2400.0, 4800.0]
    state = receiver.recall("feed")
    assert state["failures"] == "3"
    assert state["problem"] == results[-1].problem == "http_status: HTTP 503 Service Unavailable"
    server.answers["/f"] = lambda handler: handler.give(200, FEED)
    assert pull_source(source, receiver, settings, spool, moment()).next_due_seconds == 600.0
    assert "failures" not in receiver.recall("feed")
    assert "problem" not in receiver.recall("feed")


def test_a_paused_intake_asks_no_feed(server: Server, settings: Settings) -> None:
    receiver = MemoryReceiver(pauses=["disk is full"])
    result = pull_source(feed(server.url("/f")), receiver, settings, Spool(settings.data), moment())
    assert (result.next_due_seconds, result.problem, result.more) == (PAUSE_SECONDS, "paused: disk is full", True)
    assert server.seen == []


def test_the_interval_doubles_up_to_a_day() -> None:
    assert [next_interval(600, failures) for failures in (0, 1, 2)] == [600, 1200, 2400]
    assert next_interval(600, 10_000) == LONGEST_INTERVAL_SECONDS
    assert next_interval(10 * LONGEST_INTERVAL_SECONDS, 3) == 10 * LONGEST_INTERVAL_SECONDS
