"""The Lua scripts: each lies beside its caller as a `.lua` file; what it shares with others is put before it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.commands.core import Script

from worker.state.index import PRELUDE

_CARDS = ("index", "cards")
_COPIES = (*_CARDS, "between", "copies")
SHARED = {"publish": _COPIES, "remember": _COPIES, "family": _COPIES, "forget_source": _CARDS}
"""Which files of shared functions a script needs beside `common.lua`, in order."""


@cache
def source_text(name: str) -> str:
    """The Lua text of `name` with the shared functions, and the figures of the index, in front."""
    files = resources.files("worker.state")
    shared = SHARED.get(name, ())
    parts = [files.joinpath(f"{part}.lua").read_text("utf-8") for part in ("common", *shared, name)]
    return (PRELUDE if shared else "") + "".join(parts)


class Scripts:
    """Runs the scripts by name on one server; each is sent once and then called by its digest."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._registered: dict[str, Script] = {}

    def run(self, name: str, keys: list[str], arguments: list[Any], pipe: Pipeline | None = None) -> Any:
        """Call script `name`; the answer is what Lua returned (bytes, int, list or None), or comes with `pipe`'s."""
        script = self._registered.get(name)
        if script is None:
            script = self._registered.setdefault(name, self._redis.register_script(source_text(name)))
        return script(keys=keys, args=arguments, client=pipe)
