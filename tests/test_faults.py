"""Nothing lost, nothing twice: the short version of `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import run_faults


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_and_three_of_the_server_lose_nothing(tmp_path: Path) -> None:
    report = run_faults(tmp_path / "run", documents=15_000, kills=20, server_kills=3, seconds_between=1.0)
    assert report.passed, report
