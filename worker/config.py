"""Settings: `worker.toml` and `sources.toml` of the config directory, then `COPYDESK_*` environment variables.

Order, later wins: the defaults below, the file, the environment. `COPYDESK_<SECTION>_<KEY>` sets any value
(`COPYDESK_SWEEPER_INTERVAL_SECONDS=5`); `COPYDESK_REDIS_URL`, `COPYDESK_BROKER_URL` and `COPYDESK_STORE_URL`
are short names for the three most used. Relative paths in the files count from the config directory.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from worker.clean.dates import find_timezone
from worker.errors import ConfigurationError
from worker.model import DedupePolicy, DedupeThreshold, FullText, Source
from worker.parse.field_map import check_fields
from worker.parse.unpacking import ContainerLimits
from worker.secrets import mask, name_secret, name_secrets

SHORT_NAMES = {
    "COPYDESK_REDIS_URL": ("state", "redis_url"),
    "COPYDESK_BROKER_URL": ("state", "broker_url"),
    "COPYDESK_STORE_URL": ("store", "url"),
}
PROCESS = "COPYDESK_PROCESS"
"""Environment variable: the name under which this process gives signs of life, set by our own supervisor."""
_NOT_SETTINGS = {"COPYDESK_DATA", "COPYDESK_CONFIG", "COPYDESK_LOG_LEVEL", PROCESS}
_SOURCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of worker.toml."""

    def __repr__(self) -> str:
        return mask(super().__repr__())


class State(_Section, frozen=True, kw_only=True):
    """The state server (ledger, queue, memory) and the broker; empty URLs mean the embedded server."""

    redis_url: str = ""
    broker_url: str = ""
    namespace: str = "copydesk"
    durability: Literal["always", "everysec", "none"] = "always"
    socket_timeout_seconds: float = 60.0


class Batches(_Section, frozen=True, kw_only=True):
    """How many documents travel together."""

    documents: int = 100
    bytes: int = 8_000_000


class Limits(_Section, frozen=True, kw_only=True):
    """Bounds for one document, and for one container with all that is nested in it.

    Above `inline_bytes` a document's bytes travel through the spool. `parse_seconds` are CPU time, which a busy
    machine does not lengthen; `workers.task_seconds` bounds the wall time of a whole batch. A container may unpack to
    `expanded_bytes`, each compressed stream in it to `expansion_ratio` times its size; `nesting` counts containers in
    each other.
    """

    document_bytes: int = 50_000_000
    inline_bytes: int = 1_000_000
    parse_seconds: float = 20.0
    parse_memory_bytes: int = 2_000_000_000
    expanded_bytes: int = 20_000_000_000
    expansion_ratio: float = 200.0
    members: int = 1_000_000
    nesting: int = 5

    @property
    def container(self) -> ContainerLimits:
        """The bounds for one container, as the openers take them."""
        return ContainerLimits(
            member_bytes=self.document_bytes,
            total_bytes=self.expanded_bytes,
            ratio=self.expansion_ratio,
            members=self.members,
            depth=self.nesting,
        )


class Sweeper(_Section, frozen=True, kw_only=True):
    """How soon waiting work is rung again; together they bound the wait after a lost bell or a dead worker.

    A batch and a pulled source are held for `lease_seconds`, renewed by who works on them.
    """

    interval_seconds: float = 5.0
    after_seconds: float = 20.0
    lease_seconds: float = 30.0


Days = Annotated[int, msgspec.Meta(ge=1)]


class Memory(_Section, frozen=True, kw_only=True):
    """How long copies are recognised (refreshed on every sight), and how long receipts and counters are kept.

    `backfill_days`: another window for what comes by the lane `backfill`; None: that of all (`remember_days`).
    """

    remember_days: Days = 30
    backfill_days: Days | None = None
    receipt_days: Days = 3
    counter_days: Days = 400
    rejected_days: Days = 30


class Dedupe(_Section, frozen=True, kw_only=True):
    """Near copies: whether they are looked for, from which resemblance on, and what becomes of them.

    `policy`: drop (kept beside their head in the store), tag (published with the head's id in `matched_id`) or link
    (as tag, and the head's `seen_in` grows). `head`: who stands for a family where an older text arrives later.
    `policy` and `threshold` may be set per source.
    """

    enabled: bool = True
    policy: DedupePolicy = "drop"
    threshold: DedupeThreshold = "balanced"
    head: Literal["first_seen", "earliest_published"] = "first_seen"


class Pressure(_Section, frozen=True, kw_only=True):
    """High-water marks: above one of them pulling pauses and says so. `free_disk_bytes` is a low-water mark.

    From `slow_share` of a mark on pulling slows down. The lane backfill pauses at `backfill_share` of each mark, so
    that news finds room. A source with more than `fair_documents` in flight queues behind all others.
    """

    backlog_records: int = 100_000
    in_flight_documents: int = 50_000
    in_flight_bytes: int = 2_000_000_000
    memory_share: float = 0.85
    free_disk_bytes: int = 500_000_000
    slow_share: float = 0.6
    backfill_share: float = 0.8
    fair_documents: int = 500


class Burials(_Section, frozen=True, kw_only=True):
    """A stage that buries more than this within a minute pauses until `copydesk resume`: then the fault is ours.

    Within a minute `documents` may die whatever the share; above that, at most `share` of all that got a verdict.
    """

    documents: int = 100
    share: float = 0.5


class HostRule(_Section, frozen=True, kw_only=True):
    """How a host is asked: by how many processes at the same time, one request each, and the rest after each."""

    at_once: int = 1
    spacing_seconds: float = 1.0


class Feeds(_Section, frozen=True, kw_only=True):
    """Polling and fetching of feeds.

    `interval_seconds` is the shortest wait between two polls of a feed; one with few entries waits up to
    `slowest_interval_seconds`, one whose server gives no validators `interval_without_validators_seconds`. At most
    `archive_pages` pages of an archive, or sitemaps of an index, are fetched after one poll. `full_text` says whether
    the pages of articles are fetched: `auto` where a feed carries only summaries, `always`, `never`.
    `timeout_seconds` bounds a whole fetch with its redirects; in it, a connection must be there within
    `connect_seconds`, and the answer's headers `first_byte_seconds` later. `at_once` fetches run in one process,
    `at_once_everywhere` on all machines, one of them at a host. A host rests `host_spacing_seconds` after each, and up
    to `host_jitter` of that more; `[hosts."NAME"]` tables make exceptions.
    `ca_file` (PEM) replaces Mozilla's list of certificate authorities.
    """

    interval_seconds: float = 3600.0
    interval_without_validators_seconds: float = 86_400.0
    slowest_interval_seconds: float = 14_400.0
    archive_pages: int = 10
    full_text: FullText = "auto"
    timeout_seconds: float = 30.0
    connect_seconds: float = 10.0
    first_byte_seconds: float = 20.0
    at_once: int = 100
    at_once_everywhere: int = 500
    host_spacing_seconds: float = 1.0
    host_jitter: float = 0.5
    ca_file: str = ""
    document_bytes: int = 15_000_000
    user_agent: str = "copydesk/0.1 (+https://example.org/copydesk; set feeds.user_agent to your contact)"

    @property
    def every_host(self) -> HostRule:
        """The rule for hosts that have none of their own."""
        return HostRule(spacing_seconds=self.host_spacing_seconds)


class Inbox(_Section, frozen=True, kw_only=True):
    """Watched directories: a file is taken when its size and time stood still for `stable_seconds`."""

    interval_seconds: float = 2.0
    stable_seconds: float = 1.0


class Workers(_Section, frozen=True, kw_only=True):
    """Processes of the embedded mode, and limits of Celery's pool."""

    parse_processes: int = 2
    pull_threads: int = 4
    task_seconds: int = 270
    tasks_per_child: int = 500
    memory_per_child_kib: int = 1_000_000


class Supervision(_Section, frozen=True, kw_only=True):
    """When `copydesk run` gives up: a process that ended so often in a row, never having run for `crash_loop_seconds`.

    Pauses between restarts do not count, nor what ends while the server is away or the disk full.

    A process that shows no sign of life for `stalled_seconds`, or takes no work that waits for it, is replaced.
    """

    crash_loop_exits: int = 12
    crash_loop_seconds: float = 60.0
    longest_pause_seconds: float = 15.0
    stalled_seconds: float = 20.0


class Store(_Section, frozen=True, kw_only=True):
    """The writer: sink URL (empty = records.db in the data directory), batch and claim times."""

    url: str = ""
    group: str = "store"
    batch_records: int = 500
    claim_idle_seconds: float = 30.0


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be configured, frozen. `data` and `config` are absolute directories."""

    data: Path
    config: Path
    sources: tuple[Source, ...] = ()
    state: State = State()
    batches: Batches = Batches()
    limits: Limits = Limits()
    sweeper: Sweeper = Sweeper()
    memory: Memory = Memory()
    dedupe: Dedupe = Dedupe()
    pressure: Pressure = Pressure()
    burials: Burials = Burials()
    feeds: Feeds = Feeds()
    hosts: dict[str, HostRule] = {}
    inbox: Inbox = Inbox()
    workers: Workers = Workers()
    store: Store = Store()
    supervision: Supervision = Supervision()

    @property
    def embedded(self) -> bool:
        """True where copydesk starts its own server on the data directory."""
        return not self.state.redis_url

    @property
    def sink_url(self) -> str:
        """The URL of the sink: the configured one, or SQLite in the data directory."""
        return self.store.url or f"sqlite:///{self.data / 'records.db'}"


def load_settings(
    config: Path | None = None, data: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the config directory and the environment; raises ConfigurationError with the place and the remedy.

    A missing directory or file means defaults. `config` and `data` fall back to COPYDESK_CONFIG and
    COPYDESK_DATA, then to `./config` and `./data`.
    """
    environ = os.environ if environ is None else environ
    config = Path(config or environ.get("COPYDESK_CONFIG") or "config").absolute()
    data = Path(data or environ.get("COPYDESK_DATA") or "data").absolute()
    tables = _read_toml(config / "worker.toml")
    _apply_environment(tables, environ)
    sources = _read_sources(config / "sources.toml")
    urls = (url for source in sources for url in (source.url, source.proxy) if url)
    name_secrets([*environ.values(), *_texts(tables), *urls])
    for source in sources:
        name_secret((source.auth or "").partition(":")[2])
        for value in source.headers.values():
            name_secret(value)
    raw = {**tables, "data": str(data), "config": str(config)}
    try:
        settings = msgspec.convert(raw, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{config / 'worker.toml'} or a COPYDESK_* variable: {error}") from error
    return msgspec.structs.replace(settings, sources=sources)


def _texts(tables: Mapping[str, Any]) -> Iterator[str]:
    """Every text of the tables, where passwords may stand in URLs."""
    for value in tables.values():
        if isinstance(value, dict):
            yield from _texts(value)
        elif isinstance(value, str):
            yield value


def check_source(source: Source) -> Source:
    """The source itself if it can work; raises ConfigurationError otherwise."""
    if not _SOURCE_ID.fullmatch(source.id):
        raise ConfigurationError(f"source id {source.id!r}: use letters, digits and . _ : - (at most 100)")
    needed = {"feed": "url", "directory": "path", "push": "id"}[source.kind]
    if not getattr(source, needed):
        raise ConfigurationError(f"source {source.id!r}: a {source.kind} needs {needed}")
    if source.interval_seconds is not None and source.interval_seconds <= 0:
        raise ConfigurationError(f"source {source.id!r}: interval_seconds must be above 0")
    check_timezone(source.timezone, f"source {source.id!r}: timezone")
    check_fields(source.fields, f"source {source.id!r}")
    return source


def check_timezone(name: str | None, owner: str) -> str | None:
    """The name itself if there is such a time zone (or none is named); raises ConfigurationError otherwise."""
    if name is not None and find_timezone(name) is None:
        raise ConfigurationError(f"{owner} {name!r} is no IANA name; write one such as Europe/Vienna")
    return name


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error


def _apply_environment(tables: dict[str, Any], environ: Mapping[str, str]) -> None:
    sections = {
        name: field.type
        for name, field in ((f.name, f) for f in msgspec.structs.fields(Settings))
        if isinstance(field.type, type) and issubclass(field.type, _Section)
    }
    for variable, value in environ.items():
        if not variable.startswith("COPYDESK_") or variable in _NOT_SETTINGS:
            continue
        section, key = SHORT_NAMES.get(variable) or _section_and_key(variable)
        known = {field.name for field in msgspec.structs.fields(sections[section])} if section in sections else set()
        if key not in known:
            raise ConfigurationError(f"environment variable {variable} names no setting; see config/worker.toml")
        table = tables.setdefault(section, {})
        if isinstance(table, dict):  # what is none is refused with the rest of the file
            table[key] = value


def _section_and_key(variable: str) -> tuple[str, str]:
    section, _, key = variable.removeprefix("COPYDESK_").lower().partition("_")
    return section, key


def _read_sources(path: Path) -> tuple[Source, ...]:
    tables = _read_toml(path)
    rows = tables.pop("source", [])
    if tables:
        raise ConfigurationError(f"{path}: unknown {next(iter(tables))!r}; each source is a table [[source]]")
    try:
        sources = msgspec.convert(rows, tuple[Source, ...])
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    seen: set[str] = set()
    for source in sources:
        if source.id in seen:
            raise ConfigurationError(f"{path}: source id {source.id!r} is used twice")
        seen.add(source.id)
    return tuple(check_source(_resolve(source, path.parent)) for source in sources)


def _resolve(source: Source, base: Path) -> Source:
    """Local paths made absolute, counted from the config directory."""
    path = str((base / source.path).resolve()) if source.path else None
    url = source.url
    if url and "://" not in url:
        url = str((base / url).resolve())
    return msgspec.structs.replace(source, path=path, url=url)
