"""`python -m tests.faults [F1 F3 ...]`: run scenarios and print a report each; exit 1 where a promise broke."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.faults.needs import missing
from tests.faults.report import Report
from tests.faults.table import SCENARIOS


def reports(
    names: list[str], runs: int, options: dict[str, object], *, short: bool, directory: Path | None = None
) -> Iterator[Report]:
    """Run each scenario so many times, in an empty directory each (kept below `directory` where that is given)."""
    for name in names:
        scenario = SCENARIOS[name]
        measures = {**(scenario.short if short else scenario.long), **options}
        for number in range(runs):
            if directory is not None:
                yield scenario.run(directory / f"{name}-{number}", **measures)
                continue
            with tempfile.TemporaryDirectory(prefix="copydesk-faults-") as place:
                yield scenario.run(Path(place) / "run", **measures)


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
    parser.add_argument("--server", choices=("valkey", "redis"), help="valkey by default, embedded where it can be")
    parser.add_argument("--broker", choices=("rabbitmq",), help="carry the bells by another server than the state's")
    parser.add_argument("--strict", action="store_true", help="fail also where a recovery took longer than its goal")
    parser.add_argument("--directory", type=Path, help="keep what the runs leave there, to look into it")
    options = parser.parse_args()
    # Told to stop, a scenario still ends its processes and takes its mounts away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unknown = set(options.names) - set(SCENARIOS)
    if unknown:
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    measures: dict[str, object] = {
        name: json.loads(value) for name, _, value in (pair.partition("=") for pair in options.set)
    }
    if options.server == "redis":
        measures["server"] = options.server
    if options.broker:
        measures["broker"] = options.broker
    names, passed = options.names or list(SCENARIOS), True
    lacks = {name: missing(SCENARIOS[name].needs_on(options.server or "valkey", options.broker)) for name in names}
    for name in names:
        if lacks[name]:
            print(f"{name} is left out: it needs {', '.join(lacks[name])}", file=sys.stderr)
    able = [name for name in names if not lacks[name]]
    for report in reports(able, options.runs, measures, short=options.short, directory=options.directory):
        print(json.dumps(asdict(report) | {"passed": report.passed, "missed": report.missed}), flush=True)
        passed &= report.passed and not (options.strict and report.missed)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
