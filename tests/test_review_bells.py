"""Bells and sweeps through the real broker: who is away, and who sweeps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_support import Cli
from tests.desk_support import Bells, document, receive, text_article
from tests.support import PATIENCE_SECONDS, wait_until
from worker.config import load_settings
from worker.desk import Desk
from worker.state.server import EmbeddedServer

AWAY = """
from worker.tasks import CeleryBells
for call in (lambda: CeleryBells().depth("parse", "news"), lambda: CeleryBells().ring("parse", "news", "n1")):
    try:
        call()
    except OSError:
        print("away")
"""


@pytest.mark.slow
def test_a_broker_that_is_away_is_an_os_error_whoever_asks(tmp_path: Path) -> None:
    desk = Cli(tmp_path)
    desk.data.mkdir()
    command = [sys.executable, "-c", AWAY]
    done = subprocess.run(
        command, env=desk.environment, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.stdout.split() == ["away", "away"], done.stderr[-2000:]


@pytest.mark.slow
def test_a_lost_bell_is_rung_again_where_nobody_pulls(tmp_path: Path) -> None:
    """Those who pull may all be busy for minutes, or gone: the ones who parse sweep for themselves."""
    cli = Cli(tmp_path)
    settings = load_settings(cli.config, cli.data, {})
    with EmbeddedServer(cli.data), (tmp_path / "log").open("wb") as log:
        desk = Desk(settings, Bells())
        receive(desk, document(text_article(1).encode()))
        parts = [cli.popen(*words, stdout=log, stderr=log) for words in (["beat"], ["worker", "--queues=parse,dedupe"])]
        try:
            wait_until(lambda: desk.counters.totals()["stored"] == 1, "the article's verdict")
        finally:
            for part in parts:
                part.terminate()
            for part in parts:
                part.wait(PATIENCE_SECONDS)
            desk.close()
