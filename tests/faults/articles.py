"""The unique articles that flow through a fault run; their guids make the record ids predictable."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

from worker.dedupe.fingerprint import fingerprint
from worker.model import Article

SOURCE = "fault-test"
DOCUMENTS_PER_FILE = 20


def article(number: int, padding: str = "") -> dict[str, str]:
    """One of the articles: words that no other has in this order, so that none is a copy of another.

    `padding` is a field that no parser looks at: it makes the document larger.
    """
    words = " ".join(f"word{word}" for word in random.Random(number).choices(range(10_000), k=60))
    body = f"Report number {number} from the harbour. {words}\n\nThe second paragraph of report {number}."
    return {"guid": f"fault-{number}", "headline": f"Harbour report {number}", "body_text": body} | (
        {"x_padding": padding} if padding else {}
    )


def write_file(path: Path, articles: list[dict[str, str]]) -> None:
    """A JSONL file that appears whole."""
    hidden = path.with_name(f".part-{path.name}")
    hidden.write_text("".join(json.dumps(row) + "\n" for row in articles))
    hidden.rename(path)


def expected_ids(count: int) -> set[str]:
    """The record ids of the first `count` articles."""
    return {record_id(f"fault-{number}") for number in range(count)}


def record_id(guid: str, source_id: str = SOURCE) -> str:
    """The record id of an article of the fault source, or of another."""
    return fingerprint(source_id, Article(guid=guid), datetime.now(UTC)).record_id.hex()
