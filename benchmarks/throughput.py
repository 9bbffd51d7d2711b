"""Throughput of the whole line, from handing over to stored, on this machine.

    python benchmarks/throughput.py --articles 5000 --pages 300 --runs 3

Makes articles of 450 words as one JSONL file, and as HTML pages with navigation and a footer, hands each set to
`copydesk ingest --until-idle` on an empty data directory, and prints one JSON object: medians over the runs. Nothing
is asserted: figures differ between machines and with what else runs on them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WORDS = 450
PARAGRAPH_WORDS = 60
LINKS = 60
"""Links of a page that are not part of the article."""


def make_words(chance: random.Random, count: int) -> str:
    """Words that look like a language to every part of the line, and like nothing to copyright."""
    syllables = ("ka", "ren", "so", "mi", "tal", "vor", "ne", "li", "dra", "pon", "est", "ur")
    return " ".join("".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(count))


def make_article(number: int) -> tuple[str, list[str]]:
    """Headline and paragraphs of article `number`: unique, and the same on every machine."""
    chance = random.Random(number)
    paragraphs = [make_words(chance, PARAGRAPH_WORDS) + "." for _ in range(WORDS // PARAGRAPH_WORDS)]
    return f"Report {number}: {make_words(chance, 6)}", paragraphs


def write_lines(directory: Path, count: int) -> None:
    """`count` articles as one JSONL file."""
    with (directory / "articles.jsonl").open("w", encoding="utf-8") as lines:
        for number in range(count):
            headline, paragraphs = make_article(number)
            body = "\n\n".join(paragraphs)
            facts = {"guid": f"report-{number}", "headline": headline, "body_text": body}
            lines.write(json.dumps(facts | {"published_at": "2026-11-01T09:00:00Z"}) + "\n")


def write_pages(directory: Path, count: int) -> None:
    """`count` articles as HTML pages with much around them."""
    for number in range(count):
        headline, paragraphs = make_article(number)
        address = f"https://reports.example/{number}/report"
        links = "".join(f'<li><a href="/section/{n}">Section {n}</a></li>' for n in range(LINKS))
        text = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{headline} | Reports</title>'
            f'<link rel="canonical" href="{address}"><meta property="og:title" content="{headline}">'
            '<meta property="article:published_time" content="2026-11-01T09:00:00Z"></head>'
            f"<body><nav><ul>{links}</ul></nav><article><h1>{headline}</h1>{text}</article>"
            f"<footer><ul>{links}</ul></footer></body></html>"
        )
        (directory / f"{number:06}.html").write_text(page, encoding="utf-8")


def measure(documents: Path, expected: int) -> dict[str, float]:
    """One run on an empty data directory; raises SystemExit where it failed or not all came out."""
    with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as directory:
        data, config = Path(directory) / "data", Path(directory) / "config"
        config.mkdir()
        words = ["ingest", str(documents), "--until-idle", "--json", "--data", str(data), "--config", str(config)]
        cpu_before, started = _children_cpu_seconds(), time.monotonic()
        subprocess.run([sys.executable, "-m", "worker", *words], check=True, stdout=subprocess.DEVNULL)
        command_seconds = time.monotonic() - started
        cpu_seconds = _children_cpu_seconds() - cpu_before
        stored, first, last = _read_store(data / "records.db")
    if stored != expected:
        raise SystemExit(f"{expected} articles were handed over, {stored} are stored")
    seconds = (last - first).total_seconds()
    return {
        "seconds_until_stored": seconds,
        "seconds_of_command": command_seconds,
        "articles_per_second": stored / seconds,
        "cpu_milliseconds_per_article": 1000 * cpu_seconds / stored,
    }


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _read_store(path: Path) -> tuple[int, datetime, datetime]:
    """Rows, the time of handing over, and the time of the last commit."""
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT count(*), min(received_at), max(stored_at) FROM records").fetchone()
    finally:
        connection.close()
    return int(row[0]), datetime.fromisoformat(row[1]), datetime.fromisoformat(row[2])


def median_of(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}


def main() -> None:
    """Command line of `make bench`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=int, default=5_000)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    report: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "runs": options.runs,
        "words_per_article": WORDS,
    }
    for name, write, count in (("jsonl", write_lines, options.articles), ("html", write_pages, options.pages)):
        with tempfile.TemporaryDirectory(prefix="copydesk-bench-") as directory:
            write(Path(directory), count)
            report[name] = {"articles": count} | median_of(
                [measure(Path(directory), count) for _ in range(options.runs)]
            )
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
