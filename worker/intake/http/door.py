"""The one door to the network: a name is resolved once, its addresses are checked, and one of those is dialled.

Nothing else in copydesk opens a connection to what a source, a feed or a page names. Whoever controls a name can
make it resolve to another address a moment later; so there is no moment between check and use: the socket goes to
the address that was checked, and the name serves for TLS and the Host header only.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from typing import Protocol

import aiohappyeyeballs
import certifi
import h11
import httpcore2

from worker.errors import FetchError
from worker.intake.http.addresses import Address, parse_address, why_refused
from worker.intake.http.stream import Stream
from worker.intake.http.urls import parse_target, printable

NEXT_ADDRESS_SECONDS = 0.25
"""When the next address of a host is tried beside the first (RFC 8305)."""
MOST_ADDRESSES = 8
"""A name with hundreds of addresses shall not make us dial hundreds."""
RESOLVER_THREADS = 32
_FRAMING_BYTES = 400_000
"""What a connection may bring beside the body: TLS, headers, framing, interim answers."""


class Resolver(Protocol):
    """Names -> addresses."""

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Every address of the host; raises OSError where there is none."""


class SystemResolver:
    """The resolver of the operating system, in threads: its calls block, and cannot be cancelled."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        plain = parse_address(host)
        if plain is not None:
            return [plain]
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found))


def _look_up(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
    return [tuple(row) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]  # type: ignore[misc]  # five


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Verifies certificates against `ca_file` (PEM), or Mozilla's list; TLS 1.2 and newer."""
    return ssl.create_default_context(cafile=ca_file or certifi.where())


@cache
def door_for(ca_file: str = "") -> Door:
    """The process's door: reading the certificates takes 20 ms, and threads that resolve names are shared."""
    return Door(tls_context(ca_file))


@dataclass(frozen=True, slots=True)
class Pass:
    """What one fetch may do at the door: hosts that may have any address, a proxy, and how many bytes may come."""

    allowed_hosts: Collection[str] = frozenset()
    proxy: str | None = field(default=None, repr=False)
    most_bytes: int = 0


class Door:
    """Opens connections. `refusal` says why an address is refused (tests have an internet of their own)."""

    def __init__(
        self,
        tls: ssl.SSLContext,
        resolver: Resolver | None = None,
        refusal: Callable[[Address], str | None] = why_refused,
    ) -> None:
        self.tls = tls
        self._resolver = resolver or SystemResolver()
        self._refusal = refusal

    async def open(self, host: str, port: int, grant: Pass) -> Stream:
        """A connection to the host, through the grant's proxy where it has one.

        Raises FetchError("refused") where no address of the host (or of the proxy) may be asked, and
        httpcore2.ConnectError where nobody answers.
        """
        if grant.proxy is None:
            return await self._dial(host, await self._addresses(host, port, grant), port, grant)
        proxy = parse_target(grant.proxy)
        tunnel_to = host
        if host not in grant.allowed_hosts:  # the operator's own network may have names that only the proxy knows
            tunnel_to = (await self._addresses(host, port, grant))[0].compressed
        addresses = await self._addresses(proxy.host, proxy.port, grant)
        stream = await self._dial(proxy.host, addresses, proxy.port, grant)
        try:
            if proxy.scheme == "https":
                await stream.start_tls(self.tls, proxy.host)
            await _tunnel(stream, tunnel_to, port, proxy.user, proxy.password)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def _addresses(self, host: str, port: int, grant: Pass) -> Sequence[Address]:
        try:
            found = await self._resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host}: {error}") from error
        if host in grant.allowed_hosts:
            return found[:MOST_ADDRESSES]
        reasons = {address: self._refusal(address) for address in found}
        open_to_all = [address for address, reason in reasons.items() if reason is None]
        if not open_to_all:
            kinds = ", ".join(f"{address} ({reason})" for address, reason in list(reasons.items())[:3])
            raise FetchError("refused", f"{host} is {kinds}; allowed_hosts of its source would have to name it")
        return open_to_all[:MOST_ADDRESSES]

    async def _dial(self, host: str, addresses: Iterable[Address], port: int, grant: Pass) -> Stream:
        infos = [_info(address, port) for address in addresses]
        try:
            connected = await aiohappyeyeballs.start_connection(
                infos, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS if len(infos) > 1 else None
            )
        except (OSError, OverflowError) as error:
            raise httpcore2.ConnectError(f"{host}: {error}") from error
        return await Stream.over(connected, grant.most_bytes + grant.most_bytes // 8 + _FRAMING_BYTES)


class Way(httpcore2.AsyncNetworkBackend):
    """The door as one fetch sees it."""

    def __init__(self, door: Door, grant: Pass, connect_seconds: float) -> None:
        self._door = door
        self._grant = grant
        self._connect_seconds = connect_seconds

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002  # httpcore's signature; a fetch bounds all of it
        local_address: str | None = None,  # noqa: ARG002  # the same
        socket_options: object = None,  # noqa: ARG002  # the same
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._door.open(host, port, self._grant)
        except TimeoutError as error:
            raise FetchError("timeout", f"no connection within {self._connect_seconds:g} s") from error


def _info(address: Address, port: int) -> aiohappyeyeballs.AddrInfoType:
    text = address.compressed
    if address.version == 4:
        return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (text, port, 0, 0)


async def _tunnel(stream: Stream, host: str, port: int, user: str, password: str) -> None:
    """Ask a proxy for a tunnel (RFC 9110 9.3.6); raises httpcore2.ConnectError where it refuses."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", place)]
    if user or password:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers.append(("Proxy-Authorization", f"Basic {token}"))
    connection = h11.Connection(h11.CLIENT)
    await stream.write(connection.send(h11.Request(method="CONNECT", target=place, headers=headers)) or b"")
    await stream.write(connection.send(h11.EndOfMessage()) or b"")
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.read(4096))
            elif isinstance(event, h11.Response):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise httpcore2.ConnectError("the proxy hung up")
    except h11.RemoteProtocolError as error:
        raise httpcore2.ConnectError(f"the proxy does not speak HTTP: {printable(str(error))}") from error
    if not 200 <= event.status_code < 300:
        raise httpcore2.ConnectError(f"the proxy answers {event.status_code}")
