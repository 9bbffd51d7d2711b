"""What a worker does when its broker goes away."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

from kombu import Connection
from kombu.common import ignore_errors

import worker.broker
from tests.faults.servers import state_server
from worker.state.connection import broker_url


def test_a_connection_whose_server_was_killed_can_be_given_up(tmp_path: Path) -> None:
    """As Celery does it, which ends a worker on any exception here that is not one of a connection."""
    assert worker.broker
    with state_server(tmp_path, "valkey") as state:
        connection: Any = Connection(broker_url(state.url))  # type: ignore[no-untyped-call]  # kombu has no types
        channel = connection.default_channel
        channel.queue_declare("bells")
        channel.basic_publish(channel.prepare_message("{}"), "", "bells")
        message = channel.basic_get("bells")
        # Somebody waits for the next one.
        channel.basic_consume("bells", False, lambda _: None, "consumer")
        channel._brpop_start()
        lost = connection.connection_errors
        state.kill()
        with contextlib.suppress(*lost):
            connection.collect()
        ignore_errors(connection, connection.close)  # type: ignore[no-untyped-call]
        # A process of the pool finishes its task afterwards.
        message.ack_log_error(logging.getLogger(__name__), lost)
        assert not message.acknowledged
