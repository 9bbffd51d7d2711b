"""Shared fixtures: a real valkey-server for every test session, empty for each test; and the order of the tests.

`make test` runs several sessions side by side (pytest-xdist, a file at a time): nothing may have a fixed port or name.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from redis import Redis

from tests.http_support import Server, serving
from worker.state.connection import connect
from worker.state.server import EmbeddedServer, embedded_url

# No test asserts how long something takes: a model that is loaded on the first call is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# In the background of a shell script SIGINT is ignored, and every process that tests stop with it would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files in the order of how long they wait: faults, files with slow tests, the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.stem != "test_faults", item.path not in slow))


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


@pytest.fixture
def server() -> Iterator[Server]:
    """An HTTP server that answers what a test tells it to."""
    with serving(Server()) as server:
        yield server
