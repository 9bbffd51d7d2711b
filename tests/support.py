"""Helpers for tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import pytest

PATIENCE_SECONDS = 300
"""The one limit for whatever a test waits for. It costs nothing where the test passes, and a machine may be slow."""
FIRST_LOOK_SECONDS = 0.01
LONGEST_LOOK_SECONDS = 0.2


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Return as soon as the condition holds; fail the test when it does not within `PATIENCE_SECONDS`.

    Looks grow rarer: what takes long is often a process that needs the processor itself.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = FIRST_LOOK_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not hold within {PATIENCE_SECONDS} s")
        time.sleep(pause)
        pause = min(pause * 1.3, LONGEST_LOOK_SECONDS)


def skip_without(lacks: Sequence[str]) -> None:
    """Skip where something is missing on a laptop; where everything was installed for the tests, it is a fault."""
    if lacks:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {', '.join(lacks)}")
