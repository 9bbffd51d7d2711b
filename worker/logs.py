"""Structured logs: one JSON object a line, or readable lines on a terminal."""

from __future__ import annotations

import logging
import re
import sys

import structlog

from worker.secrets import mask

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, ends a line or turns the direction of writing."""


def visible(text: str) -> str:
    """Text of strangers as it may stand on one line of a terminal: control characters are written as escapes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _all_visible(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A structlog processor: no value of an event can forge a line or command the terminal."""
    for name, value in event.items():
        if isinstance(value, str):
            # A traceback has lines of its own.
            lines = value.split("\n") if name == "exception" else [value]
            event[name] = "\n".join(map(visible, lines))
        elif isinstance(value, list | tuple | dict):
            event[name] = visible(str(value))
    return event


def configure_logging(level: str = "info", *, readable: bool | None = None) -> None:
    """Send structlog and the standard library's logging to standard error in one form, without secrets.

    `readable` None means: readable lines on a terminal, JSON elsewhere.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if readable is None:
        readable = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                # JSON writes them as escapes itself.
                *([_all_visible] if readable else []),
                lambda logger, method, event: mask(str(renderer(logger, method, event))),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Those of HTTP would show headers, secret ones among them.
    for noisy in ("httpcore2", "h2", "hpack", "trafilatura", "htmldate", "charset_normalizer", "py3langid", "warcio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
