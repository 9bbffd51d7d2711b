"""The callback of WebSub: a small HTTP server for hubs, and the loop that asks them to subscribe and to renew.

A content that arrives goes to the ledger before the hub is told that it came. One without a right signature is passed
over, as the specification wants it: with an answer that says nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import structlog
from redis.exceptions import RedisError

from worker.desk import Desk
from worker.errors import CopydeskError, FetchError
from worker.intake import fulltext, websub
from worker.intake.feed import memory_of
from worker.intake.files import document_of, keep_inline_or_spool
from worker.intake.glance import glance
from worker.intake.http import FetchRequest, HttpClient, without_credentials
from worker.intake.websub import Subscription
from worker.model import Http, Source

LOOK_SECONDS = 600.0
"""How often it is looked which feeds have a hub, and which subscriptions run out."""
CLIENT_SECONDS = 30.0
"""Longest silence of a hub within one request."""
ACCEPTED, NOT_FOUND, TOO_LARGE, UNAVAILABLE = 202, 404, 413, 503

log = structlog.get_logger()


def subscribed(desk: Desk, token: str) -> tuple[Source, Subscription] | None:
    """The source a callback belongs to; None where nobody knows the token."""
    source = desk.sources.get(token.rpartition(":")[0])
    if source is None or not source.enabled:
        return None
    known = websub.recalled(desk.sources.recall(source.id))
    if known is None or not secrets.compare_digest(known.token.encode(), token.encode("utf-8", "replace")):
        return None
    return source, known


def verify_intent(desk: Desk, token: str, query: dict[str, str]) -> tuple[int, str]:
    """A hub asks whether we want what we asked for: status and body of the answer."""
    found = subscribed(desk, token)
    if found is None:
        return NOT_FOUND, ""
    source, known = found
    verified = websub.verify(known, query, time.time())
    if verified.subscription != known:
        desk.note(source.id, websub.remembered(verified.subscription))
        log.info("websub", source=source.id, hub=known.hub, state=verified.subscription.state)
    return verified.status, verified.body


def take_content(desk: Desk, token: str, signature: str, media_type: str, body: bytes) -> int:
    """A hub sends what is new: into the ledger, then the answer's status. Raises StateError."""
    found = subscribed(desk, token)
    if found is None:
        return NOT_FOUND
    source, known = found
    if not websub.is_authentic(known, signature, body):
        log.warning("websub_not_authentic", source=source.id, hub=known.hub)
        return ACCEPTED
    now = datetime.now(UTC)
    learned = websub.remembered(msgspec.structs.replace(known, pushed_at=now.timestamp()))
    seen = glance(body, media_type, known.topic)
    if fulltext.applies(source.full_text or desk.settings.feeds.full_text, seen):
        # Its pages have to be fetched, which is what polls begin.
        desk.note(source.id, learned)
        desk.sources.reschedule(source.id, 0.0)
        return ACCEPTED
    ids = memory_of(source, desk.sources.recall(source.id)).ids
    document = msgspec.structs.replace(
        document_of(source, without_credentials(source.url or ""), now),
        content=body,
        size_bytes=len(body),
        media_type=media_type.partition(";")[0].strip().lower() or None,
        http=Http(url=known.topic, status=200, answered_at=now),
        untrusted_ids=ids.untrusted,
    )
    since = desk.run_id()
    kept = keep_inline_or_spool(document, desk.settings, desk.spool)
    desk.receive(source, [kept], lane=source.lane, remember=learned)
    desk.wait_until_durable(since)
    return ACCEPTED


def ask_hubs(desk: Desk, client: HttpClient, callback: str) -> int:
    """Ask the hubs of all feeds whose subscription is missing or runs out; how many were asked."""
    asked = 0
    for state in desk.sources.all():
        source = state.source
        if source.kind != "feed" or not source.enabled:
            continue
        fields = desk.sources.recall(source.id)
        token, secret = f"{source.id}:{secrets.token_urlsafe(24)}", secrets.token_hex(32)
        subscription = websub.wanted(memory_of(source, fields), websub.recalled(fields), time.time(), token, secret)
        if subscription is None:
            continue
        # Before the hub is asked: it may verify before it answers.
        desk.note(source.id, websub.remembered(subscription))
        asyncio.run(_ask(client, source, subscription, callback))
        asked += 1
    return asked


async def _ask(client: HttpClient, source: Source, subscription: Subscription, callback: str) -> None:
    request = FetchRequest(
        url=subscription.hub,
        headers=((b"Content-Type", b"application/x-www-form-urlencoded"),),
        body=websub.request_body(subscription, callback),
        allowed_hosts=frozenset(source.allowed_hosts),
        most_bytes=100_000,
    )
    try:
        answer = await client.fetch(request)
        log.info("websub_asked", source=source.id, hub=subscription.hub, status=answer.status)
    except FetchError as error:
        log.warning("websub_asked", source=source.id, hub=subscription.hub, error=str(error))


class CallbackServer(ThreadingHTTPServer):
    """Answers hubs at `/.../TOKEN`; one thread for each request."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
        super().__init__(address, _Handler)
        self.desk = desk


class _Handler(BaseHTTPRequestHandler):
    """One request of a hub."""

    server: CallbackServer
    timeout = CLIENT_SECONDS
    server_version = "copydesk"
    sys_version = ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, max_num_fields=20))
        self._answer(lambda desk: verify_intent(desk, parts.path.rpartition("/")[2], query))

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size[:12]) > self.server.desk.settings.feeds.document_bytes:
            self._answer(lambda _: (TOO_LARGE, ""))
            return
        body = self.rfile.read(int(size))
        token = urlsplit(self.path).path.rpartition("/")[2]
        signature, kind = self.headers.get("X-Hub-Signature", ""), self.headers.get("Content-Type", "")
        self._answer(lambda desk: (take_content(desk, token, signature, kind, body), ""))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it
        """Nothing: the path holds the token."""

    def _answer(self, work: Any) -> None:
        try:
            status, text = work(self.server.desk)
        except (CopydeskError, RedisError, OSError) as error:
            log.warning("websub_unavailable", error=str(error))
            status, text = UNAVAILABLE, ""
        content = text.encode()
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def serve(server: CallbackServer, client: HttpClient, callback: str, stop: threading.Event) -> None:
    """Answer hubs, and ask them every ten minutes what is to be asked, until `stop` is set."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
    thread.start()
    try:
        while not stop.is_set():
            try:
                ask_hubs(server.desk, client, callback)
            except (RedisError, OSError) as error:
                log.warning("websub_waits", error=str(error))
            stop.wait(LOOK_SECONDS)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
