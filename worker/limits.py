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
def cpu_time_limit(seconds: float) -> Iterator[None]:
    """Raise Failed("parse_timeout") inside the block once it has used so many seconds of the process's CPU time.

    CPU time as the kernel accounts it (setitimer(2), ITIMER_PROF), not wall time: a sound document on a loaded
    machine takes long, but it does not compute long. Waiting counts for nothing; who only waits is ended by the wall
    limit of the process pool, which is far wider. Nobody else here uses SIGPROF: Celery and billiard take SIGUSR1,
    SIGTERM, SIGQUIT and SIGINT, faulthandler the fatal ones.

    Works only in a main thread (elsewhere the block runs unlimited, and the pool's limit is the only bound), and only
    while the interpreter looks at signals: code that never returns from C is stopped by the pool's limit too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise Failed("parse_timeout", f"parsing took longer than {seconds:g} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    # Again after every second: an exception raised inside a callback of a C library may be lost there.
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


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
