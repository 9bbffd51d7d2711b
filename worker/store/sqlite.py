"""The default sink: one SQLite file, write-ahead log, an fsync at every commit.

`synchronous=FULL` because a commit is followed by the acknowledgement that deletes the record from the queue:
with NORMAL a power loss could take back the commit and not the deletion.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from sqlalchemy import URL, Connection, Engine, Table, bindparam, create_engine, delete, event, exists, make_url
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from worker.errors import ConfigurationError, SinkError
from worker.events import FamilyChange, Sighting
from worker.model import Record
from worker.state.queue import Entry
from worker.store import moves, queries
from worker.store.entries import Value, decode_entry, entry_order
from worker.store.sink import Refused, StoredRecord, WriteResult
from worker.store.tables import (
    CURRENT_RECORDS,
    STORE_VERSION,
    UPSERTED,
    copies,
    copy_row,
    metadata,
    record_row,
    records,
    seen_in,
    seen_row,
)

BUSY_SECONDS = "5"
"""How long a statement waits for another process's lock; `?timeout=` in the URL sets another."""
WAL_BYTES = 64_000_000
"""The write-ahead log is cut back to this size after a checkpoint."""

_DATA_ERRORS = (IntegrityError, DataError, OverflowError, UnicodeError)
_Answer = TypeVar("_Answer")

_insert = insert(records)
_UPSERT = _insert.on_conflict_do_update(
    index_elements=["id", "version"], set_={name: _insert.excluded[name] for name in UPSERTED}
)
_ADD_SEEN = insert(seen_in).on_conflict_do_nothing()
_ADD_COPY = insert(copies).on_conflict_do_nothing()
# What is published is no longer only a copy, whichever of the two is written again later.
_DROP_PUBLISHED = (
    delete(copies)
    .where(copies.c.id == bindparam("published"))
    .where(exists().where(records.c.id == bindparam("published")))
)


@dataclass(frozen=True, slots=True)
class _Work:
    """An entry, what it carries, and what tells whether it was sent before another (see `entry_order`)."""

    entry: Entry
    value: Value
    order: str


class SqliteSink:
    """A store in one SQLite file; see `worker.store.sink.Sink` for what each method promises.

    One process writes at a time, any number read meanwhile. A file that is deleted or replaced while open is
    noticed at the next write and made anew.
    """

    def __init__(self, url: URL) -> None:
        self._path = Path(url.database or "")
        self._engine = _engine(url)
        self._prepare()

    def write(self, entries: Sequence[Entry]) -> WriteResult:
        """Upsert the entries in one transaction; where one of them is refused, in several."""
        if self._file_identity() != self._identity:
            self._prepare()
        work: list[_Work] = []
        refused: list[Refused] = []
        for entry in entries:
            try:
                work.append(_Work(entry, decode_entry(entry), entry_order(entry)))
            except ValueError as error:
                refused.append(Refused(entry, str(error)))
        bad = self._write_what_fits(work)
        taken = {id(item) for item in work} - {id(item) for item, _ in bad}
        refused += [Refused(item.entry, reason) for item, reason in bad]
        kinds = Counter(type(item.value) for item in work if id(item) in taken)
        return WriteResult(kinds[Record], kinds[Sighting], kinds[FamilyChange], tuple(refused))

    def count(self) -> int:
        """Stored (id, version) pairs."""
        return self._read(queries.count)

    def missing(self, pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of the pairs that are not stored."""
        return self._read(lambda connection: queries.missing(connection, pairs))

    def newest(self, limit: int) -> list[Record]:
        """The current records stored last, newest first."""
        return self._read(lambda connection: queries.newest(connection, limit))

    def after(self, position: int, limit: int) -> list[StoredRecord]:
        """Versions stored after `position`, in the order of storing."""
        return self._read(lambda connection: queries.after(connection, position, limit))

    def last_position(self) -> int:
        """The highest position in use."""
        return self._read(queries.last_position)

    def versions(self, record_id: str) -> list[Record]:
        """Every version of an id, oldest first."""
        return self._read(lambda connection: queries.versions(connection, record_id))

    def find(self, text: str, limit: int) -> list[Record]:
        """Records named by an id, the beginning of one, or a URL."""
        return self._read(lambda connection: queries.find(connection, text, limit))

    def copies(self, record_id: str, limit: int) -> list[Record]:
        """Near copies kept beside a record, earliest first; or the one copy of that id."""
        return self._read(lambda connection: queries.kept_copies(connection, record_id, limit))

    def find_copies(self, text: str, limit: int) -> list[Record]:
        """Kept near copies named by an id, the beginning of one, or a URL."""
        return self._read(lambda connection: queries.find_copies(connection, text, limit))

    def seen_at(self, url: str, limit: int) -> list[Record]:
        """Records a copy of which was seen at a URL."""
        return self._read(lambda connection: queries.seen_at(connection, url, limit))

    def sightings(self, record_id: str, limit: int) -> list[Sighting]:
        """Where copies of a record were seen, earliest first."""
        return self._read(lambda connection: queries.sightings(connection, record_id, limit))

    def withdrawn(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids whose highest version is a withdrawal."""
        return self._read(lambda connection: queries.withdrawn(connection, ids))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _write_what_fits(self, work: Sequence[_Work]) -> list[tuple[_Work, str]]:
        """Write all in one transaction; on a data error halve, until the refused ones stand alone."""
        if not work:
            return []
        try:
            self._commit(work)
        except _DATA_ERRORS as error:
            if len(work) == 1:
                return [(work[0], _reason(error))]
        except SQLAlchemyError as error:
            self._unavailable(error)
        else:
            return []
        middle = len(work) // 2
        return self._write_what_fits(work[:middle]) + self._write_what_fits(work[middle:])

    def _commit(self, work: Sequence[_Work]) -> None:
        now = datetime.now(UTC)
        articles = [item.value for item in work if isinstance(item.value, Record)]
        sightings = [item.value for item in work if isinstance(item.value, Sighting)]
        rows = [record_row(record, now) for record in articles]
        seen = [seen_row(record.id, place) for record in articles for place in record.seen_in]
        seen += [seen_row(sighting.id, sighting.seen_in, sighting.facts) for sighting in sightings]
        kept = [copy_row(sighting.id, sighting.copy) for sighting in sightings if sighting.copy]
        changes = moves.told((item.value, item.order) for item in work if isinstance(item.value, FamilyChange))
        with self._engine.begin() as connection:
            if rows:
                connection.execute(_UPSERT, rows)
            if seen:
                connection.execute(_ADD_SEEN, seen)
            if kept:
                connection.execute(_ADD_COPY, kept)
            named = _arrived(work)
            if named:
                connection.execute(_DROP_PUBLISHED, [{"published": name} for name in sorted(named)])
            moves.settle(connection, changes, named)

    def _read(self, ask: Callable[[Connection], _Answer]) -> _Answer:
        try:
            with self._engine.connect() as connection:
                return ask(connection)
        except SQLAlchemyError as error:
            self._unavailable(error)

    def _prepare(self) -> None:
        """Connect and create what is missing; raises ConfigurationError for a file that is not ours."""
        self._engine.dispose()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._engine.connect() as connection:
                _create(connection.execution_options(isolation_level="AUTOCOMMIT"), self._path)
        except (SQLAlchemyError, OSError) as error:
            self._engine.dispose()
            self._unavailable(error)
        except ConfigurationError:
            self._engine.dispose()
            raise
        self._identity = self._file_identity()

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _unavailable(self, error: Exception) -> NoReturn:
        raise SinkError(f"{self._path}: {_reason(error)}") from error


def open_sink(url: str) -> SqliteSink:
    """The SQLite store of `sqlite:///PATH`, created with its directory where missing.

    Raises ConfigurationError for a URL without a path or a file of something else, SinkError where it cannot be
    opened.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(f"cannot read the store URL {url!r}: {error}") from error
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError(
            f"the store URL {url!r} needs a file: sqlite:///relative/path or sqlite:////absolute/path"
        )
    return SqliteSink(parsed)


def _arrived(work: Iterable[_Work]) -> dict[str, str]:
    """Id of each record and kept copy -> the order of the first entry that carries it."""
    found: dict[str, str] = {}
    for item in work:
        value = item.value.copy if isinstance(item.value, Sighting) else item.value
        if isinstance(value, Record):
            found[value.id] = min(item.order, found.get(value.id, item.order))
    return found


def _engine(url: URL) -> Engine:
    if "timeout" not in url.query:
        url = url.update_query_dict({"timeout": BUSY_SECONDS})
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")

    return engine


def _create(connection: Connection, path: Path) -> None:
    """Tables, view and version in one transaction; two processes may do this at once."""
    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        _check_version(connection, path)
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            _add_columns(connection, table)
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))
        connection.exec_driver_sql(CURRENT_RECORDS)
        connection.exec_driver_sql(f"PRAGMA user_version = {STORE_VERSION}")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


def _add_columns(connection: Connection, table: Table) -> None:
    """Columns that came after the store was made; each has a default."""
    there = {row.name for row in connection.exec_driver_sql(f"PRAGMA table_info({table.name})")}
    for column in table.columns:
        if column.name not in there:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


def _check_version(connection: Connection, path: Path) -> None:
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
    if version == 0 and tables:
        raise ConfigurationError(f"{path} is a database of something else; name another file")
    if version not in (0, STORE_VERSION):
        raise ConfigurationError(
            f"{path} has tables of version {version}, this copydesk knows {STORE_VERSION}; "
            "use the copydesk that wrote it, or name another file"
        )


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
