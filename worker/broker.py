"""The broker as kombu is told about it, and what kombu does not do by itself when a Redis server goes away.

Bells may be lost, so nothing here takes pains to keep one: it only sees to it that a worker goes on.
"""

from __future__ import annotations

import math
from typing import Any

from kombu.transport import redis as redis_transport
from kombu.utils.json import loads as load_json
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.config import Settings
from worker.desk import state_url_of
from worker.operate.dead import as_message
from worker.state.connection import SCHEMES, broker_options, broker_url


def broker_of(settings: Settings) -> tuple[str, dict[str, Any]]:
    """The URL of the broker as kombu spells it, and its transport options."""
    url = settings.state.broker_url or state_url_of(settings)
    url, options = (broker_url(url), broker_options(url)) if url.startswith(SCHEMES) else (url, {})
    if url.startswith(("redis", "sentinel")):
        options |= _redis_options(settings)
    elif url.startswith("amqp"):
        # Without these, beat and the watchdog would wait for ever for an answer that was lost on the way.
        seconds = math.ceil(settings.state.socket_timeout_seconds)
        options |= {"read_timeout": seconds, "write_timeout": seconds, "connect_timeout": min(5, seconds)}
    return url, options


def _redis_options(settings: Settings) -> dict[str, Any]:
    return {
        "global_keyprefix": f"{settings.state.namespace}:bells:",
        "queue_order_strategy": "priority",
        "visibility_timeout": 600,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": settings.state.socket_timeout_seconds,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }


def _load_anything(text: str) -> Any:
    """What lies on a queue of the state server; bytes that are no message at all become one that is refused and kept.

    kombu would end the worker on them, and the next one.
    """
    try:
        return as_message(text, load_json(text))  # type: ignore[no-untyped-call]  # kombu has no types
    except ValueError:
        return as_message(text, None)


# kombu offers no other place to say what becomes of a message that it cannot read.
redis_transport.loads = _load_anything  # type: ignore[assignment]  # it takes a text alone


def _connection_parameters(channel: Any, *arguments: Any, **named: Any) -> Any:
    """Where a channel connects to; one whose connection was given up says so as a lost connection.

    kombu would trip over an AttributeError there, when it hands back or acknowledges what that channel had delivered:
    it ends the whole worker where it should connect anew.
    """
    if channel.connection is None or channel.connection.client is None:
        raise RedisConnectionError("the connection to the broker was given up")
    return _parameters(channel, *arguments, **named)


_channel: Any = redis_transport.Channel
_parameters = _channel._connparams  # noqa: SLF001  # the one place where every channel asks
_channel._connparams = _connection_parameters  # noqa: SLF001
