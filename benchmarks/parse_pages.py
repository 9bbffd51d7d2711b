"""Measure what a page costs, beside trafilatura on the same pages in the same run.

    python benchmarks/parse_pages.py PAGES [--most 80] [--json]

PAGES is a directory of pages (.html, .htm, .xhtml, each also gzipped). For each directory in it that holds pages the
median and the 90th percentile of CPU milliseconds a page are printed, for copydesk (all facts and the body) and for
trafilatura (its usual extraction, with metadata), and their ratio. Each page is parsed once to warm up. On a busy
machine compare the ratio: both take longer then.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from trafilatura import bare_extraction

from worker.model import Document
from worker.parse.document import parse_document

SUFFIXES = (".html", ".htm", ".xhtml")


def pages_in(directory: Path, most: int) -> dict[str, list[bytes]]:
    """Pages by the directory that holds them, at most `most` of each, spread evenly."""
    paths = defaultdict(list)
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name.removesuffix(".gz").endswith(SUFFIXES):
            paths[str(path.parent.relative_to(directory))].append(path)
    return {name: [_read(path) for path in found[:: -(-len(found) // most)]] for name, found in paths.items()}


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def by_copydesk(content: bytes) -> None:
    parse_document(Document(source_id="bench", origin="page.html", received_at=datetime.now(UTC)), content)


def by_trafilatura(content: bytes) -> None:
    bare_extraction(content, with_metadata=True)


def milliseconds(work: Callable[[bytes], None], content: bytes) -> float:
    start = time.process_time()
    work(content)
    return (time.process_time() - start) * 1000


def measure(pages: list[bytes]) -> dict[str, float]:
    """Pages -> CPU milliseconds a page, of both; each page by one right after the other."""
    own, other = [], []
    for content in pages:
        by_copydesk(content)
        own.append(milliseconds(by_copydesk, content))
        other.append(milliseconds(by_trafilatura, content))
    return {
        "pages": len(pages),
        "median_ms": round(median(own), 1),
        "p90_ms": round(_p90(own), 1),
        "trafilatura_median_ms": round(median(other), 1),
        "trafilatura_p90_ms": round(_p90(other), 1),
        "ratio": round(sum(own) / sum(other), 2),
    }


def _p90(values: list[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pages", type=Path)
    parser.add_argument("--most", type=int, default=80, help="pages of each directory")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {name: measure(pages) for name, pages in pages_in(options.pages, options.most).items()}
    if options.json:
        print(json.dumps(found))
        return 0
    print(f"{'directory':24}{'pages':>6}{'median':>9}{'p90':>8}   trafilatura{'median':>8}{'p90':>8}{'ratio':>7}")
    for name, row in found.items():
        print(
            f"{name[-23:]:24}{row['pages']:6}{row['median_ms']:9.1f}{row['p90_ms']:8.1f}              "
            f"{row['trafilatura_median_ms']:8.1f}{row['trafilatura_p90_ms']:8.1f}{row['ratio']:7.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
