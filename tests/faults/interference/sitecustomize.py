"""Loaded by every Python process of a fault run (through PYTHONPATH): makes real processes misbehave.

The environment variable FAULT_FLAGS names a directory. A file in it switches a misbehaviour on while it exists:

    double_bells      every bell is sent twice, in another order
    sink_down         the store refuses everything
    sink_slow         every write takes as many seconds as the file says
    kill_writer       the writer is killed between its commit and its acknowledgement, with the probability in the file
    parse_slow        every document takes so many seconds more, without computing
    parse_hold        a document that is begun is not done before the flag goes; `held` tells that there is one
    parse_stuck       the next document ends in C code that never returns; `stuck` tells that there is one

Documents that hold one of these words misbehave when they are parsed:

    CRASH-THE-PARSER     segmentation fault
    HANG-THE-PARSER      endless loop inside a C function
    DEVOUR-ALL-MEMORY    allocates without end
"""

import ctypes
import importlib.abc
import importlib.machinery
import itertools
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

FLAGS = Path(os.environ.get("FAULT_FLAGS", "/nonexistent"))


def flag(name: str) -> float | None:
    """The number in a flag's file (1 where it is empty), None where there is none."""
    try:
        return float((FLAGS / name).read_text() or 1)
    except (OSError, ValueError):
        return None


def double_bells(module: ModuleType) -> None:
    ring = module.CeleryBells.ring
    held: list[tuple[Any, ...]] = []

    def ring_twice(self: Any, task: Any, lane: Any, identifier: str) -> None:
        if flag("double_bells") is None:
            ring(self, task, lane, identifier)
            return
        held.extend([(task, lane, identifier)] * 2)
        random.shuffle(held)
        while len(held) > 3:
            ring(self, *held.pop())

    module.CeleryBells.ring = ring_twice


def trouble_sink(module: ModuleType) -> None:
    write = module.SqliteSink.write

    def troubled(self: Any, entries: Any) -> Any:
        from worker.errors import SinkError  # noqa: PLC0415  # nothing is imported before the process itself does

        if flag("sink_down") is not None:
            raise SinkError("the store is down, says the fault run")
        time.sleep(flag("sink_slow") or 0)
        return write(self, entries)

    module.SqliteSink.write = troubled


def kill_writer(module: ModuleType) -> None:
    acknowledge = module.StorageQueue.acknowledge

    def deadly(self: Any, entries: Any) -> Any:
        if random.random() < (flag("kill_writer") or 0):
            os.kill(os.getpid(), signal.SIGKILL)
        return acknowledge(self, entries)

    module.StorageQueue.acknowledge = deadly


def poison_parser(module: ModuleType) -> None:
    parse = module.parse_document

    def poisoned(document: Any, content: bytes) -> Any:
        time.sleep(flag("parse_slow") or 0)
        while flag("parse_hold") is not None:
            (FLAGS / "held").touch()
            time.sleep(0.05)
        if flag("parse_stuck") is not None:
            (FLAGS / "parse_stuck").rename(FLAGS / "stuck")
            sum(itertools.repeat(0))
        if b"CRASH-THE-PARSER" in content:
            ctypes.string_at(0)
        if b"HANG-THE-PARSER" in content:
            re.match(r"(a+)+$", "a" * 60 + "b")
        if b"DEVOUR-ALL-MEMORY" in content:
            hoard: list[bytearray] = []
            while True:
                hoard.append(bytearray(50_000_000))
        return parse(document, content)

    module.parse_document = poisoned  # type: ignore[attr-defined]


AFTER_IMPORT = {
    "worker.tasks": double_bells,
    "worker.store.sqlite": trouble_sink,
    "worker.state.queue": kill_writer,
    "worker.parse.document": poison_parser,
}


class Interference(importlib.abc.MetaPathFinder):
    """Runs a function of ours right after a module of theirs was loaded."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in AFTER_IMPORT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        load, change = spec.loader.exec_module, AFTER_IMPORT[name]

        def load_and_change(module: ModuleType) -> None:
            load(module)
            change(module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec


if "FAULT_FLAGS" in os.environ:
    sys.meta_path.insert(0, Interference())
