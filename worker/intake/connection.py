"""The network below a fetch: nothing on one connection may outlast the fetch's deadline.

A read timeout alone starts again with every byte, so a server that drips one now and then would hold a
worker for ever. This is also where a guard will look at the address a name resolved to.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from functools import cache
from typing import Any

import httpcore
import httpx


class Deadline:
    """A moment after which nothing is waited for."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, error: type[Exception], timeout: float | None = None) -> float:
        """Seconds that are left, at most `timeout`; raises `error` when there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise error("the deadline of the fetch has passed")
        return seconds if timeout is None else min(seconds, timeout)


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(httpcore.ReadTimeout, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(httpcore.WriteTimeout, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(httpcore.ConnectTimeout, timeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens TCP connections that end at the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(httpcore.ConnectTimeout, timeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options), self._deadline)


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's transport over connections that end at the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(verify=_ssl_context())
        # httpx offers no way to name the network backend; its transport maps errors from whatever pool it has.
        self._pool = httpcore.ConnectionPool(ssl_context=_ssl_context(), network_backend=_Backend(deadline))


@cache
def _ssl_context() -> ssl.SSLContext:
    """Built once: reading the certificates takes 20 ms."""
    return httpx.create_ssl_context()
