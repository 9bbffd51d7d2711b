"""What parsing costs: `python benchmarks/parse_wire.py DIR [--json]` -> CPU milliseconds per document, by format.

Every file below DIR is parsed `--repeat` times in this process, and its fastest run counts, divided by the articles
in it; containers are opened first. The parser that made the article names the format; what gives none is `refused`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from worker.model import Article, Document
from worker.parse.containers import open_container
from worker.parse.document import parse_document


def documents(path: Path) -> Iterator[Document]:
    """The documents of a file: itself, or what it holds."""
    content = path.read_bytes()
    document = Document(source_id="bench", origin=str(path), received_at=datetime.now(UTC))
    opened = open_container(document, content)
    if opened is not None:
        yield from opened
    else:
        yield Document(
            source_id="bench",
            origin=str(path),
            received_at=document.received_at,
            content=content,
            size_bytes=len(content),
        )


def measure(document: Document, repeat: int) -> tuple[str, float]:
    """A document -> (its format, CPU milliseconds an article in the fastest of some runs)."""
    best, name = float("inf"), "refused"
    for _ in range(repeat):
        started = time.process_time_ns()
        found = parse_document(document, document.content or b"")
        best = min(best, (time.process_time_ns() - started) / 1e6 / len(found))
        first = next((item for item in found if isinstance(item, Article)), None)
        name = first.extraction.parser if first is not None and first.extraction is not None else "refused"
    return name, best


def main() -> None:
    """Measure and print a line per format: documents, median, mean, 90th percentile and slowest."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--json", action="store_true", help="one JSON object per format")
    options = arguments.parse_args()
    costs: dict[str, list[float]] = defaultdict(list)
    slowest: dict[str, tuple[float, str]] = {}
    for path in sorted(path for path in options.directory.rglob("*") if path.is_file()):
        for document in documents(path):
            name, cost = measure(document, options.repeat)
            costs[name].append(cost)
            slowest[name] = max(slowest.get(name, (0.0, "")), (cost, path.name))
    for name, values in sorted(costs.items()):
        row = {
            "format": name,
            "documents": len(values),
            "median_ms": round(statistics.median(values), 2),
            "mean_ms": round(statistics.mean(values), 2),
            "p90_ms": round(sorted(values)[int(len(values) * 0.9)], 2),
            "slowest": slowest[name][1],
            "slowest_ms": round(slowest[name][0], 2),
        }
        if options.json:
            print(json.dumps(row))
        else:
            print("  ".join(f"{key}={value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
