"""Processes that parse files for `copydesk parse`; each can be killed, and costs then the document it was at.

    files ──► task ──► process ──► steps: document begun, lines found ... file done
                          │ silent for too long, or dead?
                          └──► killed; a line for that document; the file goes on behind it in another process

The alarm in a process (worker/limits.py) stops what runs in the interpreter; this watch, from outside, also stops
code that hangs inside a C library and never looks at signals.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec

Line = dict[str, Any]

AHEAD = 8
"""Files begun for each process before the oldest of them is done: enough to keep it busy."""
MOST_KILLS = 3
"""Documents of one file that may cost a process; the rest of the file is given up after them."""
_PARENT_SECONDS = 5.0
"""How often a process without work looks whether whoever started it still lives."""


class Begun(msgspec.Struct, frozen=True):
    """Work on a document, or member of a container, begins."""

    member: int | str | None


class Found(msgspec.Struct, frozen=True):
    """All lines of one document."""

    lines: list[Line]


Step = Begun | Found
Read = Callable[[Path, int], Iterator[Step]]
"""(file, documents to pass over) -> the steps of the others."""
Blame = Callable[[Path, int | str | None, str], Line]
"""(file, member, error code) -> the line for a document that cost its process."""


@dataclass
class _Task:
    path: Path
    lines: deque[Line] = field(default_factory=deque)
    begun: int = 0
    member: int | str | None = None
    kills: int = 0
    done: bool = False


@dataclass
class _Helper:
    process: BaseProcess
    link: Connection
    task: _Task | None = None
    heard: float = 0.0

    def give(self, task: _Task) -> None:
        self.task, self.heard = task, time.monotonic()
        self.link.send((task.path, task.begun))

    def silent_seconds(self) -> float:
        return time.monotonic() - self.heard if self.task else 0.0


def parse_in_processes(
    files: Iterator[Path], jobs: int, read: Read, blame: Blame, most_seconds: float
) -> Iterator[Line]:
    """Lines in the order of the files, parsed by `jobs` processes.

    A process that says nothing for `most_seconds` of wall time is killed, and the document it was at gives a line with
    the code `parse_timeout`; one that dies alone gives `poison`. The file's other documents go on. `read` must be
    picklable.
    """
    crew = _Crew(jobs, read, blame, most_seconds)
    try:
        yield from crew.run(files)
    finally:
        crew.stop()


class _Crew:
    def __init__(self, jobs: int, read: Read, blame: Blame, most_seconds: float) -> None:
        self.jobs, self.read, self.blame, self.most_seconds = jobs, read, blame, most_seconds
        self.helpers: list[_Helper] = []
        self.again: deque[_Task] = deque()

    def run(self, files: Iterator[Path]) -> Iterator[Line]:
        open_tasks: deque[_Task] = deque()
        while True:
            self._hand_out(files, open_tasks)
            if not open_tasks:
                return
            self._listen()
            while open_tasks and (open_tasks[0].lines or open_tasks[0].done):
                task = open_tasks[0]
                while task.lines:
                    yield task.lines.popleft()
                if task.done:
                    open_tasks.popleft()

    def _hand_out(self, files: Iterator[Path], open_tasks: deque[_Task]) -> None:
        """Every process without a task gets one, as far as there are any."""
        idle = deque(helper for helper in self.helpers if helper.task is None)
        while len(idle) + self.jobs > len(self.helpers):
            if self.again:
                task = self.again.popleft()
            elif len(open_tasks) >= self.jobs * AHEAD or (path := next(files, None)) is None:
                return
            else:
                task = _Task(path)
                open_tasks.append(task)
            self._give(task, idle.popleft() if idle else self._start())

    def _give(self, task: _Task, helper: _Helper) -> None:
        try:
            helper.give(task)
        except ConnectionError:
            # It died while it had nothing to do: no document is to blame.
            self._drop(helper)
            self._start().give(task)

    def _start(self) -> _Helper:
        context = _context()
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, self.read, os.getpid()), daemon=True)  # type: ignore[attr-defined]
        process.start()
        there.close()
        helper = _Helper(process, here)
        self.helpers.append(helper)
        return helper

    def _listen(self) -> None:
        """Waits for what the processes say, at most until the first of them has been silent for too long."""
        busy = {helper.link: helper for helper in self.helpers if helper.task}
        patience = self.most_seconds - max((helper.silent_seconds() for helper in busy.values()), default=0.0)
        ready = wait(list(busy), max(0.0, patience))
        for link in ready:
            self._hear(busy[link])  # type: ignore[index]
        for helper in busy.values():
            if helper.link not in ready and helper.silent_seconds() >= self.most_seconds:
                self._lose(helper, "parse_timeout")

    def _hear(self, helper: _Helper) -> None:
        task = helper.task
        assert task is not None  # noqa: S101  # only processes with a task are listened to
        try:
            step = helper.link.recv()
        except (EOFError, ConnectionError):
            self._lose(helper, "poison")
            return
        helper.heard = time.monotonic()
        if isinstance(step, Begun):
            task.begun, task.member = task.begun + 1, step.member
        elif isinstance(step, Found):
            task.lines.extend(step.lines)
        else:
            task.done, helper.task = True, None

    def _lose(self, helper: _Helper, code: str) -> None:
        task = helper.task
        assert task is not None  # noqa: S101  # only processes with a task can be lost over it
        self._drop(helper)
        task.lines.append(self.blame(task.path, task.member, code))
        task.kills += 1
        if task.begun and task.kills < MOST_KILLS:
            task.member = None
            self.again.append(task)
        else:
            task.done = True

    def _drop(self, helper: _Helper) -> None:
        self._end(helper)
        self.helpers.remove(helper)

    def stop(self) -> None:
        for helper in self.helpers:
            self._end(helper)
        self.helpers.clear()

    def _end(self, helper: _Helper) -> None:
        helper.process.kill()
        helper.process.join()
        helper.link.close()


def _context() -> BaseContext:
    """Forked where that is safe, which spares a second of imports."""
    forked = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if forked else "spawn")


def _work(link: Connection, read: Read, parent: int) -> None:
    """What runs in a process: tasks in, steps out; None ends a file. Ends when its parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        while not link.poll(_PARENT_SECONDS):
            if os.getppid() != parent:
                return
        path, passed_over = link.recv()
        for step in read(path, passed_over):
            link.send(step)
        link.send(None)
