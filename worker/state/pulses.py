"""Signs of life: every process writes what it does, for the supervisor, for health probes and for `copydesk status`.

Twice: a file in `DATA/run/pulses`, read by those on the same host, also where the server is away; and a key that
expires, read by everybody.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
import psutil
from redis import Redis
from redis.exceptions import RedisError

from worker.config import Settings
from worker.state.connection import connect
from worker.state.keys import Keys

EVERY_SECONDS = 2.0
"""How often a process gives a sign of life."""
TTL_SECONDS = 15
"""How long others see a sign of life on the server."""
FORGET_SECONDS = 86_400.0
"""A sign of life this old is of a host that is gone."""
ANSWER_SECONDS = 1.0
"""Longest wait for the server: a sign of life must not hold up the work."""


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What a process did until now.

    `serves` are stages (pull, parse, dedupe, store) or `beat`; `answered` counts what it took up since it started,
    `busy` what it works on now. It may be silent for `patience_seconds` (a sink that commits). `monotonic` is the
    time since the host's start (seconds), which no clock step moves.
    """

    name: str
    host: str
    pid: int
    serves: tuple[str, ...]
    answered: int = 0
    busy: int = 0
    detail: str = ""
    patience_seconds: float = 0.0
    monotonic: float = 0.0
    answered_monotonic: float = 0.0


class Pulses:
    """Writes this process's signs of life; at most one every `EVERY_SECONDS`, whatever the caller does."""

    def __init__(self, settings: Settings, url: str, name: str, serves: tuple[str, ...]) -> None:
        self._settings = settings
        self._pulse = Pulse(name=name, host=socket.gethostname(), pid=os.getpid(), serves=serves)
        self._file = _directory(settings) / f"{self._pulse.host}.{name}.json"
        self._keys = Keys(settings.state.namespace)
        self._redis = connect(url, ANSWER_SECONDS, patient=False)
        _forget_old_files(_directory(settings))

    def give(self, answered: int = 0, busy: int = 0, detail: str = "", patience_seconds: float = 0.0) -> None:
        """Write a sign of life if one is due. Neither a full disk nor a server that is away stops the caller."""
        now, before = time.monotonic(), self._pulse
        if now - before.monotonic < EVERY_SECONDS / 2 and patience_seconds == before.patience_seconds:
            return
        moved = answered != before.answered or not before.monotonic
        self._pulse = msgspec.structs.replace(
            before,
            answered=answered,
            busy=busy,
            detail=detail,
            patience_seconds=patience_seconds,
            monotonic=now,
            answered_monotonic=now if moved else before.answered_monotonic,
        )
        data = msgspec.json.encode(self._pulse)
        self._write(data)
        self._send(data)

    def _write(self, data: bytes) -> None:
        hidden = self._file.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            hidden.write_bytes(data)
            hidden.replace(self._file)
        except OSError:
            # A full disk: whoever looks finds it on the server.
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)

    def _send(self, data: bytes) -> None:
        name = f"{self._pulse.host}.{self._pulse.name}"
        # The caller's own work says what is wrong with the server.
        with contextlib.suppress(RedisError, OSError), self._redis.pipeline() as pipe:
            pipe.set(self._keys.name("pulse", name), data, ex=TTL_SECONDS)
            pipe.sadd(self._keys.name("pulses"), name)
            pipe.execute()


class Listener:
    """Reads the signs of life of all processes."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
        self._keys = Keys(settings.state.namespace)

    def everywhere(self) -> list[Pulse]:
        """Processes that gave a sign of life within `TTL_SECONDS`, on any host, by name."""
        members: Any = self._redis.smembers(self._keys.name("pulses"))
        names = sorted(raw.decode() for raw in members)
        found: list[Pulse] = []
        blobs: Any = self._redis.mget([self._keys.name("pulse", name) for name in names]) if names else []
        for name, blob in zip(names, blobs, strict=True):
            if blob is None:
                self._redis.srem(self._keys.name("pulses"), name)
            else:
                found.append(msgspec.json.decode(blob, type=Pulse))
        return found


def pulses_here(settings: Settings) -> list[Pulse]:
    """The last signs of life of processes that run on this host, however old; what has ended is passed over."""
    found: list[Pulse] = []
    for path in sorted(_directory(settings).glob(f"{socket.gethostname()}.*.json")):
        try:
            pulse = msgspec.json.decode(path.read_bytes(), type=Pulse)
        except (OSError, msgspec.DecodeError):
            continue
        if _is_running(pulse.pid):
            found.append(pulse)
        else:
            path.unlink(missing_ok=True)
    return found


def living_here(settings: Settings, redis: Redis, pids: Collection[int] = ()) -> list[Pulse]:
    """As `pulses_here`, where a full disk takes no files: of the same processes, and of `pids`, what the server has.

    Raises RedisError where the server is away.
    """
    found = {(pulse.name, pulse.pid): pulse for pulse in pulses_here(settings)}
    host = socket.gethostname()
    for pulse in Listener(redis, settings).everywhere():
        before = found.get((pulse.name, pulse.pid))
        ours = pulse.host == host and (before is not None or pulse.pid in pids)
        if ours and (before is None or before.monotonic < pulse.monotonic):
            found[pulse.name, pulse.pid] = pulse
    return list(found.values())


def _forget_old_files(directory: Path) -> None:
    """Remove what hosts left that will not come back: every new container has another name."""
    horizon = time.time() - FORGET_SECONDS
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            if path.stat().st_mtime < horizon:
                path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _directory(settings: Settings) -> Path:
    return settings.data / "run" / "pulses"
