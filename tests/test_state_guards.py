"""Back-pressure and preflight, on servers of their own where the server itself is changed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.desk_support import Office, document, open_office, receive, settings_for, text_article
from tests.support import wait_until
from worker import pipeline
from worker.errors import PreflightError, StateError
from worker.model import Source
from worker.operate.doctor import examine
from worker.state.connection import connect
from worker.state.durability import wait_until_durable
from worker.state.preflight import confirms_too_soon, inspect_server, require_safe
from worker.state.pressure import Pressure
from worker.state.server import EmbeddedServer, embedded_url


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Redis]:
    """A server that the test may spoil."""
    with EmbeddedServer(tmp_path / "own"):
        client = connect(embedded_url(tmp_path / "own"))
        yield client
        client.close()


@pytest.fixture
def office(redis: Redis, server_url: str, tmp_path: Path) -> Iterator[Office]:
    assert redis.ping()
    marks = {"COPYDESK_PRESSURE_BACKLOG_RECORDS": "2", "COPYDESK_PRESSURE_IN_FLIGHT_DOCUMENTS": "3"}
    with open_office(server_url, settings_for(tmp_path, marks)) as office:
        yield office


def pressure(office: Office, environ: dict[str, str] | None = None) -> Pressure:
    """One that has not asked yet: answers are reused for a moment."""
    settings = office.desk.settings if environ is None else settings_for(office.desk.settings.data.parent, environ)
    return Pressure(office.desk.redis, settings)


def shown(office: Office) -> str:
    reason = office.desk.redis.hget(office.desk.keys.name("paused"), "pull")
    return reason.decode() if isinstance(reason, bytes) else ""


def test_a_backlog_of_the_store_pauses_until_it_is_written(office: Office) -> None:
    documents = [document(text_article(number).encode(), f"{number}.txt") for number in range(3)]
    office.bells.ring("parse", "news", receive(office.desk, *documents))
    office.drain()
    reason = pressure(office).paused()
    assert reason is not None
    assert "3 records wait for the store" in reason
    assert "pressure.backlog_records = 2" in reason
    assert shown(office) == reason
    office.store()
    assert pressure(office).paused() is None
    assert shown(office) == ""


def test_much_in_flight_pauses_until_it_is_settled(office: Office) -> None:
    office.bells.ring("parse", "news", receive(office.desk, *[document(b"") for _ in range(4)]))
    assert "4 documents in flight" in str(pressure(office).paused())
    office.drain()
    assert pressure(office).paused() is None


def test_a_full_disk_pauses(office: Office) -> None:
    office.desk.settings.data.mkdir(parents=True, exist_ok=True)
    assert "bytes free" in str(pressure(office, {"COPYDESK_PRESSURE_FREE_DISK_BYTES": str(10**18)}).paused())
    assert pressure(office, {"COPYDESK_PRESSURE_FREE_DISK_BYTES": "1"}).paused() is None


def test_a_full_server_pauses(own: Redis, tmp_path: Path) -> None:
    used = int(own.info("memory")["used_memory"])
    settings = settings_for(tmp_path, {"COPYDESK_PRESSURE_MEMORY_SHARE": "0.5"})
    assert Pressure(own, settings).paused() is None, "no limit, no share of it"
    own.config_set("maxmemory", int(used * 1.5))
    assert "pressure.memory_share = 0.5" in str(Pressure(own, settings).paused())
    own.config_set("maxmemory", used * 10)
    assert Pressure(own, settings).paused() is None


def test_a_server_that_takes_no_more_writes_has_a_reason_all_the_same(own: Redis, tmp_path: Path) -> None:
    own.config_set("maxmemory", int(own.info("memory")["used_memory"]) // 2)
    try:
        pressure = Pressure(own, settings_for(tmp_path))
        assert "the server uses" in str(pressure.paused())
        assert "the server uses" in pressure.reasons()["pull"]
    finally:
        own.config_set("maxmemory", 0)
    assert Pressure(own, settings_for(tmp_path)).reasons() == {}


def test_a_paused_pull_takes_nothing_and_goes_on_alone(office: Office, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.txt").write_text(text_article(9))
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(drop)))
    office.bells.ring("parse", "news", receive(office.desk, *[document(b"") for _ in range(4)]))
    pipeline.pull(office.desk, "drop")
    assert "documents in flight" in office.desk.recall("drop")["problem"]
    assert office.desk.counters.totals()["received"] == 4
    office.drain()

    def pull_again() -> bool:
        office.due_now("drop")
        pipeline.pull(office.desk, "drop")
        return office.desk.counters.totals()["received"] == 5

    wait_until(pull_again)
    assert "problem" not in office.desk.recall("drop")


def test_the_embedded_server_is_safe(own: Redis) -> None:
    require_safe(own)
    assert [finding.problem for finding in inspect_server(own)] == [None] * 5


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_server_that_evicts_is_refused_with_the_remedy(own: Redis, policy: str) -> None:
    own.config_set("maxmemory-policy", policy)
    with pytest.raises(PreflightError, match=rf"\({policy}\).*CONFIG SET maxmemory-policy noeviction"):
        require_safe(own)
    own.config_set("maxmemory-policy", "noeviction")
    require_safe(own)


def test_a_server_without_a_file_is_refused_unless_one_says_so(own: Redis) -> None:
    own.config_set("appendonly", "no")
    with pytest.raises(PreflightError, match="CONFIG SET appendonly yes"):
        require_safe(own)
    require_safe(own, "none")


def test_a_server_that_answers_before_its_disk_is_refused_with_the_remedy(own: Redis) -> None:
    own.config_set("appendfsync", "everysec")
    with pytest.raises(PreflightError, match="CONFIG SET appendfsync always"):
        require_safe(own)
    require_safe(own, "none")


def test_waiting_for_the_fsync_of_every_second_needs_a_server_that_waits(own: Redis) -> None:
    own.config_set("appendfsync", "everysec")
    if confirms_too_soon(own):
        with pytest.raises(PreflightError, match="does not wait for the disk"):
            require_safe(own, "everysec")
    else:
        require_safe(own, "everysec")
    own.config_set("appendfsync", "always")
    require_safe(own, "everysec")


def test_all_that_is_wrong_is_said_at_once(own: Redis) -> None:
    own.config_set("appendonly", "no")
    own.config_set("maxmemory-policy", "allkeys-lfu")
    with pytest.raises(PreflightError, match=r"evicts.*; .*append-only"):
        require_safe(own)


class ClusterServer(EmbeddedServer):
    def _options(self) -> list[str]:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        bus = ["--cluster-port", str(port + 1 if port < 65_535 else port - 1)]
        return [*super()._options(), "--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes", *bus]


def test_a_cluster_is_refused(tmp_path: Path) -> None:
    with ClusterServer(tmp_path / "own"):
        client = connect(embedded_url(tmp_path / "own"))
        with pytest.raises(PreflightError, match="single primary"):
            require_safe(client)
        client.close()


def test_a_server_that_is_not_there_is_a_state_error(tmp_path: Path) -> None:
    client = Redis(unix_socket_path=str(tmp_path / "none.sock"), retry=Retry(NoBackoff(), 0))
    with pytest.raises(StateError, match="cannot reach"):
        inspect_server(client)
    client.close()


def test_waiting_for_the_disk_answers_when_it_is_there(own: Redis) -> None:
    own.set("x", 1)
    wait_until_durable(own, "{copydesk}:events", "always")
    assert own.hget("{copydesk}:events", "durable_waits") == b"1"
    wait_until_durable(own, "{copydesk}:events", "none")
    assert own.hget("{copydesk}:events", "durable_waits") == b"1"


def test_the_doctor_finds_what_is_wrong_and_what_is_fine(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "sources.toml").write_text(
        '[[source]]\nid = "gone"\nkind = "directory"\npath = "nowhere"\n\n'
        '[[source]]\nid = "inside"\nkind = "directory"\npath = "../data/inbox"\nclaim = true\n'
    )
    checks = {check.check: check for check in examine(settings_for(tmp_path))}
    assert {name for name, check in checks.items() if check.problem} == {"source gone", "source inside"}
    assert checks["state server: appendonly"].value == "yes"
    assert checks["store"].value.endswith("0 rows")
    bad = settings_for(tmp_path, {"COPYDESK_REDIS_URL": "http://state.example", "COPYDESK_STORE_URL": "nosuch://x"})
    problems = {check.check: check.problem for check in examine(bad) if check.problem}
    assert {"state server", "store"} <= set(problems)


def test_bytes_in_flight_are_counted_until_they_are_settled(office: Office) -> None:
    text = text_article(7).encode()
    batch = receive(office.desk, document(text), document(b"", "empty.txt"), lane="backfill")
    assert office.desk.counters.bytes_in_flight() == office.desk.counters.bytes_in_flight("backfill") == len(text)
    marks = {"COPYDESK_PRESSURE_IN_FLIGHT_BYTES": str(len(text) - 1)}
    assert "pressure.in_flight_bytes" in str(pressure(office, marks).paused())
    claim = office.desk.ledger.claim(batch, "received")
    assert claim is not None
    for child in office.desk.ledger.split(claim)[0]:
        office.bells.ring("parse", "backfill", child)
    assert office.desk.counters.bytes_in_flight() == len(text)
    office.drain()
    assert office.desk.counters.bytes_in_flight() == 0
    (letter,) = office.desk.letters.find()
    assert office.desk.letters.replay(letter) is not None
    assert office.desk.counters.bytes_in_flight() == letter.document.size_bytes
    assert pressure(office, marks).paused() is None


def test_the_backfill_pauses_first_and_pulling_slows_before(office: Office) -> None:
    marks = {"COPYDESK_PRESSURE_IN_FLIGHT_DOCUMENTS": "10", "COPYDESK_PRESSURE_FREE_DISK_BYTES": "0"}
    delays = []
    for count in range(1, 13):
        receive(office.desk, document(b""))
        now = pressure(office, marks)
        assert (now.paused("backfill") is not None) == (count > 8)
        assert (now.paused("news") is not None) == (count > 10)
        delays.append((now.delay_seconds("news"), now.delay_seconds("backfill")))
    assert [news > 0 for news, _ in delays] == [False] * 6 + [True] * 6
    assert [backfill > 0 for _, backfill in delays] == [False] * 4 + [True] * 8
    assert delays == sorted(delays)
    assert "of which backfill may use 80%" in str(now.paused("backfill"))


def test_a_worker_that_is_told_to_stop_pulls_no_further(office: Office, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "a.txt").write_text(text_article(3))
    office.desk.sources.add(Source(id="drop", kind="directory", path=str(tmp_path / "drop")))
    office.desk.stopping.set()
    pipeline.pull(office.desk, "drop")
    assert office.desk.counters.totals()["received"] == 0
