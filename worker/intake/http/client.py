"""Fetching over HTTP/1.1 and HTTP/2: one GET, its redirects, and everything about it bounded.

Every request has a connection of its own that ends with it. Polite polls of one host are seconds apart, so a pool
would keep thousands of idle connections for nobody; and a connection that one source was allowed to open is never used
for another.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

import h2.exceptions
import httpcore2

from worker.errors import FetchError
from worker.intake.http.door import Door, Pass, Way, door_for
from worker.intake.http.expand import ACCEPT_ENCODING, expander_for
from worker.intake.http.messages import MOST_REDIRECTS, Admit, FetchAnswer, FetchRequest, Header
from worker.intake.http.urls import Target, follow, normal_host, parse_target, printable

LARGE_BYTES = 1_000_000
MOST_LARGE = 8
"""Most bodies above `LARGE_BYTES` that are read at the same time: what bounds the memory of many fetches."""
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_OURS = frozenset((b"host", b"connection", b"content-length", b"transfer-encoding", b"accept-encoding"))


class HttpClient:
    """Fetches through one door. One for each process, on one event loop; `user_agent` says who asks."""

    def __init__(self, user_agent: str, door: Door | None = None) -> None:
        self._door = door or door_for()
        self._large = asyncio.Semaphore(MOST_LARGE)
        self._user_agent = checked_header(b"User-Agent", user_agent.encode("utf-8"))

    async def fetch(self, request: FetchRequest, admit: Admit | None = None) -> FetchAnswer:
        """GET; returns the final answer, whatever its status. Raises FetchError.

        Codes: refused (a URL, address or header that may not be used), timeout, network, too_large, http_status
        (more than five redirects), and what `admit` raises.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(request.deadline_seconds):
                return await _Fetch(self._door, self._large, self._user_agent, request, admit, started).run()
        except TimeoutError as error:
            raise FetchError("timeout", f"no whole answer within {request.deadline_seconds:g} s") from error
        except FetchError:
            raise
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ConnectionNotAvailable) as error:
            raise FetchError("network", printable(str(error)) or type(error).__name__) from error
        except (h2.exceptions.H2Error, OSError, ValueError) as error:
            raise FetchError("network", f"{type(error).__name__}: {printable(str(error))}") from error


class _Fetch:
    """One fetch under way."""

    def __init__(
        self,
        door: Door,
        large: asyncio.Semaphore,
        user_agent: Header,
        request: FetchRequest,
        admit: Admit | None,
        started: float,
    ) -> None:
        self._large = large
        self._request = request
        self._admit = admit
        self._started = started
        self._headers = (
            user_agent,
            (b"Accept-Encoding", ACCEPT_ENCODING.encode()),
            *(checked_header(*header) for header in request.headers),
        )
        self._private = tuple(checked_header(*header) for header in request.private_headers)
        allowed = frozenset(normal_host(host) for host in request.allowed_hosts)
        self._way = Way(door, Pass(allowed, request.proxy, request.most_bytes), request.connect_seconds)
        self._tls = door.tls

    async def run(self) -> FetchAnswer:
        """Follow redirects to the final answer."""
        first = target = parse_target(self._request.url)
        redirects: list[tuple[int, str]] = []
        while True:
            if self._admit is not None:
                await self._admit(target.host)
            async with self._ask(target, first) as response:
                location = _location(response)
                if location is None:
                    return await self._answer(response, target, tuple(redirects))
            if len(redirects) == MOST_REDIRECTS:
                raise FetchError("http_status", f"more than {MOST_REDIRECTS} redirects", response.status)
            target = follow(target, location)
            redirects.append((response.status, target.url))

    @contextlib.asynccontextmanager
    async def _ask(self, target: Target, first: Target) -> AsyncIterator[httpcore2.Response]:
        """Connect, send the request, wait for the answer's headers; the connection ends with the block."""
        connection = httpcore2.AsyncHTTPConnection(
            httpcore2.Origin(target.scheme.encode(), target.host.encode(), target.port),
            ssl_context=self._tls,
            http2=True,
            network_backend=self._way,
        )
        limit = self._request.connect_seconds + self._request.first_byte_seconds
        try:
            try:
                async with asyncio.timeout(limit):
                    response = await connection.handle_async_request(self._message(target, first))
            except TimeoutError as error:
                raise FetchError("timeout", f"no answer within {limit:g} s") from error
            yield response
        finally:
            await connection.aclose()

    def _message(self, target: Target, first: Target) -> httpcore2.Request:
        headers = [(b"Host", target.authority.encode()), *self._headers]
        if target.origin == first.origin:
            headers += self._private
            user, password = self._request.auth or (first.user, first.password)
            if (user or password) and not any(name.lower() == b"authorization" for name, _ in self._private):
                headers.append((b"Authorization", b"Basic " + base64.b64encode(f"{user}:{password}".encode())))
        url = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        body = self._request.body
        if body is None:
            return httpcore2.Request(b"GET", url, headers=headers)
        headers.append((b"Content-Length", str(len(body)).encode()))
        return httpcore2.Request(b"POST", url, headers=headers, content=body)

    async def _answer(
        self, response: httpcore2.Response, target: Target, redirects: tuple[tuple[int, str], ...]
    ) -> FetchAnswer:
        content, wire_bytes = b"", 0
        if 200 <= response.status < 300:  # nobody reads what an error page says
            content, wire_bytes = await _read(response, self._request.most_bytes, self._large)
        return FetchAnswer(
            status=response.status,
            url=target.url,
            headers=tuple((name, value) for name, value in response.headers if _VALUE.fullmatch(value)),
            content=content,
            wire_bytes=wire_bytes,
            redirects=redirects,
            http_version=response.extensions["http_version"].decode("ascii", "replace"),
            reason=_reason(response),
            seconds=time.monotonic() - self._started,
        )


def checked_header(name: bytes, value: bytes) -> Header:
    """The header itself; raises FetchError("refused") where it would break out of its line, or is not the source's."""
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise FetchError("refused", f"a header {printable(name.decode('latin-1'), 60)!r} that cannot be sent")
    if not _VALUE.fullmatch(value):
        raise FetchError("refused", f"control characters in the header {name.decode()}")
    return name, value.strip(b" \t")


def _location(response: httpcore2.Response) -> bytes | None:
    if response.status not in _REDIRECTS:
        return None
    return next((value for name, value in response.headers if name.lower() == b"location"), None)


def _reason(response: httpcore2.Response) -> str:
    """What the server says to its status; HTTP/2 has no such words, so there it is the standard's."""
    said = response.extensions.get("reason_phrase", b"").decode("latin-1").strip()
    if said:
        return printable(said, 60)
    try:
        return HTTPStatus(response.status).phrase
    except ValueError:
        return ""


async def _read(response: httpcore2.Response, most_bytes: int, large: asyncio.Semaphore) -> tuple[bytes, int]:
    """The expanded body and its size as sent; raises FetchError before more than `most_bytes` of either are held.

    What grows beyond `LARGE_BYTES` waits for its turn among the large ones.
    """
    headers = [(name.lower(), value) for name, value in response.headers]
    announced = next((value for name, value in headers if name == b"content-length"), b"")
    if announced.isdigit() and int(announced[:19]) > most_bytes:
        raise FetchError("too_large", f"announces {announced[:19].decode()} bytes, {most_bytes} are allowed")
    expander = expander_for([value for name, value in headers if name == b"content-encoding"], most_bytes)
    pieces: list[bytes] = []
    wire_bytes = size = 0
    async with contextlib.AsyncExitStack() as stack:
        async for chunk in response.aiter_stream():
            wire_bytes += len(chunk)
            if wire_bytes > most_bytes:
                raise FetchError("too_large", f"sends more than {most_bytes} bytes")
            was_small = size <= LARGE_BYTES
            size += sum(map(len, expanded := expander.expand(chunk)))
            pieces += expanded
            if was_small and size > LARGE_BYTES:
                await stack.enter_async_context(large)
        expander.finish()
        return b"".join(pieces), wire_bytes
