"""Settings: defaults, files, environment, and errors that say where and what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from worker.config import Settings, check_source, load_settings
from worker.errors import ConfigurationError
from worker.model import Source


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config"


def load(config: Path, **environ: str) -> Settings:
    return load_settings(config, config.parent / "data", environ)


def sources(config: Path, text: str) -> tuple[Source, ...]:
    (config / "sources.toml").write_text(text)
    return load(config).sources


def test_without_files_there_are_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "none", tmp_path / "data", {})
    assert settings == Settings(data=tmp_path / "data", config=tmp_path / "none")
    assert settings.embedded
    assert settings.sink_url == f"sqlite:///{tmp_path / 'data' / 'records.db'}"


def test_the_file_goes_over_the_defaults_and_the_environment_over_the_file(config: Path) -> None:
    (config / "worker.toml").write_text("[sweeper]\ninterval_seconds = 7\nafter_seconds = 8\n")
    assert load(config).sweeper.interval_seconds == 7.0
    settings = load(config, COPYDESK_SWEEPER_INTERVAL_SECONDS="9.5", COPYDESK_BATCHES_BYTES="100", PATH="/bin")
    assert (settings.sweeper.interval_seconds, settings.sweeper.after_seconds) == (9.5, 8.0)
    assert settings.batches.bytes == 100


def test_the_memory_lasts_a_day_at_least(config: Path) -> None:
    assert load(config).memory.backfill_days is None
    assert load(config, COPYDESK_MEMORY_BACKFILL_DAYS="7").memory.backfill_days == 7
    for name in ("REMEMBER", "BACKFILL"):
        with pytest.raises(ConfigurationError, match=f"{name.lower()}_days"):
            load(config, **{f"COPYDESK_MEMORY_{name}_DAYS": "0"})


def test_short_names_set_the_urls(config: Path) -> None:
    settings = load(
        config,
        COPYDESK_REDIS_URL="redis://state.example/0",
        COPYDESK_BROKER_URL="amqp://broker.example",
        COPYDESK_STORE_URL="sqlite:///x.db",
    )
    assert (settings.state.redis_url, settings.state.broker_url) == ("redis://state.example/0", "amqp://broker.example")
    assert (settings.sink_url, settings.embedded) == ("sqlite:///x.db", False)


def test_the_environment_names_the_directories_where_no_option_does(tmp_path: Path) -> None:
    environ = {
        "COPYDESK_DATA": str(tmp_path / "d"),
        "COPYDESK_CONFIG": str(tmp_path / "c"),
        "COPYDESK_LOG_LEVEL": "info",
    }
    settings = load_settings(None, None, environ)
    assert (settings.data, settings.config) == (tmp_path / "d", tmp_path / "c")
    assert load_settings(tmp_path / "x", tmp_path / "y", environ).config == tmp_path / "x"


def test_directories_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(Path("conf"), Path("var"), {})
    assert (settings.config, settings.data) == (tmp_path / "conf", tmp_path / "var")
    assert load_settings(None, None, {}).data == tmp_path / "data"


@pytest.mark.parametrize(
    "variable", ["COPYDESK_NO_SUCH", "COPYDESK_SWEEPER_NO_SUCH", "COPYDESK_", "COPYDESK_SOURCES_X"]
)
def test_an_unknown_variable_is_named(config: Path, variable: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{variable} names no setting"):
        load(config, **{variable: "1"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sweeper]\ninterval = 7\n", "sweeper"),
        ("[swepper]\ninterval_seconds = 7\n", "swepper"),
        ('[limits]\nparse_seconds = "soon"\n', "parse_seconds"),
        ('[state]\ndurability = "perhaps"\n', "durability"),
        ("[limits\n", "line 1"),
        ("limits = 3\n", "limits"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_place(config: Path, text: str, says: str) -> None:
    (config / "worker.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(config)
    assert says in str(caught.value)
    assert str(config / "worker.toml") in str(caught.value)


def test_a_section_that_is_no_table_is_an_error_under_a_variable_too(config: Path) -> None:
    (config / "worker.toml").write_text("limits = 3\n")
    with pytest.raises(ConfigurationError, match="limits"):
        load(config, COPYDESK_LIMITS_PARSE_SECONDS="3")


def test_a_variable_of_the_wrong_kind_is_an_error(config: Path) -> None:
    with pytest.raises(ConfigurationError, match="parse_seconds"):
        load(config, COPYDESK_LIMITS_PARSE_SECONDS="soon")


def test_a_file_that_is_no_text_is_an_error(config: Path) -> None:
    (config / "worker.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(config)


def test_paths_count_from_the_config_directory_and_addresses_stay(config: Path) -> None:
    found = sources(
        config,
        '[[source]]\nid = "inbox"\nkind = "directory"\npath = "../inbox"\nclaim = true\n'
        '[[source]]\nid = "local"\nkind = "feed"\nurl = "feeds/a.rss"\n'
        '[[source]]\nid = "web"\nkind = "feed"\nurl = "https://a.example/rss"\n'
        '[[source]]\nid = "abs"\nkind = "directory"\npath = "/srv/in"\n',
    )
    assert [source.path for source in found] == [str(config.parent / "inbox"), None, None, "/srv/in"]
    assert [source.url for source in found] == [None, str(config / "feeds/a.rss"), "https://a.example/rss", None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[source]]\nid = "a"\nkind = "feed"\nurl = "x"\n' * 2, "'a' is used twice"),
        ('[[source]]\nid = "a"\nkind = "feed"\n', "'a': a feed needs url"),
        ('[[source]]\nid = "a"\nkind = "directory"\n', "'a': a directory needs path"),
        ('[[source]]\nid = "a"\nkind = "queue"\n', "kind"),
        ('[[source]]\nkind = "push"\n', "id"),
        ('[[source]]\nid = "a"\nkind = "push"\ncolour = "red"\n', "colour"),
        ('[[source]]\nid = "a b"\nkind = "push"\n', "'a b': use letters"),
        ('[[source]]\nid = "a"\nkind = "feed"\nurl = "x"\ninterval_seconds = 0\n', "above 0"),
        ('[source]\nid = "a"\nkind = "push"\n', "sources.toml"),
        ('[[sources]]\nid = "a"\nkind = "push"\n', "'sources'"),
    ],
)
def test_what_is_wrong_with_a_source_is_said(config: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sources(config, text)
    assert says in str(caught.value)


@pytest.mark.parametrize("source_id", ["a", "A.b_c:d-9", "x" * 100])
def test_ids_that_are_fine(source_id: str) -> None:
    source = Source(id=source_id, kind="push")
    assert check_source(source) is source


@pytest.mark.parametrize("source_id", ["", "-a", ".a", "a|b", "a/b", "ä", "a\n", "x" * 101])
def test_ids_that_are_not(source_id: str) -> None:
    with pytest.raises(ConfigurationError, match="use letters"):
        check_source(Source(id=source_id, kind="push"))


def test_settings_are_frozen(config: Path) -> None:
    settings: Any = load(config)
    with pytest.raises(AttributeError):
        settings.limits.parse_seconds = 1
