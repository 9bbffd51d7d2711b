"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
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
    libc = ctypes.CDLL(None, use_errno=True)

    def set_death_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return {"preexec_fn": set_death_signal}
