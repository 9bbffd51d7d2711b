"""A RabbitMQ of our own: a node on free ports of 127.0.0.1, with its files in the test's directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.secured import free_port
from tests.support import skip_without, wait_until

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's package; the wrapper on the PATH insists on a user of its own."""


def require_rabbitmq() -> None:
    """Skip where RabbitMQ is not installed, but not where all tests must run."""
    skip_without([] if SERVER.exists() and shutil.which("epmd") else ["rabbitmq-server"])


@contextlib.contextmanager
def running_rabbitmq(directory: Path) -> Iterator[str]:
    """A node that answers; its URL."""
    port, names = free_port(), free_port()
    (directory / "plugins").write_text("[].\n")
    environment = os.environ | {
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"copydesk-{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "none"),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    with (directory / "rabbitmq.log").open("wb") as log, contextlib.ExitStack() as stack:
        # Started by us, the name server ends with us; otherwise the node would leave one behind.
        for command in (["epmd", "-port", str(names)], [str(SERVER)]):
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
            stack.callback(_end, process)
        wait_until(lambda: _is_open(port), "RabbitMQ's answer")
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


def _is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()
