"""A worker beside a system that no supervisor of ours looks after: on another host, or started by systemd."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from tests.faults.flags import Flags
from tests.faults.system import PATIENT_SECONDS, System, wait_for

PROCESSES = 2


class LoneWorker:
    """A worker for `parse` and `dedupe` with flags of its own; `prefix` are words before its command."""

    def __init__(self, system: System, directory: Path, prefix: Sequence[str] = ()) -> None:
        self.flags = Flags(directory / "flags-of-the-lone-worker")
        self.log = directory / "lone-worker.log"
        self._system = system
        self._prefix = list(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._process is not None and self._process.poll() is None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Started, and ended with all its children."""
        words = ["-m", "worker", "worker", "--queues", "parse,dedupe", "--concurrency", str(PROCESSES)]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, *words, *self._system.options],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **self.flags.environment},
            )
        try:
            yield
        finally:
            self.terminate()

    def feed_until(self, flag: str, articles: int) -> bool:
        """Feed so many articles at a time until a process of this worker raises the flag; False where none does."""

        def raised() -> bool:
            if not self.flags.is_up(flag) and self._system.stored() >= self._system.fed:
                self._system.feed(articles)
            return self.flags.is_up(flag)

        return wait_for(raised) < PATIENT_SECONDS

    def terminate(self) -> tuple[float, int]:
        """SIGTERM; seconds until it had ended, and how many of its processes it left behind (ended now)."""
        process = self._process
        if process is None or process.poll() is not None:
            return 0.0, 0
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        seconds = wait_for(lambda: process.poll() is not None, 60.0)
        # Its children are told by the kernel, which takes a moment.
        left = psutil.wait_procs(children, timeout=10)[1]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return seconds, len(left)
