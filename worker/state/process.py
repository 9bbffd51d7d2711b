"""Processes that end in time: children that do not outlive their parent, and how long one may take to stop."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
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


def die_with_parent() -> _PopenOptions:
    """Popen options that send SIGTERM to the child when its parent ends, however it ends (Linux only)."""
    if not sys.platform.startswith("linux"):
        return {}
    # Looked up here: between fork and exec nothing may be loaded, another thread's locks are held for ever.
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def set_death_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # It ended before it could be told to us.
            os._exit(1)

    return {"preexec_fn": set_death_signal}


def be_killed_with_parent() -> None:
    """SIGKILL for this (forked) process when its parent ends: also where it is in C code that never returns."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
