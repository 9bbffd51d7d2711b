"""Running the real command in tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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
            timeout=240,
        )
        assert code is None or done.returncode == code, (words, done.returncode, done.stderr.decode()[-3000:])
        return done

    def json(self, *words: str, code: int | None = 0) -> Any:
        """The one JSON object a command prints."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def lines(self, *words: str, code: int | None = 0) -> list[Any]:
        """The JSON lines a command prints."""
        return [json.loads(line) for line in self.run(*words, "--json", code=code).stdout.splitlines()]
