"""The filter options that the commands about dead letters share, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any

import typer

from worker.errors import ConfigurationError
from worker.state.letters import VERDICTS, Filter

LETTER_STAGES = ("parse", "dedupe", "store", "bell")
"""Where a letter can have been buried; those of `bell` are messages that were no bells."""
OPTIONS: dict[str, Any] = {
    "verdict": Annotated[str | None, typer.Option("--verdict", help="dead or rejected.")],
    "source": Annotated[str | None, typer.Option("--source", help="Of this source.")],
    "stage": Annotated[str | None, typer.Option("--stage", help=f"Buried in: {', '.join(LETTER_STAGES)}.")],
    "code": Annotated[str | None, typer.Option("--code", help="With this error code.")],
    "since": Annotated[str | None, typer.Option("--since", help="Buried since (ISO 8601, UTC).")],
    "until": Annotated[str | None, typer.Option("--until", help="Buried until (ISO 8601, UTC).")],
    "version": Annotated[str | None, typer.Option("--version", help="Buried by this version of copydesk.")],
}


def with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameter `wanted` is a Filter, with the options above in its place."""

    @wraps(command)
    def run(*arguments: Any, **named: Any) -> None:
        command(*arguments, wanted=make_filter(**{name: named.pop(name) for name in OPTIONS}), **named)

    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "wanted"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    command_of_typer: Any = run
    command_of_typer.__signature__ = signature.replace(parameters=[*parameters, *shared])
    command_of_typer.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *shared]}
    # Or typer would read the annotations of the command itself.
    del command_of_typer.__wrapped__
    return run


def make_filter(
    *,
    verdict: str | None,
    source: str | None,
    stage: str | None,
    code: str | None,
    since: str | None,
    until: str | None,
    version: str | None,
) -> Filter:
    """Words of the command line -> Filter; raises ConfigurationError for what cannot be."""
    if verdict is not None and verdict not in VERDICTS:
        raise ConfigurationError(f"--verdict takes dead or rejected, not {verdict!r}")
    if stage is not None and stage not in LETTER_STAGES:
        raise ConfigurationError(f"--stage takes {', '.join(LETTER_STAGES)}, not {stage!r}")
    return Filter(
        verdict=verdict,
        source_id=source,
        stage=stage,
        code=code,
        since=_moment("--since", since),
        until=_moment("--until", until),
        software_version=version,
    )


def _moment(option: str, text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise ConfigurationError(f"{option} takes an ISO 8601 time, for example 2026-11-01T12:00: {error}") from error
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
