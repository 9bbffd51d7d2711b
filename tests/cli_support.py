"""Running the real command in tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import PATIENCE_SECONDS

FAST = """
[sweeper]
interval_seconds = 1
after_seconds = 4
lease_seconds = 5
[inbox]
interval_seconds = 0.5
stable_seconds = 0.2
"""


class Cli:
    """`copydesk` on a data and a config directory of its own."""

    def __init__(self, directory: Path, sources: str = "", settings: str = FAST) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.config = directory / "config"
        self.config.mkdir(parents=True, exist_ok=True)
        (self.config / "worker.toml").write_text(settings, encoding="utf-8")
        (self.config / "sources.toml").write_text(sources, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """The caller's environment without settings of the person who runs the tests."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("COPYDESK_")}
        return clean | {"COPYDESK_DATA": str(self.data), "COPYDESK_CONFIG": str(self.config), "COLUMNS": "200"}

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own."""
        command = [sys.executable, "-m", "worker", *words]
        return subprocess.Popen(command, env=self.environment, cwd=self.directory, start_new_session=True, **options)

    @contextlib.contextmanager
    def running(self, *words: str, end: signal.Signals = signal.SIGINT) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs during the block; told to stop at its end, it must end well. It logs to `run.log`."""
        path = self.directory / "run.log"
        with path.open("ab") as log:
            process = self.popen(*words, stdout=log, stderr=log)
        try:
            yield process
            process.send_signal(end)
            assert process.wait(PATIENCE_SECONDS) == 0, path.read_text()
        finally:
            # One that is left would be blamed on the tests after this one.
            process.kill()
            process.wait()

    def run(self, *words: str, stdin: bytes | None = None, code: int | None = 0) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end and check its exit code (None: any)."""
        command = [sys.executable, "-m", "worker", *words]
        done = subprocess.run(
            command,
            input=stdin,
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert code is None or done.returncode == code, (words, done.returncode, done.stderr.decode()[-3000:])
        return done

    def json(self, *words: str, code: int | None = 0) -> Any:
        """The one JSON object a command prints."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def lines(self, *words: str, code: int | None = 0) -> list[Any]:
        """The JSON lines a command prints."""
        return [json.loads(line) for line in self.run(*words, "--json", code=code).stdout.splitlines()]

    def stored(self, columns: str) -> list[tuple[Any, ...]]:
        """Columns of the records in the embedded store, in the order of storing; nothing before it is there."""
        path = self.data / "records.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute(f"SELECT {columns} FROM records ORDER BY sequence").fetchall()
            except sqlite3.OperationalError:
                return []
