"""A Receiver in memory, and what tests of intake share."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker.config import Batches, Inbox, Limits, Settings
from worker.model import Document, Lane, Source

NOBODY = 65_534
PASS_THROUGH = stat.S_IXGRP | stat.S_IXOTH


@dataclass
class MemoryReceiver:
    """Keeps everything it receives; the hooks let a test act at that very moment."""

    batches: list[tuple[Lane, tuple[Document, ...]]] = field(default_factory=list)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    durable_waits: int = 0
    pauses: list[str | None] = field(default_factory=list)
    on_receive: Callable[[Sequence[Document]], object] = lambda _: None
    on_durable: Callable[[], object] = lambda: None

    def receive(
        self, source: Source, documents: Sequence[Document], *, lane: Lane, remember: Mapping[str, str] | None = None
    ) -> None:
        self.on_receive(documents)
        self.batches.append((lane, tuple(documents)))
        self.note(source.id, remember or {})

    def recall(self, source_id: str) -> dict[str, str]:
        return dict(self.states.get(source_id, {}))

    def note(self, source_id: str, fields: Mapping[str, str]) -> None:
        state = {**self.states.get(source_id, {}), **fields}
        self.states[source_id] = {name: value for name, value in state.items() if value}

    def run_id(self) -> str:
        return "run"

    def wait_until_durable(self, since: str = "") -> None:
        assert since == self.run_id(), "the run is asked for before anything is received"
        self.durable_waits += 1
        self.on_durable()

    def paused(self) -> str | None:
        return self.pauses.pop(0) if self.pauses else None

    @property
    def documents(self) -> list[Document]:
        return [document for _, documents in self.batches for document in documents]

    @property
    def contents(self) -> list[bytes | None]:
        return [document.content for document in self.documents]


def settings_for(
    base: Path, *, documents: int = 100, batch_bytes: int = 8_000_000, inline: int = 1000, largest: int = 5000
) -> Settings:
    """Settings with small limits, so that small files meet them."""
    return Settings(
        data=base / "data",
        config=base / "config",
        batches=Batches(documents=documents, bytes=batch_bytes),
        limits=Limits(inline_bytes=inline, document_bytes=largest),
        inbox=Inbox(interval_seconds=2.0, stable_seconds=1.0),
    )


def moment(seconds: float = 0.0) -> datetime:
    """Now, moved by some seconds: files made a moment ago stand still for one who looks from later."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


@contextlib.contextmanager
def unprivileged(*paths: Path) -> Iterator[None]:
    """Run as somebody whom file modes hold back; `paths` and what lies below become theirs.

    The directories above are opened for passing through while it lasts.
    """
    if os.geteuid() != 0:
        yield
        return
    modes: dict[Path, int] = {}
    for path in paths:
        for each in (path, *path.rglob("*")):
            os.chown(each, NOBODY, NOBODY)
        for parent in path.parents:
            mode = stat.S_IMODE(parent.stat().st_mode)
            if mode & PASS_THROUGH != PASS_THROUGH:
                modes.setdefault(parent, mode)
                parent.chmod(mode | PASS_THROUGH)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for parent, mode in modes.items():
            parent.chmod(mode)
