"""Real HTTP servers on the loopback that answer as a test tells them: plain, under TLS, and HTTP/2."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import h2.config
import h2.connection
import h2.events
import trustme

from worker.errors import FetchError
from worker.intake.http import Admit, Door, FetchAnswer, FetchRequest, HttpClient, tls_context
from worker.intake.http.addresses import Address

FEED = b"<rss version='2.0'><channel><title>T</title></channel></rss>"
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the test told the server to."""

    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        with contextlib.suppress(ConnectionError):
            self.server.answers[self.path](self)

    def do_CONNECT(self) -> None:
        self.do_GET()

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

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), Handler)
        self.scheme = "http"
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str, host: str | None = None) -> str:
        return f"{self.scheme}://{host or self.server_address[0]!s}:{self.port}{path}"

    def drip(self, handler: Handler, piece: bytes) -> None:
        """Send the piece now and then until the client goes away."""
        while not self.stopping.wait(0.01):
            handler.wfile.write(piece)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is what these tests are about."""


AnyServer = TypeVar("AnyServer", bound=Server)


@contextlib.contextmanager
def serving(server: AnyServer) -> Iterator[AnyServer]:
    """Serve while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def redirect_to(location: str, status: int = 302) -> Answer:
    return lambda handler: handler.give(status, Location=location)


def feed_answer(body: bytes = FEED, **headers: str) -> Answer:
    return lambda handler: handler.give(200, body, **headers)


@dataclass
class Names:
    """A resolver of a test's own: each lookup of a host takes its next answer, the last one for ever."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        assert port
        self.asked.append(host)
        rows = self.answers.get(host, [[host]])
        row = rows.pop(0) if len(rows) > 1 else rows[0]
        try:
            return [ip_address(text) for text in row]
        except ValueError as error:
            raise OSError(str(error)) from error


def get(
    url: str,
    *,
    allowed: Sequence[str] = ("127.0.0.1",),
    door: Door | None = None,
    admit: Admit | None = None,
    user_agent: str = "copydesk tests",
    **facts: Any,
) -> FetchAnswer:
    """One fetch on an event loop of its own."""
    client = HttpClient(user_agent, door)
    request = FetchRequest(url=url, allowed_hosts=frozenset(allowed), **facts)
    return asyncio.run(client.fetch(request, admit))


def refusal(url: str, **facts: Any) -> FetchError:
    """The error of a fetch that must fail."""
    try:
        answer = get(url, **facts)
    except FetchError as error:
        return error
    raise AssertionError(f"fetched: {answer}")


@dataclass(frozen=True)
class Authority:
    """A certificate authority of a test's own, and a server context for some names."""

    ca_file: Path
    server_context: ssl.SSLContext

    def door(self, names: Names | None = None) -> Door:
        return Door(tls_context(str(self.ca_file)), names)


def make_authority(directory: Path, *names: str) -> Authority:
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return Authority(ca_file, context)


class Http2Server:
    """An HTTP/2 server of one answer, in a thread of its own."""

    def __init__(self, context: ssl.SSLContext, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        context.set_alpn_protocols(["h2"])
        self._context = context
        self._headers = headers
        self._body = body
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.port = 0
        self.seen: list[dict[str, str]] = []

    def __enter__(self) -> Http2Server:
        self._thread.start()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        self._answer(connection, event)
                writer.write(connection.data_to_send())
        writer.transport.abort()

    def _answer(self, connection: h2.connection.H2Connection, event: h2.events.RequestReceived) -> None:
        self.seen.append({str(name): str(value) for name, value in event.headers or []})
        assert event.stream_id is not None
        connection.send_headers(event.stream_id, [(":status", "200"), *self._headers])
        connection.send_data(event.stream_id, self._body, end_stream=True)
