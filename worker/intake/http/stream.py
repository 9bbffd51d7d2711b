"""One TCP (or TLS) connection on asyncio, as httpcore wants it, that counts what comes in."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Self

import httpcore2

from worker.errors import FetchError
from worker.intake.http.urls import printable


class Stream(httpcore2.AsyncNetworkStream):
    """A connection; `most_bytes` is all that it may ever bring, headers and framing included.

    Time is bounded by whoever uses it: every wait here can be cancelled.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most_bytes: int) -> None:
        self._reader = reader
        self._writer = writer
        self._left = most_bytes

    @classmethod
    async def over(cls, connected: socket.socket, most_bytes: int) -> Self:
        """The stream of a connected socket."""
        return cls(*await asyncio.open_connection(sock=connected), most_bytes)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109, ARG002  # httpcore's
        try:
            data = await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore2.ReadError(str(error) or type(error).__name__) from error
        self._left -= len(data)
        if self._left < 0:
            raise FetchError("too_large", "sends more bytes than its answer may have")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109, ARG002  # the same
        try:
            self._writer.write(buffer)
            await self._writer.drain()
        except OSError as error:
            raise httpcore2.WriteError(str(error) or type(error).__name__) from error

    async def aclose(self) -> None:
        """Let go at once: a peer that does not answer a TLS farewell would hold us."""
        self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002  # the same
    ) -> Stream:
        try:
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except BaseException as error:
            self._writer.transport.abort()
            if isinstance(error, ssl.SSLError | OSError):
                raise httpcore2.ConnectError(f"TLS: {printable(str(error))}") from error
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._reader.at_eof()
        return self._writer.get_extra_info(info)
