"""How bytes travel: time and size are bounded, codings expanded, secrets kept, HTTP/2 spoken where it is offered."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import brotli
import msgspec
import pytest
import structlog
from backports import zstd
from rich.pretty import pretty_repr
from typer.testing import CliRunner

from tests.desk_support import Office, office_fixture
from tests.http_support import (
    FEED,
    Handler,
    Http2Server,
    Names,
    Server,
    feed_answer,
    get,
    make_authority,
    redirect_to,
    refusal,
    serving,
)
from worker import pipeline
from worker.cli import app
from worker.config import load_settings
from worker.errors import ConfigurationError, FetchError
from worker.intake.http import Door, FetchAnswer, FetchRequest, HttpClient, tls_context
from worker.intake.http.client import LARGE_BYTES, MOST_LARGE, checked_header
from worker.intake.http.secrets import reveal
from worker.model import Source

CAP = 10_000
SECRET = "hunter2-swordfish"
gzipped = partial(gzip.compress, mtime=0)  # with the time of day in it, no two sessions would name their tests alike
CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzipped, "br": brotli.compress, "zstd": zstd.compress}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        server.answers["/f"] = feed_answer()
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    with serving(Server("127.0.0.2")) as server:
        server.answers["/f"] = feed_answer()
        yield server


# Time


def test_a_body_that_drips_ends_at_the_deadline(server: Server) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        server.drip(handler, b"x")

    server.answers["/f"] = drip
    assert refusal(server.url("/f"), deadline_seconds=0.3).code == "timeout"


def test_headers_that_drip_end_at_their_own_limit(server: Server) -> None:
    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
        server.drip(handler, b"X: y\r\n")

    server.answers["/f"] = drip
    error = refusal(server.url("/f"), connect_seconds=0.1, first_byte_seconds=0.2, deadline_seconds=600)
    assert (error.code, str(error)) == ("timeout", "no answer within 0.3 s")


def test_redirects_share_one_deadline(server: Server) -> None:
    def slow(handler: Handler) -> None:
        server.stopping.wait(0.2)
        handler.give(302, Location="/f")

    server.answers["/f"] = slow
    assert refusal(server.url("/f"), deadline_seconds=0.3).code == "timeout"


def test_a_name_that_never_resolves_ends_with_the_connection_limit(server: Server) -> None:
    class Silent(Names):
        async def __call__(self, host: str, port: int) -> Any:
            await asyncio.Event().wait()  # as for a lost packet
            return await super().__call__(host, port)

    door = Door(tls_context(), Silent())
    error = refusal(server.url("/f"), door=door, connect_seconds=0.1, deadline_seconds=600)
    assert (error.code, str(error)) == ("timeout", "no connection within 0.1 s")


def test_a_server_that_accepts_and_says_nothing_ends_at_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert refusal(url, connect_seconds=0.1, first_byte_seconds=0.1, deadline_seconds=600).code == "timeout"


# Size


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [CAP, CAP + 1])
def test_the_cap_counts_expanded_bytes(server: Server, coding: str, size: int) -> None:
    server.answers["/f"] = feed_answer(CODINGS[coding](b"x" * size), Content_Encoding=coding)
    if size <= CAP:
        assert get(server.url("/f"), most_bytes=CAP).content == b"x" * size
    else:
        assert refusal(server.url("/f"), most_bytes=CAP).code == "too_large"


def test_the_cap_counts_bytes_as_sent_announced_or_not(server: Server) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        server.drip(handler, b"x" * 5000)

    server.answers["/announced"] = feed_answer(b"x" * (CAP + 1))
    server.answers["/endless"] = endless
    assert refusal(server.url("/announced"), most_bytes=CAP).code == "too_large"
    assert refusal(server.url("/endless"), most_bytes=CAP).code == "too_large"


def test_endless_headers_are_not_read_for_ever(server: Server) -> None:
    def endless(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not server.stopping.is_set():
            handler.wfile.write(b"X-Filler: " + b"x" * 60_000 + b"\r\n")

    server.answers["/f"] = endless
    assert refusal(server.url("/f")).code in ("network", "too_large")


def test_endless_interim_answers_are_not_read_for_ever(server: Server) -> None:
    def endless(handler: Handler) -> None:
        while not server.stopping.is_set():
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)

    server.answers["/f"] = endless
    assert refusal(server.url("/f"), most_bytes=CAP).code == "too_large"


def test_the_body_of_an_error_is_not_read(server: Server) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(404)
        handler.end_headers()
        server.drip(handler, b"x" * 5000)

    server.answers["/f"] = endless
    answer = get(server.url("/f"), most_bytes=CAP)
    assert (answer.status, answer.reason, answer.content) == (404, "Not Found", b"")


def test_large_bodies_take_turns(server: Server) -> None:
    server.answers["/f"] = feed_answer(b"x" * (LARGE_BYTES + 1))
    request = FetchRequest(url=server.url("/f"), allowed_hosts=frozenset({"127.0.0.1"}))

    async def fetch_many() -> list[FetchAnswer]:
        client = HttpClient("copydesk tests")
        return await asyncio.gather(*(client.fetch(request) for _ in range(2 * MOST_LARGE)))

    assert {len(answer.content) for answer in asyncio.run(fetch_many())} == {LARGE_BYTES + 1}


# Codings


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_are_expanded_and_counted_as_sent(server: Server, coding: str) -> None:
    body = CODINGS[coding](FEED)
    server.answers["/f"] = feed_answer(body, Content_Encoding=coding.upper())
    answer = get(server.url("/f"))
    assert (answer.content, answer.wire_bytes) == (FEED, len(body))
    assert server.seen[0][1]["accept-encoding"] == "gzip, br, zstd"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_may_have_several_members(server: Server, coding: str) -> None:
    pad = b"\x00" * 10 if coding == "gzip" else b""
    body = CODINGS[coding](FEED[:20]) + CODINGS[coding](FEED[20:]) + pad
    server.answers["/f"] = feed_answer(body, Content_Encoding=coding)
    assert get(server.url("/f")).content == FEED


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("deflate", b"x"),
        ("gzip, gzip", gzipped(gzipped(FEED))),
        ("br, gzip", b"x"),
        *((coding, b"none of the kind at all, not at all") for coding in CODINGS),
        *((coding, compress(FEED)[:-5]) for coding, compress in CODINGS.items()),
    ],
)
def test_bodies_that_cannot_be_expanded_are_errors(server: Server, coding: str, body: bytes) -> None:
    server.answers["/f"] = feed_answer(body, Content_Encoding=coding)
    assert refusal(server.url("/f")).code == "network"


def test_a_zstd_window_of_half_a_gigabyte_is_refused(server: Server) -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 29,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    body = compressor.compress(FEED) + compressor.flush()
    server.answers["/f"] = feed_answer(body, Content_Encoding="zstd")
    assert refusal(server.url("/f")).code == "network"


def test_a_body_that_stops_short_is_an_error(server: Server) -> None:
    def short(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x")

    server.answers["/f"] = short
    assert refusal(server.url("/f")).code == "network"


# Redirects


def test_redirects_are_followed_and_told(server: Server, other: Server) -> None:
    server.answers["/a"] = redirect_to("/b", 301)
    server.answers["/b"] = redirect_to(other.url("/f"), 307)
    answer = get(server.url("/a"), allowed=["127.0.0.1", "127.0.0.2"])
    assert (answer.status, answer.url, answer.content) == (200, other.url("/f"), FEED)
    assert answer.redirects == ((301, server.url("/b")), (307, other.url("/f")))


def test_five_redirects_are_followed_and_the_sixth_is_not(server: Server) -> None:
    for number in range(1, 7):
        server.answers[f"/{number}"] = redirect_to(f"/{number - 1}")
    server.answers["/0"] = feed_answer()
    assert get(server.url("/5")).content == FEED
    error = refusal(server.url("/6"))
    assert (error.code, error.status) == ("http_status", 302)


def test_a_redirect_without_a_target_is_the_answer(server: Server) -> None:
    server.answers["/f"] = lambda handler: handler.give(302)
    assert get(server.url("/f")).status == 302


# What is sent


def test_only_what_is_needed_is_sent(server: Server) -> None:
    server.answers["/a"] = lambda handler: handler.give(302, Location="/f", Set_Cookie="a=b")
    get(server.url("/a"))
    assert [set(headers) for _, headers in server.seen] == [{"host", "user-agent", "accept-encoding"}] * 2
    assert server.seen[0][1]["user-agent"] == "copydesk tests"


def test_credentials_go_to_the_origin_only(server: Server, other: Server) -> None:
    server.answers["/same"] = redirect_to("/f")
    server.answers["/away"] = redirect_to(other.url("/back"))
    other.answers["/back"] = redirect_to(server.url("/f"))
    facts: dict[str, Any] = {
        "private_headers": ((b"X-Key", SECRET.encode()),),
        "auth": ("user", SECRET),
        "allowed": ["127.0.0.1", "127.0.0.2"],
    }
    for path in ("/same", "/away"):
        assert get(server.url(path), **facts).status == 200
    assert all({"x-key", "authorization"} <= set(headers) for _, headers in server.seen)
    assert len(server.seen) == 4
    assert not {"x-key", "authorization"} & set(other.seen[0][1])
    assert SECRET not in str(other.seen)


def test_another_port_is_another_origin(server: Server) -> None:
    with serving(Server()) as neighbour:
        neighbour.answers["/f"] = feed_answer()
        server.answers["/f"] = redirect_to(neighbour.url("/f"))
        assert get(server.url("/f"), auth=("user", SECRET)).content == FEED
        assert "authorization" not in neighbour.seen[0][1]


def test_credentials_of_the_url_are_used_and_never_shown(server: Server) -> None:
    url = server.url("/f").replace("http://", f"http://user:{SECRET}@")
    answer = get(url)
    assert server.seen[0][1]["authorization"] == "Basic dXNlcjpodW50ZXIyLXN3b3JkZmlzaA=="
    assert SECRET not in repr(answer)
    server.answers["/f"] = redirect_to(f"http://user:{SECRET}@127.0.0.3/")
    assert SECRET not in str(refusal(url))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X-Key", b"a\r\nHost: evil.example"),
        (b"X-Key", b"a\nb"),
        (b"X-Key", b"a\x00b"),
        (b"X Key", b"a"),
        (b"X-Key\r\nHost", b"a"),
        (b"", b"a"),
        (b"Host", b"evil.example"),
        (b"Transfer-Encoding", b"chunked"),
    ],
)
def test_a_header_cannot_break_out_of_its_line(server: Server, name: bytes, value: bytes) -> None:
    assert refusal(server.url("/f"), private_headers=((name, value),)).code == "refused"
    assert server.seen == []
    with pytest.raises(FetchError) as caught:
        checked_header(name, value)
    assert str(caught.value).isprintable()


# HTTP/2 and proxies


def test_http_2_is_spoken_where_it_is_offered(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "feed.example")
    names = Names({"feed.example": [["127.0.0.1"]]})
    headers = [("etag", 'W/"1"'), ("content-type", "application/rss+xml"), ("content-encoding", "gzip")]
    with Http2Server(authority.server_context, headers, gzip.compress(FEED)) as server:
        url = f"https://feed.example:{server.port}/f?x=1"
        answer = get(url, allowed=["feed.example"], door=authority.door(names), auth=("user", SECRET))
        assert (answer.http_version, answer.status, answer.content) == ("HTTP/2", 200, FEED)
        assert answer.header("etag") == 'W/"1"'
        assert server.seen[0][":authority"] == f"feed.example:{server.port}"
        assert server.seen[0][":path"] == "/f?x=1"


def test_the_cap_holds_over_http_2(tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "feed.example")
    names = Names({"feed.example": [["127.0.0.1"]]})
    with Http2Server(authority.server_context, [("content-encoding", "gzip")], gzip.compress(b"x" * 60_000)) as server:
        url = f"https://feed.example:{server.port}/"
        error = refusal(url, allowed=["feed.example"], door=authority.door(names), most_bytes=CAP)
        assert error.code == "too_large"


def test_a_proxy_carries_a_tunnel_and_is_told_who_asks(server: Server, other: Server) -> None:
    def relay(handler: Handler) -> None:
        with socket.create_connection(other.server_address[:2]) as target:  # type: ignore[arg-type]  # host and port
            handler.send_response(200)
            handler.end_headers()
            target.sendall(handler.connection.recv(65_536))
            while data := target.recv(65_536):
                handler.connection.sendall(data)

    server.answers[f"127.0.0.2:{other.port}"] = relay
    proxy = server.url("").replace("http://", f"http://us%20er:{SECRET}@")
    answer = get(other.url("/f"), allowed=["127.0.0.1", "127.0.0.2"], proxy=proxy)
    assert answer.content == FEED
    assert server.seen[0][1]["proxy-authorization"] == "Basic dXMgZXI6aHVudGVyMi1zd29yZGZpc2g="
    assert set(other.seen[0][1]) == {"host", "user-agent", "accept-encoding"}


def test_a_proxy_that_refuses_is_a_network_error(server: Server) -> None:
    server.answers["127.0.0.9:80"] = lambda handler: handler.give(407)
    error = refusal("http://127.0.0.9/", allowed=["127.0.0.1", "127.0.0.9"], proxy=server.url(""))
    assert (error.code, str(error)) == ("network", "the proxy answers 407")


# Secrets of sources


def test_a_secret_may_lie_in_the_environment() -> None:
    assert reveal("Bearer ${COUNTY_TOKEN}!", {"COUNTY_TOKEN": "a$b"}) == "Bearer a$b!"
    assert reveal("$5 {x} $(y)", {}) == "$5 {x} $(y)"
    with pytest.raises(FetchError, match="COUNTY_TOKEN"):
        reveal("${COUNTY_TOKEN}", {})


office = office_fixture()


@pytest.mark.parametrize("status", [200, 500])
def test_secrets_are_sent_and_appear_nowhere_else(
    office: Office, server: Server, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("COUNTY_TOKEN", SECRET)
    server.answers["/f"] = lambda handler: handler.give(status, b"no feed at all")
    source = Source(
        id="county",
        kind="feed",
        url=server.url("/f").replace("http://", "http://user:${COUNTY_TOKEN}@"),
        headers={"X-Key": "${COUNTY_TOKEN}"},
        auth="user:${COUNTY_TOKEN}",
        allowed_hosts=("127.0.0.1",),
    )
    office.desk.sources.add(source)
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as logged:
        pipeline.poll(office.desk)
        office.drain()
    assert server.seen[0][1]["x-key"] == SECRET
    everything = str([office.desk.redis.dump(key) for key in office.desk.redis.keys("*")])
    letters = msgspec.json.encode(list(office.letters().values())).decode()
    for place in (caplog.text, str(logged), repr(source), pretty_repr(source), everything, letters):
        assert SECRET not in place


def test_listing_sources_shows_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "sources.toml").write_text(
        f'[[source]]\nid = "county"\nkind = "feed"\nurl = "https://user:{SECRET}@feed.example/x"\n'
        f'auth = "user:{SECRET}"\nproxy = "http://user:{SECRET}@proxy.example"\nheaders = {{ X-Key = "{SECRET}" }}\n'
    )
    options = ["--data", str(tmp_path / "data"), "--config", str(config)]
    for extra in ([], ["--json"]):
        result = CliRunner().invoke(app, ["sources", "list", *options, *extra])
        assert "county" in result.output
        assert "feed.example" in result.output
        assert SECRET not in result.output


def test_a_broken_secret_in_the_file_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "sources.toml").write_text(
        f'[[source]]\nid = "county"\nkind = "feed"\nurl = "https://feed.example/x"\nauth = ["{SECRET}"]\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, tmp_path / "data", {})
    assert SECRET not in str(caught.value)
