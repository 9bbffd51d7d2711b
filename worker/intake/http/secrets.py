"""Secrets of a source: values may name environment variables (`${NAME}`), and are revealed only where they are used."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from worker.errors import FetchError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def reveal(text: str, environ: Mapping[str, str] | None = None) -> str:
    """The text with its environment variables filled in; raises FetchError("refused") for one that is not set."""
    known = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        try:
            return known[match[1]]
        except KeyError as error:
            raise FetchError("refused", f"the environment variable {match[1]} of this source is not set") from error

    return _VARIABLE.sub(value, text)
