"""Beat sends ticks to those who take them, and stops when it is told to."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest

from tests.cli_support import FAST, Cli
from tests.support import wait_until
from worker.state.connection import connect
from worker.state.pulses import Pulse
from worker.state.server import EmbeddedServer, embedded_url
from worker.tasks import CONTROL_BELLS

pytestmark = pytest.mark.slow


def test_ticks_do_not_pile_up_where_no_worker_lives(tmp_path: Path) -> None:
    desk = Cli(tmp_path, settings=FAST)
    with EmbeddedServer(desk.data), desk.running("beat", end=signal.SIGTERM):
        redis = connect(embedded_url(desk.data))

        def waiting() -> int:
            return int(redis.llen("copydesk:bells:control"))

        def seconds_seen() -> float:
            files = list((desk.data / "run" / "pulses").glob("*beat*.json"))
            return msgspec.json.decode(files[0].read_bytes(), type=Pulse).monotonic if files else 0.0

        wait_until(lambda: waiting() >= CONTROL_BELLS, "as many ticks as may wait")
        then = seconds_seen()
        wait_until(lambda: seconds_seen() > then + 6, "further rounds of beat")
        assert CONTROL_BELLS <= waiting() <= CONTROL_BELLS + 1
        redis.delete("copydesk:bells:control")
        wait_until(waiting, "ticks again where there is room")
        redis.close()
