"""What strangers say cannot forge a log line, nor command the terminal it is read on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from worker.logs import configure_logging, visible

HOSTILE = "one\r\ntwo\x1b[2J\x9b31m\u202ethree"
WRITTEN = "one\\r\\ntwo\\x1b[2J\\x9b31m\\u202ethree"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def say_it() -> None:
    log = structlog.get_logger()
    log.warning(HOSTILE, url=HOSTILE, rows=[HOSTILE])
    logging.getLogger("foreign").warning("heard %s", HOSTILE)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("failed")


def test_readable_lines_hold_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(readable=True)
    say_it()
    lines = capsys.readouterr().err.splitlines()
    assert WRITTEN in lines[0]
    assert f"heard {WRITTEN}" in lines[1]
    assert not [line for line in lines if "[2J" in line and "\\x1b[2J" not in line]
    assert not [line for line in lines if "\x9b" in line or "\u202e" in line]
    assert any("Traceback" in line for line in lines), "its own lines stay lines"


def test_json_lines_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(readable=False)
    say_it()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0])["url"] == HOSTILE
    assert all(line.isascii() and line.isprintable() for line in lines)


def test_ordinary_text_stays_as_it_is() -> None:
    assert visible("Größe 10 €, 日本, עברית") == "Größe 10 €, 日本, עברית"
