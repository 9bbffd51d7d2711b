"""One way to reach the state server: directly, through TLS, or as the primary that Sentinels name.

redis://user:password@host:6379/0             valkey:// is the same
rediss://host:6380/0?ssl_ca_certs=/etc/ca.pem  TLS (also valkeys://); ssl_certfile, ssl_keyfile where the server asks
unix:///run/valkey.sock
sentinel://user:password@one:26379,two:26379/mymaster/0   also with ?sentinel_username=...&sentinel_password=...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from redis import Redis, Sentinel, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from worker.errors import ConfigurationError

SENTINEL = "sentinel://"
SCHEMES = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://", SENTINEL)
SENTINEL_PORT = 26_379
RETRIES = 9
"""With pauses from 0.1 to 2 s: about ten seconds, in which a server restarts or Sentinels agree on another primary."""


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """What a `sentinel://` URL says: where the Sentinels are, which primary they watch, and how to log in there."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    database: int
    username: str | None
    password: str | None
    sentinel_options: dict[str, str]


def normalise_url(url: str) -> str:
    """A URL redis-py understands (or a `sentinel://` one); raises ConfigurationError for other schemes."""
    if not url.startswith(SCHEMES):
        raise ConfigurationError(f"state URL must start with one of {', '.join(SCHEMES)}")
    return url.replace("valkeys://", "rediss://", 1).replace("valkey://", "redis://", 1)


def connect(url: str, socket_timeout_seconds: float = 60.0, *, patient: bool = True) -> Redis:
    """A client for the URL (not yet connected). Replies are bytes.

    Commands are tried again after a broken connection (about ten seconds in all): every script of this
    package may run twice without a second effect. One that is not `patient` tries once.
    """
    again: list[type[Exception]]
    again = [exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError, exceptions.ReadOnlyError]
    options: dict[str, Any] = {
        "socket_timeout": socket_timeout_seconds,
        "socket_connect_timeout": min(5.0, socket_timeout_seconds),
        "health_check_interval": 25,
        "retry": Retry(ExponentialBackoff(cap=2.0, base=0.1), RETRIES) if patient else Retry(NoBackoff(), 0),
        "retry_on_error": again if patient else [],
    }
    url = normalise_url(url)
    if url.startswith(SENTINEL):
        return _connect_by_sentinel(parse_sentinel_url(url), options)
    return Redis.from_url(url, **options)


def parse_sentinel_url(url: str) -> SentinelAddress:
    """A `sentinel://` URL -> its parts; raises ConfigurationError with the form that is meant."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    master, _, database = parts.path.strip("/").partition("/")
    try:
        sentinels = tuple(_host_and_port(host) for host in hosts.split(",") if host)
        number = int(database or 0)
    except ValueError as error:
        raise ConfigurationError(f"sentinel URL: {error}") from error
    if not sentinels or not master:
        raise ConfigurationError("a sentinel URL has the form sentinel://host:26379,host2:26379/NAME_OF_THE_PRIMARY/0")
    username, _, password = login.partition(":")
    options = {
        name.removeprefix("sentinel_"): value
        for name, value in parse_qsl(parts.query)
        if name in ("sentinel_username", "sentinel_password")
    }
    return SentinelAddress(
        sentinels, unquote(master), number, unquote(username) or None, unquote(password) or None, options
    )


def broker_url(url: str) -> str:
    """The same server as kombu spells it: `redis+socket://` for sockets, one URL for each Sentinel."""
    url = normalise_url(url)
    if url.startswith(SENTINEL):
        address = parse_sentinel_url(url)
        user, password = (quote(text or "", safe="") for text in (address.username, address.password))
        login = f"{user}:{password}@" if password else ""
        return ";".join(f"{SENTINEL}{login}{host}:{port}/{address.database}" for host, port in address.sentinels)
    if url.startswith("rediss://") and "ssl_cert_reqs=" not in url:
        # Without a word about certificates kombu would not use TLS at all.
        url += f"{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    return url.replace("unix://", "redis+socket://", 1)


def broker_options(url: str) -> dict[str, Any]:
    """What kombu must be told beside its URL."""
    if not url.startswith(SENTINEL):
        return {}
    address = parse_sentinel_url(url)
    return {"master_name": address.master, "sentinel_kwargs": dict(address.sentinel_options)}


def _connect_by_sentinel(address: SentinelAddress, options: dict[str, Any]) -> Redis:
    timeouts = {name: min(5.0, options[name]) for name in ("socket_timeout", "socket_connect_timeout")}
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py has no types here
        list(address.sentinels), sentinel_kwargs=timeouts | address.sentinel_options
    )
    client: Redis = sentinel.master_for(
        address.master, db=address.database, username=address.username, password=address.password, **options
    )
    return client


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    return (host or port).strip("[]"), int(port) if colon else SENTINEL_PORT
