"""The one door: whatever a name is called, spelled or resolves to, only addresses that may be asked are dialled."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import brotli
import pytest
from backports import zstd

from tests.http_support import FEED, Names, Server, feed_answer, get, make_authority, redirect_to, refusal, serving
from worker.errors import FetchError
from worker.intake.http import Door, parse_target, tls_context
from worker.intake.http.addresses import Address, why_refused
from worker.intake.http.expand import STEP_BYTES, expander_for
from worker.intake.http.urls import follow, printable, without_credentials

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "127.0.0.1", "127.255.255.254", "169.254.1.1", "172.16.0.1", "172.31.255.255"),
    *("100.64.0.1", "100.127.255.254", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "192.0.0.8", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    *("fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1", "5f00::1", "4000::1"),
    # Cloud metadata
    *("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"),
]
OPEN = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"]
SPELLINGS = [
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1.",
    "127.0.0.1",
    "①②⑦.⓪.⓪.①",
    "%31%32%37.0.0.1",
    "127.0.0.1%2f.example.org",
    "127.0.0.1%00.example.org",
]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        server.answers["/f"] = feed_answer()
        yield server


@pytest.mark.parametrize("text", REFUSED)
def test_addresses_that_are_not_the_internet_are_refused(text: str) -> None:
    assert why_refused(ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_addresses_of_the_internet_are_not(text: str) -> None:
    assert why_refused(ip_address(text)) is None


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_local_host_gets_through(server: Server, host: str) -> None:
    error = refusal(server.url("/f", host), allowed=())
    assert error.code in ("refused", "network"), "network: a spelling that the resolver does not know"
    assert server.seen == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0", "127.1", "localhost", "[::ffff:127.0.0.1]"])
def test_what_the_resolver_makes_of_a_spelling_is_what_is_judged(server: Server, host: str) -> None:
    assert refusal(server.url("/f", host), allowed=()).code == "refused"


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_redirect_to_a_local_host_gets_through(server: Server, host: str) -> None:
    server.answers["/r"] = redirect_to(server.url("/f", host))
    error = refusal(
        server.url("/r", "front.example"),
        door=Door(tls_context(), Names({"front.example": [["127.0.0.1"]]})),
        allowed=["front.example"],
    )
    assert error.code in ("refused", "network")
    assert [path for path, _ in server.seen] == ["/r"]


def test_a_source_may_allow_its_own_host(server: Server) -> None:
    assert get(server.url("/f")).content == FEED
    assert get(server.url("/f", "LocalHost."), allowed=["localhost"]).content == FEED


def test_an_allowed_host_opens_no_other(server: Server) -> None:
    server.answers["/r"] = redirect_to(server.url("/f", "127.0.0.2"))
    assert refusal(server.url("/r")).code == "refused"


def test_a_name_is_resolved_once_and_what_was_checked_is_dialled() -> None:
    """A rebinding resolver: the first answer may be asked, the second is the inner network."""
    with serving(Server("127.0.0.2")) as outer, serving(Server("127.0.0.3")) as inner:
        outer.answers["/f"] = feed_answer(b"outer")
        inner.answers["/f"] = feed_answer(b"inner")
        names = Names({"rebind.example": [["127.0.0.2"], ["127.0.0.3"]]})
        door = Door(tls_context(), names, refusal=only("127.0.0.2"))
        assert get(outer.url("/f", "rebind.example"), allowed=(), door=door).content == b"outer"
        assert names.asked == ["rebind.example"]
        assert refusal(outer.url("/f", "rebind.example"), allowed=(), door=door).code == "refused"
        assert refusal(inner.url("/f", "rebind.example"), allowed=(), door=door).code == "refused"
        assert inner.seen == []
        assert outer.seen[0][1]["host"] == f"rebind.example:{outer.port}", "the name is what the server is told"


def only(text: str) -> Callable[[Address], str | None]:
    """An internet of one address."""
    return lambda address: None if address == ip_address(text) else "not the internet"


def test_a_name_that_rebinds_between_a_redirect_and_its_target_is_checked_again() -> None:
    with serving(Server("127.0.0.2")) as outer, serving(Server("127.0.0.3")) as inner:
        outer.answers["/f"] = redirect_to(f"http://rebind.example:{inner.port}/f")
        inner.answers["/f"] = feed_answer(b"inner")
        names = Names({"rebind.example": [["127.0.0.2"], ["127.0.0.3"]]})
        door = Door(tls_context(), names, refusal=only("127.0.0.2"))
        assert refusal(outer.url("/f", "rebind.example"), allowed=(), door=door).code == "refused"
        assert inner.seen == []


def test_of_several_addresses_only_those_that_may_be_asked_are(server: Server) -> None:
    names = Names({"mixed.example": [["10.0.0.1", "127.0.0.1", "fe80::1"]]})
    door = Door(tls_context(), names, refusal=only("127.0.0.1"))
    assert get(server.url("/f", "mixed.example"), allowed=(), door=door).content == FEED


def test_a_proxy_is_dialled_only_where_the_source_allows_it(server: Server) -> None:
    server.answers[f"127.0.0.1:{server.port}"] = lambda handler: handler.give(200)
    error = refusal(server.url("/f", "elsewhere.example"), allowed=["elsewhere.example"], proxy=server.url("/"))
    assert error.code == "refused"
    assert server.seen == []


def test_a_proxy_is_told_an_address_that_was_checked(server: Server) -> None:
    """What the proxy would resolve by itself could be the inner network."""
    server.answers["9.9.9.9:80"] = lambda handler: handler.give(403)
    names = Names({"feed.example": [["10.0.0.1", "9.9.9.9"], ["10.0.0.1"]], "127.0.0.1": [["127.0.0.1"]]})
    door = Door(tls_context(), names)
    assert refusal("http://feed.example/f", door=door, proxy=server.url("/")).code == "network"
    assert refusal("http://feed.example/f", door=door, proxy=server.url("/")).code == "refused"
    assert [path for path, _ in server.seen] == ["9.9.9.9:80"]


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "data:,x", "http://["]
)
def test_a_redirect_leads_to_http_only(server: Server, target: str) -> None:
    server.answers["/a"] = redirect_to(target)
    assert refusal(server.url("/a")).code == "refused"
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://127.0.0.1/x",
            "http://[bad",
            "http://",
            "http:///x",
            "data:,x",
            "file:///etc/hostname",
            "/etc/hostname",
        ),
        *("http://a b/", "http://good.example\\@127.0.0.1/", "http://host:99999/", "http://host:x/", "http://-/"),
        *("http://a\r\nHost: b/", "http://a/\x00", f"http://a/{'x' * 9000}", "http://a_b..c%/", "http://" + "a" * 300),
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    error = refusal(url, allowed=())
    assert error.code == "refused"
    assert str(error).isprintable()


def test_a_redirect_cannot_break_a_header_or_a_log_line() -> None:
    target = follow(parse_target("http://a.example/x"), "/caf\u00e9?q=\u00e9 \u00fc#part".encode())
    assert target.url == "http://a.example/caf%C3%A9?q=%C3%A9%20%C3%BC"
    with pytest.raises(FetchError) as caught:
        follow(target, b"/x\x1b[31m\x85red")
    assert str(caught.value).isprintable()
    assert printable("a\r\nb\u2028c\x7f") == "a��b�c�"


def test_what_may_be_written_down_has_no_credentials() -> None:
    assert without_credentials("https://user:secret@a.example:8080/x?y") == "https://a.example:8080/x?y"
    assert "secret" not in str(refusal("ftp://user:secret@a.example/"))
    assert "secret" not in repr(parse_target("https://user:secret@a.example/"))


def bombs() -> dict[str, bytes]:
    zeros = b"\x00" * 100_000_000
    return {"gzip": gzip.compress(zeros), "br": brotli.compress(zeros, quality=1), "zstd": zstd.compress(zeros)}


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_ends_one_step_behind_the_limit(coding: str) -> None:
    bomb = bombs()[coding]
    expander = expander_for([coding.encode()], 1_000_000)
    # Fed by the byte first, and then all at once: in either case each step is bounded.
    pieces = [*expander.expand(bomb[:1]), *expander.expand(bomb[1:2])]
    assert all(len(piece) <= 2 * STEP_BYTES for piece in pieces)
    with pytest.raises(FetchError) as caught:
        expander.expand(bomb[2:])
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_over_http_needs_little_memory(server: Server, coding: str) -> None:
    bomb = bombs()[coding]
    server.answers["/bomb"] = lambda handler: handler.give(200, bomb, Content_Encoding=coding)
    before = peak_kib()
    assert refusal(server.url("/bomb"), most_bytes=1_000_000).code == "too_large"
    assert peak_kib() - before < 40_000


def peak_kib() -> int:
    """The most memory this process ever used."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def test_certificates_are_verified(server: Server, tmp_path: Path) -> None:
    authority = make_authority(tmp_path, "good.example")
    server.socket = authority.server_context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    names = Names({"good.example": [["127.0.0.1"]], "evil.example": [["127.0.0.1"]]})
    door, stranger = authority.door(names), Door(tls_context(), names)
    allowed = ["good.example", "evil.example"]
    assert get(server.url("/f", "good.example"), door=door, allowed=allowed).content == FEED
    for url, through in (("evil.example", door), ("good.example", stranger)):
        error = refusal(server.url("/f", url), door=through, allowed=allowed)
        assert error.code == "network"
        assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert len(server.seen) == 1


def test_old_tls_is_not_spoken() -> None:
    assert tls_context().minimum_version >= ssl.TLSVersion.TLSv1_2


def test_nobody_listening_is_a_network_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert refusal(f"http://127.0.0.1:{taken.getsockname()[1]}/").code == "network"


def test_the_gate_is_asked_before_every_request(server: Server) -> None:
    server.answers["/a"] = redirect_to(server.url("/f"))
    admitted: list[tuple[str, int]] = []

    async def admit(host: str) -> None:
        await asyncio.sleep(0)
        admitted.append((host, len(server.seen)))
        if len(admitted) == 3:
            raise FetchError("refused", "enough")

    assert get(server.url("/a"), admit=admit).status == 200
    assert admitted == [("127.0.0.1", 0), ("127.0.0.1", 1)]
    assert str(refusal(server.url("/f"), admit=admit)) == "enough"
    assert len(server.seen) == 2
