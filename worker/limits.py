"""Limits on the time and memory that one piece of work may take."""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import psutil

from worker.errors import Failed


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise Failed("parse_timeout") inside the block after so many seconds of wall time.

    Works by SIGALRM, so only in a main thread (elsewhere the block runs unlimited, and the pool's hard limit is
    the only bound), and only while the interpreter runs: code that never returns from C is stopped by the
    hard limit of the process pool.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise Failed("parse_timeout", f"parsing took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    # Again every second: an exception raised inside a callback of a C library may be lost there.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def limit_memory(more_bytes: int) -> None:
    """Let this process grow by at most so many bytes of address space; past that, allocations raise MemoryError.

    For processes that parse: a document that asks for gigabytes then fails alone instead of taking the machine's
    memory. 0 sets no limit.
    """
    if more_bytes <= 0:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
