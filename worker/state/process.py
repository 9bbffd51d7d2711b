"""Processes that end in time: children that do not outlive their parent, and how long one may take to stop.

What runs in a signal handler or between fork and exec may take no lock: whoever holds it was interrupted, or is gone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TypedDict

from worker.config import PROCESS

PR_SET_PDEATHSIG = 1
"""prctl(2), linux/prctl.h."""
STOP_SECONDS = (15.0, 25.0)
"""A worker told to stop finishes what it does for so long, then hands its batches back; after the second it is killed:
whoever stops us (docker, systemd, Kubernetes) waits for thirty seconds."""
SUPERVISED_STOP_SECONDS = (2.5, 6.5)
"""The same below our own supervisor, which waits for seven."""


class _PopenOptions(TypedDict, total=False):
    preexec_fn: Callable[[], None]


def stop_seconds() -> tuple[float, float]:
    """How long this process, told to stop, may finish what it does, and after how long it is killed."""
    return SUPERVISED_STOP_SECONDS if PROCESS in os.environ else STOP_SECONDS


def _bind_to_parent(number: int) -> Callable[[int], None]:
    """What a new process is to call with its parent's id: the kernel sends it the signal when the parent ends."""
    # Looked up here: between fork and exec nothing may be loaded, another thread's locks are held for ever.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def bind(parent: int) -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            # It ended before it could be told to us.
            os._exit(1)

    return bind


def die_with_parent() -> _PopenOptions:
    """Popen options that send SIGTERM to the child when its parent ends, however it ends (Linux only)."""
    if not sys.platform.startswith("linux"):
        return {}
    return {"preexec_fn": partial(_bind_to_parent(signal.SIGTERM), os.getpid())}


def kill_forks_with_us() -> None:
    """From now on, SIGKILL for each process that this one forks when this one ends (Linux only).

    Also where the fork is in C code that never returns, or has not yet come to anything of its own.
    """
    if not sys.platform.startswith("linux"):
        return
    bind, parent = _bind_to_parent(signal.SIGKILL), os.getpid()

    def note_parent() -> None:
        nonlocal parent
        parent = os.getpid()

    os.register_at_fork(before=note_parent, after_in_child=lambda: bind(parent))


def be_killed_in(seconds: float) -> None:
    """The kernel ends this process after so many seconds, whatever hangs in it by then (SIGALRM's default action).

    No thread: starting one takes locks that the interrupted thread may hold. Forks do not inherit the timer. Asked
    again, it stays with the first time.
    """
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


class SignalEvent(threading.Event):
    """An event for signal handlers to set: `threading.Event.set` takes a lock that the interrupted `wait` may hold."""

    def __init__(self) -> None:
        super().__init__()
        self._told = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)

    def is_set(self) -> bool:
        """True once it was set."""
        return self._told

    def set(self) -> None:
        """Wake everybody who waits, now and later."""
        self._told = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, b"\0")

    def clear(self) -> None:
        """Not for these: who was told to stop, stops."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or for `timeout` seconds; True where it is set."""
        if not self._told:
            select.select([self._reader], [], [], timeout)
        return self._told
