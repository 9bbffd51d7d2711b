"""Time and memory limits of one piece of work, in real processes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import pytest

from tests.desk_support import document, open_office, settings_for
from worker import pipeline
from worker.errors import Failed
from worker.limits import limit_memory, time_limit
from worker.model import Article, Document, Refusal


def in_a_process(work: Callable[[SimpleQueue[Any]], None]) -> Any:
    """What `work` puts into the queue, run in a forked process of its own."""
    context = multiprocessing.get_context("fork")
    answers: SimpleQueue[Any] = context.SimpleQueue()
    process = context.Process(target=work, args=(answers,))
    process.start()
    process.join(timeout=60)
    assert process.exitcode == 0
    return answers.get()


def allocate_too_much(answers: SimpleQueue[Any]) -> None:
    limit_memory(200_000_000)
    try:
        answers.put(len(bytearray(400_000_000)))
    except MemoryError:
        answers.put("MemoryError")


def test_memory_past_the_limit_is_refused() -> None:
    assert in_a_process(allocate_too_much) == "MemoryError"


def test_a_document_that_needs_too_much_memory_is_buried_alone(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(parsed: Document, content: bytes) -> list[Article | Refusal]:
        if content == b"greedy":
            raise MemoryError
        return [Article(headline="Sound", body_text="A sound text beside a greedy one.", guid=parsed.origin)]

    monkeypatch.setattr(pipeline, "parse_document", parse)
    with open_office(server_url, settings_for(tmp_path)) as office:
        for content, code in ((b"greedy", "out_of_memory"), (b"sound", None)):
            (found,) = pipeline.parse_one(office.desk, document(content))
            assert getattr(found, "code", None) == code


def test_work_past_the_time_limit_is_stopped() -> None:
    def work_for_ever() -> None:
        with time_limit(0.05):
            while True:
                time.sleep(0.001)

    with pytest.raises(Failed, match=r"longer than 0\.05 s"):
        work_for_ever()
