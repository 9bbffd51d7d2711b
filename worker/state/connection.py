"""One way to reach the state server."""

from __future__ import annotations

from redis import Redis, exceptions
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from worker.errors import ConfigurationError

SCHEMES = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://")


def normalise_url(url: str) -> str:
    """A URL redis-py understands; raises ConfigurationError for other schemes."""
    if not url.startswith(SCHEMES):
        raise ConfigurationError(f"state URL must start with one of {', '.join(SCHEMES)}")
    return url.replace("valkeys://", "rediss://", 1).replace("valkey://", "redis://", 1)


def connect(url: str, socket_timeout_seconds: float = 60.0, *, patient: bool = True) -> Redis:
    """A client for the URL (not yet connected). Replies are bytes.

    Commands are tried again after a broken connection (about ten seconds in all): every script of this
    package may run twice without a second effect. One that is not `patient` tries once.
    """
    again: list[type[Exception]]
    again = [exceptions.ConnectionError, exceptions.TimeoutError, exceptions.BusyLoadingError]
    return Redis.from_url(
        normalise_url(url),
        socket_timeout=socket_timeout_seconds,
        socket_connect_timeout=min(5.0, socket_timeout_seconds),
        health_check_interval=25,
        retry=Retry(ExponentialBackoff(cap=2.0, base=0.1), 9) if patient else Retry(NoBackoff(), 0),
        retry_on_error=again if patient else [],
    )


def broker_url(url: str) -> str:
    """The same server as kombu spells it (`unix://` is `redis+socket://` there)."""
    url = normalise_url(url)
    return url.replace("unix://", "redis+socket://", 1)
