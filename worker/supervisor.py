"""The embedded mode: server, workers, beat and writer as children of one command.

What dies is started again with growing pauses; what keeps dying ends the run loudly. Children live in process
groups of their own, so that Ctrl-C reaches only the supervisor, which stops them in order: first what makes work,
then what does it, the server last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import structlog

from worker.config import PROCESS, Settings, Supervision
from worker.desk import Bells, state_url_of
from worker.errors import ConfigurationError, CopydeskError, StateError
from worker.state.process import die_with_parent
from worker.state.server import ROOM_BYTES, DiskFullError, EmbeddedServer
from worker.watchdog import Watchdog

STOP_SECONDS = 7.0
"""How long children may take to end by themselves; with the server's own end it stays under ten seconds."""
FIRST_PAUSE_SECONDS = 0.5
"""The pause before the first restart; it doubles with each further one in a row."""
MOST_DOUBLINGS = 20
SERVER_LOOK_SECONDS = 0.2
"""How often the server is looked at: all others wait for it."""

PARTS = ("pull", "parse", "beat", "store")
"""The children of `copydesk run`."""

log = structlog.get_logger()


def take_run_lock(data: Path) -> IO[str] | None:
    """The lock of the one supervisor of a data directory (close it to let go), or None where another has it."""
    (data / "run").mkdir(parents=True, exist_ok=True)
    lock = (data / "run" / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


class AlreadyRunningError(ConfigurationError):
    """Another supervisor works on the data directory."""


class CrashLoopError(CopydeskError):
    """A child keeps dying; the message names it and its log."""

    code = "crash_loop"


class Streak:
    """How often in a row a process ended before it had run for `crash_loop_seconds`.

    Time it was not running does not count: the growing pauses between restarts would else hide a loop.
    """

    def __init__(self, limits: Supervision) -> None:
        self._limits = limits
        self.exits = 0

    def note(self, ran_seconds: float) -> None:
        """It ended, after so long."""
        self.exits = 1 if ran_seconds > self._limits.crash_loop_seconds else self.exits + 1

    @property
    def is_loop(self) -> bool:
        """True where it will not mend by itself."""
        return self.exits >= self._limits.crash_loop_exits

    @property
    def pause_seconds(self) -> float:
        """The pause before the next start."""
        longest = self._limits.longest_pause_seconds
        return min(longest, FIRST_PAUSE_SECONDS * float(2 ** min(self.exits - 1, MOST_DOUBLINGS)))

    def __str__(self) -> str:
        return f"ended {self.exits} times, never having run for {self._limits.crash_loop_seconds:.0f} s"


class ServerWatch:
    """Starts the embedded server again whenever it ends, also where it ends while it starts.

    In a thread, because whoever watches the children asks the server, and waits while it is away. `problem` is
    set when the server keeps ending; then the watch gives up.
    """

    def __init__(self, server: EmbeddedServer, limits: Supervision) -> None:
        self.problem: CrashLoopError | None = None
        self._server = server
        self._streak = Streak(limits)
        self._started_at = time.monotonic()
        self._disk_full = False
        self._stopped = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True, name="watch-server")

    def start(self) -> None:
        """Start the server, then watch it; raises StateError or CrashLoopError where it does not come up."""
        while True:
            try:
                self._server.restart_if_dead()
                break
            except StateError as error:
                # What ended once while it started, is started again; what never answers, is not.
                if not self._server.ended:
                    raise
                log.warning("restart_failed", process="valkey-server", error=str(error))
            self._note_exit()
            if self.problem is not None:
                raise self.problem
        self._thread.start()

    def stop(self) -> None:
        """End the server, then the watch. Twice is once."""
        self._stopped.set()
        self._server.give_up()
        with self._turn:
            self._server.stop()
        # Joined last: the kernel ends a child when the thread that started it does.
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while self.problem is None and not self._stopped.wait(SERVER_LOOK_SECONDS):
            with self._turn:
                if not self._stopped.is_set():
                    self._look()

    def _look(self) -> None:
        try:
            if not self._server.restart_if_dead():
                return
            log.warning("restarted", process="valkey-server")
            self._disk_full = False
        except DiskFullError as error:
            # Whoever fills the disk is no fault of the server: it is waited for, and said once.
            if not self._disk_full:
                log.warning("server_waits", process="valkey-server", reason=str(error))
            self._disk_full = True
            return
        except (StateError, OSError) as error:
            log.warning("restart_failed", process="valkey-server", error=str(error))
        self._note_exit()

    def _note_exit(self) -> None:
        started_at, self._started_at = self._started_at, time.monotonic()
        self._streak.note(self._started_at - started_at)
        if self._streak.is_loop:
            log_file = self._server.directory / "valkey.log"
            self.problem = CrashLoopError(f"valkey-server {self._streak}; see {log_file}")


@dataclass
class Child:
    """One supervised process."""

    name: str
    arguments: list[str]
    streak: Streak
    process: subprocess.Popen[bytes] | None = None
    start_at: float = 0.0
    started_at: float = 0.0

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Starts and watches the processes of one data directory; a context manager that leaves none behind."""

    def __init__(self, settings: Settings, bells: Bells, parts: Sequence[str] = PARTS) -> None:
        self.settings = settings
        self.watchdog = Watchdog(settings, bells)
        embedded = EmbeddedServer(settings.data) if settings.embedded else None
        self.server = ServerWatch(embedded, settings.supervision) if embedded else None
        self.logs = settings.data / "logs"
        commands = {
            "pull": ["worker", "--queues", "pull", "--concurrency", str(settings.workers.pull_threads)],
            "parse": ["worker", "--queues", "parse,dedupe", "--concurrency", str(settings.workers.parse_processes)],
            "beat": ["beat"],
            "store": ["store", "--consumer", "embedded"],
        }
        self.children = [Child(name, commands[name], Streak(settings.supervision)) for name in parts]
        self._lock: IO[str] | None = None

    def __enter__(self) -> Supervisor:
        try:
            self.start_server()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_server(self) -> None:
        """Take the data directory and start its server; `check` starts the children.

        Raises AlreadyRunningError where another supervisor works on the data directory.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        self._lock = take_run_lock(self.settings.data)
        if self._lock is None:
            raise AlreadyRunningError(f"copydesk is already running on {self.settings.data}")
        if self.server is not None:
            self.server.start()
        self.watchdog.start()

    def check(self) -> None:
        """Start what may start now, replace what is wedged; raises CrashLoopError for what keeps dying."""
        if self.server is not None and self.server.problem is not None:
            raise self.server.problem
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and (child.process.poll() is not None or self._is_wedged(child)):
                self._note_exit(child, now)
            if child.process is None and child.start_at <= now:
                self._spawn(child)

    def stop(self) -> None:
        """End the children, then the server; SIGKILL for what does not end in time. Twice is once."""
        self.watchdog.stop()
        for child in reversed(self.children):
            if child.alive and child.process is not None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            if child.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(timeout=max(0.0, deadline - time.monotonic()))
                self._kill_group(child)
                child.process = None
        if self.server is not None:
            self.server.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _is_wedged(self, child: Child) -> bool:
        reason = self.watchdog.wedged(child.process.pid, child.started_at) if child.process else None
        if reason is not None:
            log.error("child_wedged", process=child.name, reason=reason)
        return reason is not None

    def _note_exit(self, child: Child, now: float) -> None:
        self._kill_group(child)
        code = child.process.returncode if child.process else None
        child.process = None
        if not self.watchdog.answering or self._is_disk_full():
            # Whoever ends then, ends for that: waiting mends it.
            child.streak.exits = 0
        child.streak.note(now - child.started_at)
        if child.streak.is_loop:
            raise CrashLoopError(f"{child.name} {child.streak}; see {self.logs / child.name}.log")
        child.start_at = now + child.streak.pause_seconds
        log.warning(
            "child_ended", process=child.name, exit_code=code, starts_again_in_seconds=child.streak.pause_seconds
        )

    def _is_disk_full(self) -> bool:
        return shutil.disk_usage(self.settings.data).free < ROOM_BYTES

    def _spawn(self, child: Child) -> None:
        environment = os.environ | {
            "COPYDESK_DATA": str(self.settings.data),
            "COPYDESK_CONFIG": str(self.settings.config),
            # Named, so that no child ever takes the embedded server for its own, and starts or stops it.
            "COPYDESK_REDIS_URL": state_url_of(self.settings),
            PROCESS: child.name,
        }
        child.started_at = time.monotonic()
        with (self.logs / f"{child.name}.log").open("ab") as output:
            child.process = subprocess.Popen(
                [sys.executable, "-m", "worker", *child.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
                **die_with_parent(),
            )

    def _kill_group(self, child: Child) -> None:
        """Leave no orphan: pool processes whose parent is gone."""
        if child.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
