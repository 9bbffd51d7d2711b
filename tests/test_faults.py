"""Nothing lost, nothing twice: the short versions of `make faults`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.table import SCENARIOS


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_promise_holds(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    report = scenario.run(tmp_path / "run", **scenario.short)
    assert report.passed, report
