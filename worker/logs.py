"""Structured logs: one JSON object a line, or readable lines on a terminal."""

from __future__ import annotations

import logging
import sys

import structlog

from worker.secrets import mask


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
