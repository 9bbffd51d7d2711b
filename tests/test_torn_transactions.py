"""A power loss in the middle of a script's writes: none of them may ever come back, at whichever later start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.scenarios.power import mend
from tests.faults.servers import StateServer, binary_of
from tests.support import skip_without

WRITES = "redis.call('SET', 'half', 'x') redis.call('SET', 'rest', string.rep('y', 500))"


@pytest.mark.parametrize("kind", ["valkey", "redis"])
def test_half_of_a_script_never_comes_back(tmp_path: Path, kind: str) -> None:
    """On Redis after `redis-check-aof --fix`, as docs/guarantees.md asks for: 7.0 alone would bring `half` back."""
    skip_without([] if binary_of(kind) else [kind])
    state = StateServer(tmp_path, kind)
    state.start()
    try:
        state.client().set("before", 1)
        state.client().eval(WRITES, 0)
        state.kill()
        (file,) = tmp_path.glob("appendonlydir/*.incr.aof")
        os.truncate(file, file.stat().st_size - 200)
        mend(state)
        for name in ("after", "later"):
            state.start()
            # A transaction of its own is what would set free what was left of the other.
            state.client().eval(f"redis.call('SET', '{name}', 1) redis.call('SET', '{name} too', 1)", 0)
            state.kill()
        state.start()
        assert {b"before", b"after", b"later"} <= set(state.client().keys())
        assert not state.client().exists("half", "rest")
    finally:
        state.stop()
