"""Nothing lost, nothing twice: the short versions of `make faults`, several at once because they mostly wait."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.needs import missing
from tests.faults.table import SCENARIOS, SHORT_RUNS
from tests.support import skip_without

AT_ONCE = 3
"""Scenarios side by side."""
ROOT = Path(__file__).parent.parent

Runs = dict[tuple[str, str], Future[dict[str, Any]]]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every scenario of this session that can run here, begun in the order of the tests."""
    wanted = [
        (str(item.callspec.params["name"]), str(item.callspec.params["server"]))
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_the_promise_holds.__name__
    ]
    directory = tmp_path_factory.mktemp("faults")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        started = {
            (name, server): pool.submit(run_short, name, server, directory / f"{name}-{server}")
            for name, server in wanted
            if not missing(SCENARIOS[name].needs_on(server))
        }
        yield started
        for future in started.values():
            future.cancel()


def run_short(name: str, server: str, directory: Path) -> dict[str, Any]:
    """Run a scenario in a process of its own; its report."""
    words = ["-m", "tests.faults", name, "--short", "--server", server, "--directory", str(directory)]
    ended = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if not ended.stdout:
        raise RuntimeError(ended.stderr)
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


@pytest.mark.slow
@pytest.mark.timeout(3600)  # each waits for those that were begun before it, and a machine may be slow
@pytest.mark.parametrize(("name", "server"), SHORT_RUNS)
def test_the_promise_holds(name: str, server: str, runs: Runs) -> None:
    skip_without(missing(SCENARIOS[name].needs_on(server)))
    report = runs[name, server].result()
    # As text: pytest would show a part of the dictionary only.
    assert report["passed"], json.dumps(report, indent=1)
