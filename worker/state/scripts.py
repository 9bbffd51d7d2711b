"""The Lua scripts: each lies beside its caller as a `.lua` file; `common.lua` is put before each of them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from redis import Redis
from redis.commands.core import Script


@cache
def source_text(name: str) -> str:
    """The Lua text of `name` with the shared functions in front."""
    files = resources.files("worker.state")
    return files.joinpath("common.lua").read_text("utf-8") + files.joinpath(f"{name}.lua").read_text("utf-8")


class Scripts:
    """Runs the scripts by name on one server; each is sent once and then called by its digest."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._registered: dict[str, Script] = {}

    def run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Call script `name`; the answer is what Lua returned (bytes, int, list or None)."""
        script = self._registered.get(name)
        if script is None:
            script = self._registered.setdefault(name, self._redis.register_script(source_text(name)))
        return script(keys=keys, args=arguments)
