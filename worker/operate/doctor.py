"""Preflight: everything that can be checked before it is needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from worker.config import Settings
from worker.desk import state_url_of
from worker.errors import CopydeskError
from worker.secrets import mask
from worker.state.connection import connect
from worker.state.preflight import inspect_server
from worker.state.server import EmbeddedServer
from worker.store.sink import open_sink


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `problem` says what to do where it is not fine."""

    check: str
    value: str
    problem: str | None = None


def examine(settings: Settings) -> list[Check]:
    """Look at settings, directories, sources, state server and store."""
    return [*_directories(settings), *_sources(settings), *_server(settings), *_store(settings)]


def _directories(settings: Settings) -> Iterator[Check]:
    found = "present" if settings.config.is_dir() else "absent: defaults are used"
    yield Check("config directory", f"{settings.config} ({found})")
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.data).free
    except OSError as error:
        yield Check("data directory", str(settings.data), f"cannot be made: {error.strerror}")
        return
    writable = os.access(settings.data, os.W_OK)
    yield Check("data directory", str(settings.data), None if writable else "make it writable for this user")
    short = free < settings.pressure.free_disk_bytes
    remedy = f"less than pressure.free_disk_bytes ({settings.pressure.free_disk_bytes}): pulling pauses"
    yield Check("free disk", f"{free // 1_000_000:,} MB", remedy if short else None)


def _sources(settings: Settings) -> Iterator[Check]:
    yield Check("sources in sources.toml", str(len(settings.sources)))
    for source in settings.sources:
        local = source.path or (source.url if source.url and "://" not in source.url else None)
        if local and not source.claim and not Path(local).exists():
            yield Check(f"source {source.id}", local, "the path does not exist")
        if source.claim and source.path and _inside_spool(Path(source.path), settings.data):
            yield Check(f"source {source.id}", source.path, "an inbox inside the data directory: choose another place")


def _inside_spool(path: Path, data: Path) -> bool:
    return path == data or data in path.parents


def _server(settings: Settings) -> Iterator[Check]:
    try:
        if settings.embedded:
            with EmbeddedServer(settings.data):
                yield from _inspect(settings)
        else:
            yield from _inspect(settings)
    except (CopydeskError, RedisError, OSError) as error:
        yield Check("state server", "not reached", mask(str(error)))


def _inspect(settings: Settings) -> Iterator[Check]:
    redis = connect(state_url_of(settings), socket_timeout_seconds=5)
    try:
        for finding in inspect_server(redis, settings.state.durability):
            yield Check(f"state server: {finding.check}", finding.value, finding.problem)
    finally:
        redis.close()


def _store(settings: Settings) -> Iterator[Check]:
    try:
        sink = open_sink(settings.sink_url)
    except CopydeskError as error:
        yield Check("store", mask(settings.sink_url), mask(str(error)))
        return
    yield Check("store", f"{mask(settings.sink_url)}, {sink.count():,} rows")
    sink.close()
