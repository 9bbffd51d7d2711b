"""What a worker does when its broker goes away."""

from __future__ import annotations

import logging
from typing import Any

from kombu import Connection
from kombu.common import ignore_errors

import worker.broker
from worker.state.connection import broker_url


def test_a_connection_that_was_given_up_half_way_can_be_closed(server_url: str) -> None:
    """As Celery does where its server was killed; any exception but one of a connection would end the worker."""
    assert worker.broker
    connection: Any = Connection(broker_url(server_url))  # type: ignore[no-untyped-call]  # kombu has no types
    channel = connection.default_channel
    channel.queue_declare("given-up")
    channel.basic_publish(channel.prepare_message("{}"), "", "given-up")
    message = channel.basic_get("given-up")
    lost = connection.connection_errors
    connection._do_close_transport()
    ignore_errors(connection, connection.close)  # type: ignore[no-untyped-call]
    # A process of the pool finishes its task afterwards.
    message.ack_log_error(logging.getLogger(__name__), lost)
    assert not message.acknowledged
