"""URLs as they may be asked, and texts as they may be written down: pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import idna

from worker.errors import FetchError
from worker.intake.http.addresses import parse_address

_PORTS = {"http": 80, "https": 443}
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_QUOTED_PATH = "%/:;=@!$&'()*+,~[]|"
_QUOTED_QUERY = _QUOTED_PATH + "?"
MOST_URL_CHARACTERS = 8_000
"""RFC 9110 4.1 asks everybody to take at least this."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: lower-case ASCII host without brackets and final dot, port, path with query as sent.

    `url` has no credentials and no fragment; `user` and `password` are what stood in it.
    """

    scheme: str
    host: str
    port: int
    path: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs must share to share credentials (RFC 6454)."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and, where it is not the scheme's own, port: as in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL that may be written down."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str) -> Target:
    """An absolute http(s) URL -> its parts; raises FetchError("refused") for all that is none."""
    url = url.strip(" \t\r\n\f").replace(" ", "%20")
    if len(url) > MOST_URL_CHARACTERS:
        raise FetchError("refused", f"a URL of {len(url)} characters")
    if _FORBIDDEN.search(url.partition("?")[0]) or _CONTROL.search(url):
        raise FetchError("refused", f"not an http(s) URL: {printable(without_credentials(url))}")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise FetchError("refused", f"not a URL: {printable(str(error))}") from error
    if parts.scheme not in _PORTS or not host:
        raise FetchError("refused", f"not an http(s) URL: {printable(without_credentials(url))}")
    path = quote(parts.path or "/", safe=_QUOTED_PATH)
    query = f"?{quote(parts.query, safe=_QUOTED_QUERY)}" if parts.query else ""
    return Target(
        scheme=parts.scheme,
        host=normal_host(host),
        port=_PORTS[parts.scheme] if port is None else port,
        path=path + query,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def normal_host(host: str) -> str:
    """A host as it is asked for and compared: lower case, ASCII (IDNA 2008, UTS 46), no brackets, no final dot.

    Raises FetchError("refused") for what is no host name, percent-encoded ones included.
    """
    plain = parse_address(host)
    if plain is not None:
        return plain.compressed
    name = host.rstrip(".").lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, transitional=False).decode("ascii").rstrip(".")
        except idna.IDNAError as error:
            raise FetchError("refused", f"not a host name: {printable(host)}") from error
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise FetchError("refused", f"not a host name: {printable(host)}")
    return name


def follow(base: Target, location: bytes) -> Target:
    """Where a Location header leads; raises FetchError("refused") where that is no http(s) URL."""
    try:
        text = location.decode("utf-8")
    except UnicodeDecodeError:
        text = location.decode("latin-1")
    text = text.strip(" \t")
    if _CONTROL.search(text):
        raise FetchError("refused", f"a redirect to {printable(text)}")
    try:
        return parse_target(urljoin(base.url, text))
    except ValueError as error:
        raise FetchError("refused", f"a redirect to {printable(without_credentials(text))}") from error


def without_credentials(url: str) -> str:
    """The URL without user and password: what may be written down."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def printable(text: str, most: int = 300) -> str:
    """Text from outside as it may stand in a log or message: no control characters, bounded."""
    text = _CONTROL.sub("�", text)
    return text if len(text) <= most else f"{text[:most]}..."
