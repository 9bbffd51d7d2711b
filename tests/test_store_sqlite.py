"""The SQLite sink: what goes in comes out, once, whatever stands beside it in the batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from itertools import permutations
from pathlib import Path

import msgspec
import pytest

from tests.store_entries import NOON, entry, fields_of, record, sighting
from worker.errors import ConfigurationError, SinkError
from worker.events import FamilyChange, Member, Sighting
from worker.model import (
    Author,
    Correction,
    Encoding,
    Extraction,
    Media,
    Record,
    Relation,
    Rights,
    SeenIn,
    Subject,
    encode,
)
from worker.state.queue import Entry
from worker.store.sink import Sink, open_sink
from worker.store.tables import records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "records.db"


@pytest.fixture
def sink(path: Path) -> Iterator[Sink]:
    opened = open_sink(f"sqlite:///{path}?timeout=0.05")
    yield opened
    opened.close()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def full_record() -> Record:
    return record(
        "full",
        version=2,
        event="update",
        supersedes="full:1",
        family_id="full",
        relation="syndicated",
        similarity=0.93,
        matched_id="other",
        source_name="The Gazette",
        provider="Agency",
        syndicated_from="Agency",
        guid="tag:gazette.example,2026:1",
        canonical_url="https://gazette.example/canonical",
        subheadline="Tolls stay",
        abstract="A bridge reopens.",
        body_html="<p>The bridge</p>",
        authors=(Author(name="Zoë Ōta", role="reporter", url="https://gazette.example/zoe"), Author(name="B. Lee")),
        byline="By Zoë Ōta and B. Lee",
        dateline="ELN",
        language="en",
        language_confidence=0.99,
        published_at=NOON.replace(microsecond=7),
        published_precision="second",
        published_source="feed",
        updated_at=NOON,
        sections=("Local",),
        keywords=("bridge", "toll"),
        subjects=(Subject(name="transport", scheme="iptc", code="04015000"),),
        places=("Eln",),
        media=(Media(url="https://gazette.example/b.jpg", type="image/jpeg", caption="The bridge", credit="Lee"),),
        urgency=4,
        corrections=(Correction(text="The bridge is in Eln.", at=NOON), Correction(text="Lee is a woman.")),
        rights=Rights(holder="The Gazette", ai_training=False),
        is_accessible_for_free=True,
        is_full_text=False,
        word_count=14,
        seen_in=(SeenIn(source_id="courier", url="https://courier.example/1", at=NOON, origin="feed"),),
        raw_ref="spool:1",
        media_type="text/html",
        encoding=Encoding(declared="latin-1", detected="utf-8", used="utf-8"),
        extraction=Extraction(parser="html", version="1", method="json-ld", quality=0.8),
        provenance={"headline": "json-ld"},
        warnings=("date_guessed",),
        lane="backfill",
    )


def test_every_field_comes_back_as_it_was(sink: Sink) -> None:
    full = full_record()
    unset = [field.name for field in msgspec.structs.fields(Record) if getattr(full, field.name) in (None, (), {}, "")]
    assert unset == []
    sink.write([entry(full), entry(record("small"))])
    assert sink.versions("full") == [full]
    assert sink.versions("small") == [record("small")]


def test_a_store_from_before_a_column_was_added_gets_it(sink: Sink, path: Path) -> None:
    sink.write([entry(record("old"))])
    with closing(sqlite3.connect(path)) as before, before:
        before.execute("DROP VIEW current_records")
        before.execute("ALTER TABLE records DROP COLUMN corrections")
        before.execute("CREATE VIEW current_records AS SELECT * FROM records")
    again = open_sink(f"sqlite:///{path}")
    full = full_record()
    again.write([entry(full)])
    assert (again.versions("old"), again.versions("full")) == ([record("old")], [full])
    assert rows(path, "SELECT count(corrections) FROM current_records") == [(2,)]
    again.close()


def test_the_columns_are_the_fields_of_the_record() -> None:
    own = {"sequence", "stored_at"}
    assert {column.name for column in records.columns} - own == set(Record.__struct_fields__) - {"seen_in"}


def test_writing_again_changes_nothing_and_keeps_the_order(sink: Sink, path: Path) -> None:
    batch = [entry(record("a")), entry(record("b")), entry(sighting("a"))]
    first = sink.write(batch)
    before = rows(path, "SELECT sequence, id, version, stored_at FROM records"), rows(path, "SELECT * FROM seen_in")
    assert sink.write(batch) == first
    assert (first.records, first.sightings, first.refused) == (2, 1, ())
    assert before == (
        rows(path, "SELECT sequence, id, version, stored_at FROM records"),
        rows(path, "SELECT * FROM seen_in"),
    )


def test_the_same_version_twice_in_one_batch_is_one_row(sink: Sink) -> None:
    sink.write([entry(record("a")), entry(record("a", headline="Corrected in place"))])
    assert [stored.headline for stored in sink.versions("a")] == ["Corrected in place"]


def test_current_records_are_the_highest_versions_without_withdrawn_ones(sink: Sink, path: Path) -> None:
    sink.write(
        [
            entry(record("a", version=2, event="update")),
            entry(record("a", version=1)),
            entry(record("gone", version=1)),
            entry(record("gone", version=2, event="withdraw")),
            entry(record("back", version=1, event="withdraw")),
            entry(record("back", version=2, event="update")),
        ]
    )
    assert rows(path, "SELECT id, version FROM current_records ORDER BY id") == [("a", 2), ("back", 2)]
    assert [(stored.id, stored.version) for stored in sink.newest(10)] == [("back", 2), ("a", 2)]
    assert [stored.id for stored in sink.newest(1)] == ["back"]
    assert sink.count() == 6


def test_sightings_are_kept_once_for_each_place(sink: Sink) -> None:
    places = [sighting("a", url="https://courier.example/1"), sighting("a"), sighting("a", source_id="herald")]
    sink.write([entry(record("a")), *map(entry, places)])
    sink.write([entry(place) for place in places])
    (stored,) = sink.versions("a")
    assert {(seen.source_id, seen.url, seen.origin) for seen in stored.seen_in} == {
        ("courier", "https://courier.example/1", "inbox/copy.txt"),
        ("courier", None, "inbox/copy.txt"),
        ("herald", None, "inbox/copy.txt"),
    }


def test_a_sighting_that_comes_before_its_record_is_kept(sink: Sink) -> None:
    sink.write([entry(sighting("a"))])
    sink.write([entry(record("a"))])
    assert sink.versions("a")[0].seen_in == (sighting("a").seen_in,)


REFUSED = {
    "malformed JSON": {"event": "create", "id": "x", "version": 1, "record": b'{"id": "x"'},
    "no record": {"event": "create", "id": "x", "version": 1},
    "no sighting": {"event": "seen", "id": "x", "record": encode(record("x"))},
    "another shape": {"event": "create", "id": "x", "version": 1, "record": b'{"id": 7}'},
    "not UTF-8 and not JSON": {"event": "create", "id": "x", "version": 1, "record": b"\xff\xfe\x00"},
    "endless nesting": {"event": "create", "id": "x", "version": 1, "record": b'{"x":' + b"[" * 100_000},
    "version zero": {"event": "create", "id": "x", "version": 0, "record": encode(record("x", version=0))},
    "version beyond 64 bits": {
        "event": "create",
        "id": "x",
        "version": 1,
        "record": encode(record("x", version=2**70)),
    },
    "no id": {"event": "create", "id": "", "version": 1, "record": encode(record(""))},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
def test_a_refused_record_is_named_and_does_not_stop_the_others(sink: Sink, fields: dict[str, object]) -> None:
    bad = entry(fields, "7-7")
    result = sink.write([entry(record("a")), bad, entry(record("b")), entry(sighting("a"))])
    assert [refused.entry for refused in result.refused] == [bad]
    assert result.refused[0].reason
    assert (result.records, result.sightings) == (2, 1)
    assert [stored.id for stored in sink.newest(10)] == ["b", "a"]


def test_several_refused_records_in_a_large_batch(sink: Sink) -> None:
    batch = [entry(record(f"r{n:03}", version=0 if n % 50 == 3 else 1), f"1-{n}") for n in range(300)]
    result = sink.write(batch)
    assert [refused.entry.entry_id for refused in result.refused] == [f"1-{n}" for n in range(3, 300, 50)]
    assert sink.count() == result.records == 294


def test_awkward_characters_are_stored(sink: Sink) -> None:
    text = "NUL \x00 inside, \U0001f5de, e\u0301, \u202e, \ufffe"
    sink.write([entry(record("a", body_text=text, headline="\x00"))])
    stored = sink.versions("a")[0]
    assert (stored.body_text, stored.headline) == (text, "\x00")


def test_lone_surrogates_of_another_writer_become_replacement_characters(sink: Sink) -> None:
    data = encode(record("a", headline="HEADLINE")).replace(b"HEADLINE", rb"half \ud83d, whole \ud83d\uddde")
    result = sink.write([entry({"event": "create", "id": "a", "version": 1, "record": data})])
    assert result.refused == ()
    assert sink.versions("a")[0].headline == "half \ufffd, whole \U0001f5de"


def test_unknown_fields_of_a_later_writer_are_ignored(sink: Sink) -> None:
    data = encode(record("a"))[:-1] + b',"mood":"calm"}'
    assert sink.write([entry({"event": "create", "id": "a", "version": 1, "record": data})]).records == 1


def test_times_are_text_that_sorts_as_it_reads(sink: Sink, path: Path) -> None:
    sink.write([entry(record("a", published_at=NOON)), entry(record("b", published_at=NOON.replace(microsecond=5)))])
    assert rows(path, "SELECT id, published_at FROM records ORDER BY published_at") == [
        ("a", "2026-01-31T12:00:00.000000Z"),
        ("b", "2026-01-31T12:00:00.000005Z"),
    ]


def test_missing_names_the_pairs_that_are_not_there(sink: Sink) -> None:
    sink.write([entry(record(f"r{n}")) for n in range(1200)])
    pairs = [(f"r{n}", 1) for n in range(1201)] + [("r5", 2)]
    assert sink.missing(pairs) == [("r1200", 1), ("r5", 2)]
    assert sink.missing([]) == []


def test_find_by_id_beginning_of_an_id_and_url(sink: Sink) -> None:
    sink.write(
        [
            entry(record("abc1", url="https://gazette.example/old")),
            entry(record("abc1", version=2, event="update", url="https://gazette.example/new")),
            entry(record("abd2", canonical_url="https://gazette.example/canonical", event="withdraw")),
        ]
    )

    def found(text: str) -> list[tuple[str, int]]:
        return [(stored.id, stored.version) for stored in sink.find(text, 10)]

    assert found("abc1") == [("abc1", 2)]
    assert found("ab") == [("abc1", 2), ("abd2", 1)]
    assert found("https://gazette.example/old") == [("abc1", 2)]
    assert found("https://gazette.example/canonical") == [("abd2", 1)]
    assert found("%") == found("") == found("b") == []
    assert len(sink.find("ab", 1)) == 1


def test_a_locked_database_is_an_error_and_then_recovers(sink: Sink, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SinkError, match="locked"):
            sink.write([entry(record("a"))])
        other.execute("ROLLBACK")
    assert sink.count() == 0
    assert sink.write([entry(record("a"))]).records == 1


def test_a_full_disk_is_an_error_that_takes_nothing(sink: Sink, path: Path) -> None:
    """The same error as a full disk, from SQLite's own limit on the size of the file."""
    pages = rows(path, "PRAGMA page_count")[0][0]
    limited = open_sink(f"sqlite:///{path}")
    with limited._engine.connect() as connection:  # type: ignore[attr-defined]  # the limit is a connection's own
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SinkError, match="full"):
        limited.write([entry(record(f"r{n}", body_text="long " * 1000)) for n in range(50)])
    limited.close()
    assert sink.count() == 0


def test_readers_do_not_stop_the_writer(sink: Sink, path: Path) -> None:
    sink.write([entry(record("a"))])
    with closing(sqlite3.connect(path)) as reader:
        cursor = reader.execute("SELECT id FROM records")
        assert sink.write([entry(record("b"))]).records == 1
        assert cursor.fetchall() == [("a",)]


def test_the_file_is_in_wal_mode_and_every_commit_is_synced(sink: Sink, path: Path) -> None:
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    with sink._engine.connect() as connection:  # type: ignore[attr-defined]  # synchronous is a connection's own
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def test_a_file_removed_while_open_is_made_anew(sink: Sink, path: Path) -> None:
    sink.write([entry(record("a"))])
    path.unlink()
    sink.write([entry(record("b"))])
    assert rows(path, "SELECT id FROM records") == [("b",)]


def test_many_may_open_a_new_store_at_once(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_sink(f"sqlite:///{path}?timeout=30"), range(8)))
    for n, sink in enumerate(opened):
        sink.write([entry(record(f"r{n}"))])
    assert opened[0].count() == 8
    for sink in opened:
        sink.close()


def test_records_survive_reopening(sink: Sink, path: Path) -> None:
    sink.write([entry(record("a"))])
    sink.close()
    again = open_sink(f"sqlite:///{path}")
    assert again.versions("a") == [record("a")]
    again.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite+nothing:///records.db"])
def test_a_sqlite_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///"):
        open_sink(url)


@pytest.mark.parametrize("url", ["oracle://host/db", "records.db", ""])
def test_an_unknown_scheme_says_which_are_known(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:"):
        open_sink(url)


def test_the_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(ConfigurationError, match="something else"):
        open_sink(f"sqlite:///{path}")
    assert rows(path, "SELECT name FROM sqlite_master") == [("recipes",)]


def test_the_tables_of_a_later_version_are_left_alone(sink: Sink, path: Path) -> None:
    sink.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="version 99"):
        open_sink(f"sqlite:///{path}")


def test_a_file_that_is_no_database_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.write_text("this is a letter, not a database\n" * 100)
    with pytest.raises(SinkError, match=r"records\.db"):
        open_sink(f"sqlite:///{path}")


def test_a_directory_that_cannot_be_made_is_a_sink_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"records\.db"):
        open_sink(f"sqlite:///{tmp_path / 'file' / 'records.db'}")


def near_copy(record_id: str, **fields: object) -> Record:
    facts = {"family_id": "head", "relation": "rewrite", "similarity": 0.97, "matched_id": "head"}
    return record(record_id, **{**facts, **fields})


def test_near_copies_are_kept_beside_their_head(sink: Sink) -> None:
    seen = SeenIn(source_id="courier", url="https://courier.example/1", at=NOON)
    later, earlier = near_copy("c1", received_at=NOON + timedelta(hours=1)), near_copy("c2")
    result = sink.write(
        [entry(record("head")), *(entry(Sighting(id="head", seen_in=seen, copy=copy)) for copy in (later, earlier))]
    )
    assert (result.records, result.sightings) == (1, 2)
    assert sink.copies("head", 10) == [earlier, later]
    assert sink.copies("c1", 10) == [later]
    assert sink.count() == 1


def test_copies_are_found_by_id_and_by_where_they_were_seen(sink: Sink) -> None:
    place = "https://courier.example/1"
    kept = near_copy("c1", url=place, received_at=NOON + timedelta(hours=1))
    exact = SeenIn(source_id="herald", url="https://herald.example/1", at=NOON)
    told = Sighting(id="head", seen_in=SeenIn(source_id="courier", url=place, at=NOON), copy=kept)
    sink.write([entry(record("head")), entry(record("other")), entry(told), entry(Sighting(id="head", seen_in=exact))])
    sink.write([entry(record("head", version=2, event="update"))])
    assert [sink.find_copies(text, 10) for text in ("c1", "c", place)] == [[kept]] * 3
    assert [sink.find_copies(text, 10) for text in ("", "1", "head", "https://herald.example/1")] == [[]] * 4
    for url in (place, "https://herald.example/1"):
        assert [(head.id, head.version) for head in sink.seen_at(url, 10)] == [("head", 2)]
    assert sink.seen_at("https://nobody.example/", 10) == []


def belongs(record_id: str, family_id: str, sent: str, relation: Relation | None = None) -> Entry:
    change = FamilyChange(family_id=family_id, head_id=family_id, members=(Member(id=record_id, relation=relation),))
    return entry({"event": "family", "id": family_id, "family": encode(change)}, sent)


def moved_twice(record_id: str) -> tuple[list[Record], list[Entry]]:
    """Two versions of a record as they should be stored, and what is sent of it in order."""
    alone = {"family_id": record_id, "relation": None, "similarity": None, "matched_id": None}
    first = near_copy(record_id)
    moved = [msgspec.structs.replace(first, **alone), near_copy(record_id, version=2, event="update", **alone)]
    changes = [belongs(record_id, "y", "9-2", "rewrite"), belongs(record_id, record_id, "10-1")]
    return moved, [entry(first, "9-1"), *changes, entry(moved[1], "10-2")]


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_the_family_that_was_sent_last_holds_in_whatever_order_it_comes(sink: Sink, *, together: bool) -> None:
    for number, order in enumerate(permutations(range(4))):
        moved, sent = moved_twice(f"r{number}")
        batch = [sent[index] for index in order]
        for entries in [batch] if together else [[one] for one in [*batch, batch[0]]]:
            assert not sink.write(entries).refused
        assert sink.versions(f"r{number}") == moved, order


def test_a_record_without_a_relation_was_recognised_by_nothing(sink: Sink) -> None:
    result = sink.write([entry(near_copy("a"), "1-1"), belongs("a", "a", "2-1")])
    assert (result.records, result.families, result.sightings) == (1, 1, 0)
    (stored,) = sink.versions("a")
    assert (stored.family_id, stored.relation, stored.similarity, stored.matched_id) == ("a", None, None, None)


@pytest.mark.parametrize("late", [True, False])
def test_kept_copies_follow_their_family(sink: Sink, *, late: bool) -> None:
    told = Sighting(id="head", seen_in=SeenIn(source_id="courier", url=None, at=NOON), copy=near_copy("c1"))
    sent = [entry(told, "1-1"), belongs("c1", "x", "1-2", "rewrite")]
    for one in reversed(sent) if late else sent:
        sink.write([one])
    (kept,) = sink.copies("head", 10)
    assert (kept.family_id, kept.relation, kept.matched_id) == ("x", "rewrite", "head")


def test_a_replayed_record_is_as_old_as_when_it_was_refused(sink: Sink) -> None:
    sink.write([belongs("a", "x", "2-1", "excerpt")])
    sink.write([entry(fields_of(near_copy("a")) | {"first_entry": "1-1"}, "3-1")])
    assert sink.versions("a")[0].family_id == "x"
    sink.write([entry(fields_of(near_copy("b")) | {"first_entry": "no id"}, "3-2"), belongs("b", "x", "4-1")])
    assert sink.versions("b")[0].family_id == "x"


def test_a_family_that_cannot_be_read_is_refused(sink: Sink) -> None:
    for fields in ({"family": b'{"family_id": 1}'}, {"record": encode(record("a"))}):
        (refused,) = sink.write([entry({"event": "family", "id": "a", **fields})]).refused
        assert "family" in refused.reason


@pytest.mark.parametrize("identities", [[], ["no id"]])
def test_facts_without_an_id_are_refused(sink: Sink, identities: list[str]) -> None:
    seen = msgspec.to_builtins(sighting("a")) | {"facts": {"identities": identities}}
    (refused,) = sink.write([entry({"event": "seen", "id": "a", "sighting": msgspec.json.encode(seen)})]).refused
    assert "identities" in refused.reason


def test_a_copy_that_is_published_is_no_copy_any_more(sink: Sink) -> None:
    told = entry(Sighting(id="head", seen_in=SeenIn(source_id="courier", url=None, at=NOON), copy=near_copy("c1")))
    sink.write([entry(record("head")), told])
    sink.write([entry(record("c1"))])
    assert sink.copies("head", 10) == []
    sink.write([told])
    assert sink.copies("head", 10) == []
