"""`python -m tests.faults [F1 F3 ...]`: run scenarios and print a report each; exit 1 where a promise broke."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.faults.report import Report
from tests.faults.table import SCENARIOS


def reports(names: list[str], runs: int, options: dict[str, object], *, short: bool) -> Iterator[Report]:
    """Run each scenario so many times, in an empty directory each."""
    for name in names:
        scenario = SCENARIOS[name]
        for _ in range(runs):
            with tempfile.TemporaryDirectory(prefix="copydesk-faults-") as directory:
                measures = {**(scenario.short if short else scenario.long), **options}
                yield scenario.run(Path(directory) / "run", **measures)


def main() -> int:
    """Command line of `make faults`."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python -m tests.faults F1 --set kills=50 --set documents=20000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="FAULT", help=f"of {' '.join(SCENARIOS)}; all by default")
    parser.add_argument("--runs", type=int, default=1, help="how often each")
    parser.add_argument("--short", action="store_true", help="as in the test suite")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a measure of the scenario")
    options = parser.parse_args()
    unknown = set(options.names) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    measures = {name: json.loads(value) for name, _, value in (pair.partition("=") for pair in options.set)}
    passed = True
    for report in reports(options.names or list(SCENARIOS), options.runs, measures, short=options.short):
        print(json.dumps(asdict(report) | {"passed": report.passed}), flush=True)
        passed &= report.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
