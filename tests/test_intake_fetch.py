"""Polling one feed: what is asked, what is remembered, when it is due again; a real HTTP server, and local files."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.http_support import FEED, Handler, Server, feed_answer, redirect_to
from tests.intake_support import moment, settings_for
from worker.config import Feeds, Settings
from worker.errors import StateError
from worker.intake.feed import poll_feed
from worker.intake.http import HttpClient
from worker.intake.polled import Polled
from worker.model import Source
from worker.state.spool import Spool


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    feeds = Feeds(timeout_seconds=20.0, document_bytes=10_000, interval_seconds=600.0)
    return msgspec.structs.replace(settings_for(tmp_path), feeds=feeds)


def feed(url: str, **facts: Any) -> Source:
    return Source(id="feed", kind="feed", url=url, name="A feed", language="en", allowed_hosts=("127.0.0.1",), **facts)


def poll(source: Source | str, settings: Settings, state: Mapping[str, str] | None = None) -> Polled:
    source = feed(source) if isinstance(source, str) else source
    spool = Spool(settings.data / "spool")
    return asyncio.run(poll_feed(source, state or {}, HttpClient("copydesk tests"), settings, spool, moment()))


def code(polled: Polled) -> str:
    return (polled.problem or "").partition(":")[0]


def test_a_feed_comes_with_what_http_said(server: Server, settings: Settings) -> None:
    server.answers["/f"] = feed_answer(
        ETag='W/"1"', Last_Modified="yesterday-ish", Content_Type="Application/RSS+xml; charset=ISO-8859-1"
    )
    document = poll(server.url("/f"), settings).document
    assert document is not None
    assert document.http is not None
    assert (document.content, document.size_bytes, document.origin) == (FEED, len(FEED), server.url("/f"))
    assert (document.media_type, (document.encoding_declared or "").lower()) == ("application/rss+xml", "iso-8859-1")
    assert (document.http.status, document.http.etag, document.http.url) == (200, 'W/"1"', server.url("/f"))
    assert (document.source_name, document.language) == ("A feed", "en")
    assert server.seen[0][1]["user-agent"] == "copydesk tests"
    assert "if-none-match" not in server.seen[0][1]


def test_validators_are_echoed_byte_for_byte_and_304_means_not_modified(server: Server, settings: Settings) -> None:
    etag, date = 'W/"caf\xe9 ,;=\\"', "Tue,  3 Jun 2008 11:05:30 GMT (about)"

    def answer(handler: Handler) -> None:
        if handler.headers.get("If-None-Match") == etag and handler.headers.get("If-Modified-Since") == date:
            handler.give(304)
        else:
            handler.give(200, FEED, ETag=etag, Last_Modified=date)

    server.answers["/f"] = answer
    first = poll(server.url("/f"), settings)
    second = poll(server.url("/f"), settings, first.learned)
    assert first.document is not None
    assert (second.document, second.learned["status"], second.problem) == (None, "304", None)
    assert [second.learned[name] for name in ("etag", "last_modified")] == [etag, date]


def test_validators_of_another_url_are_not_sent(server: Server, settings: Settings) -> None:
    server.answers["/old"] = server.answers["/new"] = feed_answer(ETag='"1"')
    old = poll(server.url("/old"), settings)
    assert poll(server.url("/new"), settings, old.learned).document is not None
    assert "if-none-match" not in server.seen[1][1]


@pytest.mark.parametrize("status", [204, 304, 404, 429, 500, 503])
def test_other_answers_are_no_feed(server: Server, settings: Settings, status: int) -> None:
    server.answers["/f"] = lambda handler: handler.give(status)
    polled = poll(server.url("/f"), settings)
    assert (polled.problem or "").startswith(f"http_status: HTTP {status} ")
    assert polled.document is None


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "http://[bad", "http://", "data://x"])
def test_other_urls_are_refused(settings: Settings, url: str) -> None:
    assert code(poll(url, settings)) == "refused"


def test_a_redirect_never_reaches_a_local_file(server: Server, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret.xml").write_bytes(FEED)
    server.answers["/f"] = redirect_to(f"file://{tmp_path}/secret.xml")
    assert code(poll(server.url("/f"), settings)) == "refused"


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_local_feed_is_read_when_it_changed(tmp_path: Path, settings: Settings, scheme: str) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(FEED)
    first = poll(f"{scheme}{path}", settings)
    again = poll(f"{scheme}{path}", settings, first.learned)
    path.write_bytes(FEED + b"\n")
    changed = poll(f"{scheme}{path}", settings, again.learned)
    assert first.document is not None
    assert first.document.content == FEED
    assert again.document is None
    assert changed.document is not None


def test_a_missing_local_feed_is_unreadable(tmp_path: Path, settings: Settings) -> None:
    assert code(poll(str(tmp_path / "missing.xml"), settings)) == "unreadable"


def test_a_spool_that_fails_is_no_fault_of_the_feed(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes(FEED * 100)
    settings.data.mkdir(parents=True)
    (settings.data / "spool").write_text("a file where the spool should be")
    with pytest.raises(StateError):
        poll(str(path), settings)


def test_the_source_says_how_often(server: Server, settings: Settings) -> None:
    server.answers["/f"] = feed_answer(ETag='"1"')
    assert 600 <= poll(server.url("/f"), settings).next_due_seconds <= 900
    assert 30 <= poll(feed(server.url("/f"), interval_seconds=30.0), settings).next_due_seconds <= 33


def test_failures_are_remembered_and_double_the_interval_and_end_with_a_success(
    server: Server, settings: Settings
) -> None:
    server.answers["/f"] = lambda handler: handler.give(503)
    state: dict[str, str] = {}
    seconds = []
    for _ in range(3):
        polled = poll(server.url("/f"), settings, state)
        state.update(polled.learned)
        seconds.append(polled.next_due_seconds)
    for waited, least in zip(seconds, (600.0, 1200.0, 2400.0), strict=True):
        assert least <= waited <= 1.25 * least
    assert state["failures"] == "3"
    assert state["problem"] == polled.problem == "http_status: HTTP 503 Service Unavailable"
    server.answers["/f"] = feed_answer()
    polled = poll(server.url("/f"), settings, state)
    assert polled.problem is None
    assert (polled.learned["failures"], polled.learned["problem"]) == ("", "")
