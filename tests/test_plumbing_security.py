"""Users with least rights, TLS, and secrets that stay where they belong: on real servers."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import NoPermissionError

from tests.cli_support import FAST, Cli
from tests.desk_support import text_article
from tests.secured import free_port, has_openssl, make_certificates, running_server, tls_in_front_of
from tests.support import PATIENCE_SECONDS, skip_without, wait_until
from worker import secrets
from worker.config import load_settings
from worker.secrets import mask, name_secrets
from worker.state.connection import broker_options, broker_url, connect, parse_sentinel_url
from worker.state.server import EmbeddedServer, socket_path

ROOT = Path(__file__).parent.parent
ROLES = ("worker", "beat", "store", "operator")


def password(role: str) -> str:
    return f"pw-of-{role}-7f3a"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a server with the users of deploy/valkey.acl."""
    text = (ROOT / "deploy" / "valkey.acl").read_text()
    for role in ROLES:
        text = text.replace(f"CHANGE-ME-{role.upper()}", password(role))
    (tmp_path / "users.acl").write_text(f"{text}\nuser root on >root-of-all ~* &* +@all\n")
    port = free_port()
    rules = ("--aclfile", str(tmp_path / "users.acl"))
    with running_server(tmp_path / "server", port, *rules, url=f"redis://root:root-of-all@127.0.0.1:{port}/0"):
        yield port


def url(port: int, role: str) -> str:
    return f"redis://{role}:{password(role)}@127.0.0.1:{port}/0"


class RoleCli(Cli):
    """`copydesk` with the URL of one role."""

    url = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"COPYDESK_REDIS_URL": self.url}


class Parts:
    """One `copydesk` for each role, on the same directories."""

    def __init__(self, base: Path, port: int) -> None:
        self.base = base
        (base / "inbox").mkdir(parents=True)
        self.running: list[subprocess.Popen[bytes]] = []
        self.cli: dict[str, Cli] = {}
        for role in ROLES:
            inbox = '[[source]]\nid = "inbox"\nkind = "directory"\npath = "../inbox"\nclaim = true\n'
            cli = RoleCli(base, inbox, FAST)
            cli.url = url(port, role)
            self.cli[role] = cli

    def start(self, role: str, *words: str) -> None:
        with (self.base / f"{role}.log").open("ab") as log:
            self.running.append(self.cli[role].popen(*words, stdout=log, stderr=log))

    def stop(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(PATIENCE_SECONDS) for process in self.running]
        assert codes == [0] * len(codes), self.logs()

    def logs(self) -> str:
        return "".join(path.read_text() for path in self.base.glob("*.log"))


@pytest.fixture
def parts(port: int, tmp_path: Path) -> Iterator[Parts]:
    parts = Parts(tmp_path / "system", port)
    yield parts
    for process in parts.running:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_each_role_works_with_its_rights_and_no_log_says_a_password(port: int, parts: Parts) -> None:
    parts.start("worker", "worker", "--concurrency", "1")
    parts.start("beat", "beat")
    parts.start("store", "store", "--consumer", "one")
    operator = parts.cli["operator"]
    assert operator.json("health", "ready", "--wait", str(PATIENCE_SECONDS))["ready"]
    (parts.base / "inbox" / "a.txt").write_text(text_article(1))
    (parts.base / "inbox" / "b.json").write_text('{"headline": "cut o')
    wait_until(lambda: len(operator.lines("records")) == 1, "the article")
    (letter,) = operator.lines("dead", "list")
    operator.run("dead", "replay", letter["id"])
    wait_until(lambda: operator.lines("dead", "list") not in ([], [letter]), "the replay")
    assert operator.json("reconcile")["balanced"]
    operator.run("pause", "--stage", "parse")
    operator.run("resume")
    operator.run("sources", "list")
    operator.run("doctor", code=None)
    operator.run("dead", "purge", "--all", "--yes")
    parts.stop()
    logs = parts.logs()
    assert "NOPERM" not in logs, logs
    assert "no permissions" not in logs, logs
    root = connect(f"redis://root:root-of-all@127.0.0.1:{port}/0", 5, patient=False)
    denied: Any = root.acl_log()
    assert {row["object"] for row in denied} <= {"config|get"}, denied
    root.close()
    for role in ROLES:
        assert password(role) not in logs


FORBIDDEN: dict[str, tuple[tuple[str, ...], ...]] = {
    "worker": (("GET", "somebody:elses"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("SHUTDOWN",)),
    "beat": (
        ("SET", "{copydesk}:batch:n1", "x"),
        ("XADD", "{copydesk}:articles", "*", "a", "b"),
        ("EVAL", "return 1", "0"),
        ("FUNCTION", "FLUSH"),
        ("FLUSHDB",),
        ("ACL", "LIST"),
    ),
    "store": (
        ("HSET", "{copydesk}:batch:n1", "a", "b"),
        ("HGETALL", "{copydesk}:sources"),
        ("LPUSH", "copydesk:bells:parse", "x"),
        ("SET", "{copydesk}:counts:total", "x"),
        ("CONFIG", "GET", "*"),
    ),
    "operator": (
        ("GET", "somebody:elses"),
        ("FLUSHALL",),
        ("CONFIG", "SET", "save", ""),
        ("ACL", "WHOAMI"),
        ("KEYS", "*"),
    ),
}


def test_no_role_can_do_more(port: int) -> None:
    for role, commands in FORBIDDEN.items():
        client = connect(url(port, role), 5, patient=False)
        assert client.ping()
        for command in commands:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types here
        client.close()


def test_every_role_may_wait_for_the_disk(port: int) -> None:
    root = connect(f"redis://root:root-of-all@127.0.0.1:{port}/0", 5, patient=False)
    for role in ROLES:
        words = ("ACL", "DRYRUN", role, "WAITAOF", "1", "0", "0")
        assert root.execute_command(*words) == b"OK"  # type: ignore[no-untyped-call]  # redis-py has no types here
    root.close()


def test_the_users_are_taken_by_the_oldest_server_that_is_supported(tmp_path: Path) -> None:
    binary = shutil.which("redis-server")
    skip_without([] if binary else ["redis-server"])
    socket_file = tmp_path / "redis.sock"
    words = [str(binary), "--port", "0", "--unixsocket", str(socket_file), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([*words, "--aclfile", str(ROOT / "deploy" / "valkey.acl")]) as server:
        try:
            wait_until(lambda: server.poll() is not None or socket_file.exists(), "a server or its end")
            assert server.poll() is None, "it refused the file"
            client = connect(f"unix://worker:CHANGE-ME-WORKER@{socket_file}", 5)
            assert client.ping()
            client.close()
        finally:
            server.kill()


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[Path, Path]:
    skip_without([] if has_openssl() else ["openssl"])
    return make_certificates(tmp_path)


def test_tls_with_an_authority_of_our_own(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    data = tmp_path / "server"
    with EmbeddedServer(data), tls_in_front_of(socket_path(data), *certificates) as port:
        good = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates[0]}"
        client = connect(good, 5, patient=False)
        assert client.ping()
        client.close()
        stranger = connect(f"rediss://127.0.0.1:{port}/0", 5, patient=False)
        with pytest.raises(BrokenError, match="certificate verify failed"):
            stranger.ping()
        stranger.close()
        assert broker_url(good).endswith("ssl_cert_reqs=required")


@pytest.mark.slow
def test_a_whole_system_through_tls(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    data = tmp_path / "server"
    (tmp_path / "a.txt").write_text(text_article(4))
    with EmbeddedServer(data), tls_in_front_of(socket_path(data), *certificates) as port:
        good = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates[0]}"
        desk = Cli(tmp_path, settings=f'{FAST}[state]\nredis_url = "{good}"\n')
        desk.run("ingest", str(tmp_path / "a.txt"))
        assert desk.json("run", "--until-idle")["counters"]["stored"] == 1


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://worker:s3cret@db.example:6379/0", "redis://worker:***@db.example:6379/0"),
        ("cannot reach rediss://:p%40ss@h/1, retrying", "cannot reach rediss://:***@h/1, retrying"),
        ("https://u:p@feeds.example/a?x=1&api_key=abc123#f", "https://u:***@feeds.example/a?x=1&api_key=***#f"),
        ("GET https://a.example/?token=t&page=2", "GET https://a.example/?token=***&page=2"),
        ("sentinel://a:b@one:1,two:2/m?sentinel_password=zz", "sentinel://a:***@one:1,two:2/m?sentinel_password=***"),
        ("mail to a@b.example about key=value", "mail to a@b.example about key=value"),
        ("https://news.example/2026/monkey=1", "https://news.example/2026/monkey=1"),
    ],
)
def test_secrets_are_masked_by_their_form(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_named_secrets_are_masked_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_named", set())
    name_secrets(["postgresql://desk:hunter%2112@db/x", "redis://:abc@h"])
    assert mask("password 'hunter!12' refused, also hunter%2112") == "password '***' refused, also ***"
    assert mask("the abc of news") == "the abc of news", "too short to be looked for"


def test_settings_show_no_secrets(tmp_path: Path) -> None:
    environ = {"COPYDESK_REDIS_URL": "redis://w:s3cret@h/0", "COPYDESK_STORE_URL": "sqlite:///x?key=s3cret-too"}
    settings = load_settings(tmp_path, tmp_path, environ)
    assert settings.state.redis_url == "redis://w:s3cret@h/0"
    assert "s3cret" not in repr(settings)


@pytest.mark.slow
def test_planted_secrets_turn_up_nowhere(tmp_path: Path) -> None:
    source = (
        f'[[source]]\nid = "feed"\nkind = "feed"\nurl = "http://u:pl4nted@127.0.0.1:{free_port()}/?token=pl4nted"\n'
    )
    desk = Cli(tmp_path, source, f'{FAST}[state]\nbroker_url = "redis://x:pl4nted@127.0.0.1:{free_port()}/0"\n')
    outputs = []
    for words in (("doctor",), ("sources", "list"), ("status", "--json"), ("beat",), ("run", "--until-idle", "--nope")):
        if words != ("beat",):
            done = desk.run(*words, code=None)
            outputs.append(done.stdout + done.stderr)
    wrong = Cli(tmp_path / "wrong", settings=f'[state]\nredis_url = "redis://x:pl4nted@127.0.0.1:{free_port()}/0"\n')
    for words in (("doctor",), ("health", "ready")):
        done = wrong.run(*words, code=1)
        outputs.append(done.stdout + done.stderr)
    with desk.running("run"):
        wait_until(lambda: desk.json("sources", "list", code=None)["state"] == "failing", "the feed's failure")
    outputs += [path.read_bytes() for path in (tmp_path / "run.log", *(desk.data / "logs").glob("*.log"))]
    outputs.append(json.dumps(desk.lines("sources", "list")).encode())
    assert len(outputs) > 8
    assert not [output for output in outputs if b"pl4nted" in output]


def test_sentinel_urls() -> None:
    address = parse_sentinel_url("sentinel://u:p%40@one:1,[::1]:2,three/main/3?sentinel_password=s&x=1")
    assert address.sentinels == (("one", 1), ("::1", 2), ("three", 26379))
    assert (address.master, address.database, address.username, address.password) == ("main", 3, "u", "p@")
    assert address.sentinel_options == {"password": "s"}
    assert broker_url("sentinel://u:p%40@one:1,two:2/main/3") == ("sentinel://u:p%40@one:1/3;sentinel://u:p%40@two:2/3")
    assert broker_options("sentinel://one/main") == {"master_name": "main", "sentinel_kwargs": {}}
