"""Shared fixtures: a real valkey-server for every test session, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from redis import Redis

from worker.state.connection import connect
from worker.state.server import EmbeddedServer, embedded_url

# No test asserts how long something takes: a model that is loaded on the first call is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real valkey-server that lives for the test session."""
    data: Path = tmp_path_factory.mktemp("server")
    with EmbeddedServer(data):
        yield embedded_url(data)


@pytest.fixture
def redis(server_url: str) -> Iterator[Redis]:
    """A client on an emptied server."""
    client = connect(server_url)
    client.flushall()
    yield client
    client.close()
