"""`copydesk dedupe`: recognise copies in an archive, with the real index on a server of its own; nothing is stored."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from worker.config import Settings
from worker.dedupe.passages import Passage, compare_texts
from worker.dedupe.records import Candidate, make_candidate
from worker.errors import ConfigurationError
from worker.operate.dedupe_files import BadLine, InputRecord, article_of, document_of
from worker.state.connection import connect
from worker.state.memory import Memory, Outcome, Rules, rules_for
from worker.state.server import EmbeddedServer, embedded_url

RUN_RECORDS = 100
"""Records per call of the index."""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of a record. Ids are those of the input; `evidence` are the features that decided."""

    id: str
    verdict: str
    family_id: str
    relation: str | None
    matched_id: str | None
    similarity: float | None
    evidence: str

    @property
    def dropped(self) -> bool:
        """True where the record would not be published."""
        return self.verdict in ("duplicate", "near_duplicate")

    def row(self) -> dict[str, Any]:
        """As printed with --json."""
        names = ("id", "verdict", "family_id", "relation", "matched_id", "similarity")
        return {name: getattr(self, name) for name in names}


def rules_by_source(settings: Settings, policy: str | None, threshold: str | None) -> Callable[[str | None], Rules]:
    """The rules of a source id (None: of records without a source).

    Those that sources.toml gives a source, else the deployment's; `policy` and `threshold` replace both where they are
    given. Raises ConfigurationError for words that are none.
    """
    chosen = {name: value for name, value in (("policy", policy), ("threshold", threshold)) if value is not None}
    try:
        changed = msgspec.convert(msgspec.to_builtins(settings.dedupe) | chosen, type(settings.dedupe))
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"--policy takes drop, tag or link; --threshold strict, balanced or loose: {error}"
        ) from error
    settings = msgspec.structs.replace(settings, dedupe=changed)
    replaced = {f"dedupe_{name}": value for name, value in chosen.items()}
    sources = {source.id: msgspec.structs.replace(source, **replaced) for source in settings.sources}
    return lambda source_id: rules_for(settings, sources.get(source_id or ""))


@contextlib.contextmanager
def empty_memory(settings: Settings) -> Iterator[Memory]:
    """The memory of an embedded server in a temporary directory, gone with the block."""
    with tempfile.TemporaryDirectory(prefix="copydesk-dedupe-") as directory:
        data = Path(directory)
        with EmbeddedServer(data):
            redis = connect(embedded_url(data))
            try:
                yield Memory(redis, msgspec.structs.replace(settings, data=data))
            finally:
                redis.close()


def dedupe_records(
    records: Iterable[InputRecord | BadLine], memory: Memory, rules_of: Callable[[str | None], Rules]
) -> Iterator[tuple[InputRecord, Line] | BadLine]:
    """Each record with its line, in the order of the input, which is taken for the order of arrival.

    `rules_of` gives the rules of a source id (None where a record names no source).
    """
    names: dict[str, str] = {}
    now = datetime.now(UTC)
    rows = iter(records)
    while chunk := list(islice(rows, RUN_RECORDS)):
        sound = [row for row in chunk if isinstance(row, InputRecord)]
        yield from (row for row in chunk if isinstance(row, BadLine))
        # Furniture is a source's own, so a call of the index is about one source.
        for source_id, group in groupby(sound, key=lambda row: row.source_id):
            run = list(group)
            candidates = [_candidate(record, now) for record in run]
            for record, candidate in zip(run, candidates, strict=True):
                names.setdefault(candidate.fingerprint.record_id.hex(), record.id)
            for record, outcome in zip(run, memory.settle(candidates, rules_of(source_id)), strict=True):
                yield record, _line(record, outcome, names)


class Texts:
    """Headline and text of the records seen so far, on disk, so that copies can be shown beside their heads."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="copydesk-texts-")
        self._texts = sqlite3.connect(str(Path(self._directory.name) / "texts.db"), isolation_level=None)
        self._texts.execute("PRAGMA synchronous = OFF")
        self._texts.execute("CREATE TABLE texts (id TEXT PRIMARY KEY, headline TEXT, body TEXT)")

    def __enter__(self) -> Texts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._texts.close()
        self._directory.cleanup()

    def keep(self, record: InputRecord) -> None:
        """Remember a record (the first of its id)."""
        row = (record.id, record.headline or "", record.body_text or record.abstract or "")
        self._texts.execute("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", row)

    def compare(self, record: InputRecord, line: Line) -> tuple[str, list[Passage]]:
        """The matched record's headline, and how the record's text differs from its text."""
        found = self._texts.execute("SELECT headline, body FROM texts WHERE id = ?", (line.matched_id,)).fetchone()
        headline, body = found or ("", "")
        return headline, compare_texts(body, record.body_text or record.abstract or "")


def _candidate(record: InputRecord, now: datetime) -> Candidate:
    return make_candidate(article_of(record, now), document_of(record, now), "news", now)


def _line(record: InputRecord, outcome: Outcome, names: dict[str, str]) -> Line:
    # The same article again (by guid, URL or text) matches its own record.
    matched_id = outcome.matched_id or (outcome.record_id if outcome.verdict == "duplicate" else None)
    matched = names.get(matched_id, matched_id) if matched_id else None
    return Line(
        id=record.id,
        verdict="new" if outcome.verdict == "stored" else outcome.verdict,
        family_id=names.get(outcome.family_id, outcome.family_id),
        relation=outcome.relation,
        matched_id=matched,
        similarity=outcome.similarity,
        evidence=outcome.evidence,
    )
