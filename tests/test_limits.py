"""Time and memory limits of one piece of work, in real processes."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import pytest

from tests.desk_support import document, open_office, settings_for
from tests.support import PATIENCE_SECONDS
from worker import pipeline
from worker.errors import Failed
from worker.limits import cpu_time_limit, limit_memory
from worker.model import Article, Document, Refusal


def in_a_process(work: Callable[[SimpleQueue[Any]], None]) -> Any:
    """What `work` puts into the queue, run in a forked process of its own."""
    context = multiprocessing.get_context("fork")
    answers: SimpleQueue[Any] = context.SimpleQueue()
    process = context.Process(target=work, args=(answers,))
    process.start()
    process.join(PATIENCE_SECONDS)
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


def compute(cpu_seconds: float) -> None:
    ends = time.process_time() + cpu_seconds
    while time.process_time() < ends:
        pass


def test_work_past_its_cpu_time_is_stopped() -> None:
    with pytest.raises(Failed, match=r"longer than 0\.05 s of CPU time"), cpu_time_limit(0.05):
        compute(60.0)


def test_what_waits_uses_no_cpu_time() -> None:
    """A machine that is busy with other things makes every document wait."""
    with cpu_time_limit(0.05):
        time.sleep(0.2)
    compute(0.1)  # and the limit ended with its block


def test_the_limit_reaches_into_c_code_that_looks_at_signals() -> None:
    with pytest.raises(Failed), cpu_time_limit(0.05):
        re.match(r"(a+)+$", "a" * 60 + "b")
