"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import TypedDict

PR_SET_PDEATHSIG = 1
"""prctl(2), linux/prctl.h."""


class _PopenOptions(TypedDict, total=False):
    preexec_fn: Callable[[], None]


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
