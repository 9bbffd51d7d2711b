"""What a fetch is asked and what it answers: frozen values that show no secret when they are printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MOST_REDIRECTS = 5
Header = tuple[bytes, bytes]
Admit = Callable[[str], Awaitable[None]]
"""Awaited with the host before every request, redirects included; raises FetchError where it must not go out."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One GET, or a POST where there is a `body`.

    `headers` go with every request of the fetch. `private_headers` and `auth` (user, password; those in the URL
    where it is None) go to the origin of `url` only, never where a redirect leads elsewhere. `proxy` is an http(s) URL.
    Hosts in `allowed_hosts` may have any address, others only public ones; the proxy's host is one of them.
    `most_bytes` bounds the body as sent and as expanded. The answer's headers must be there `first_byte_seconds`
    after the connection was, and all of it, redirects included, `deadline_seconds` after the start.
    """

    url: str = field(repr=False)
    headers: tuple[Header, ...] = ()
    body: bytes | None = field(default=None, repr=False)
    private_headers: tuple[Header, ...] = field(default=(), repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    allowed_hosts: frozenset[str] = frozenset()
    most_bytes: int = 15_000_000
    connect_seconds: float = 10.0
    first_byte_seconds: float = 20.0
    deadline_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class FetchAnswer:
    """The final answer to a fetch, whatever its status.

    `url` is where it came from, without credentials; `headers` are raw; `content` is expanded, `wire_bytes` counts
    the body as sent. `redirects` are the (status, URL it led to) on the way.
    """

    status: int
    url: str
    headers: tuple[Header, ...] = ()
    content: bytes = field(default=b"", repr=False)
    wire_bytes: int = 0
    redirects: tuple[tuple[int, str], ...] = ()
    http_version: str = ""
    reason: str = ""
    seconds: float = 0.0

    def header(self, name: str) -> str:
        """A header's exact bytes as Latin-1 text; empty where it is missing. `name` in lower case."""
        wanted = name.encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")
