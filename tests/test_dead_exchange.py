"""Dead letters travel as a file, with their bytes, and count on the books of whoever takes them in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from tests.cli_support import Cli
from tests.desk_support import Office, assert_balanced, document, open_office, receive, settings_for, spooled
from tests.store_entries import entry
from worker import __version__, pipeline
from worker.errors import ConfigurationError
from worker.model import FeedEntry, Http
from worker.operate.dead import bury_message, bury_refused, purge, replay
from worker.operate.exchange import export_letters, import_letters
from worker.state.letters import Filter

RECORD = {"id": "a" * 32, "version": 1, "source_id": "push"}
LARGE = {"COPYDESK_LIMITS_INLINE_BYTES": "1000"}


@pytest.fixture
def office(redis: Redis, server_url: str, tmp_path: Path) -> Iterator[Office]:
    assert redis.ping()
    with open_office(server_url, settings_for(tmp_path / "here", LARGE)) as office:
        yield office


@pytest.fixture
def other(server_url: str, tmp_path: Path) -> Iterator[Office]:
    """Another system: its own namespace and data directory."""
    environ = LARGE | {"COPYDESK_STATE_NAMESPACE": "other"}
    with open_office(server_url, settings_for(tmp_path / "there", environ)) as office:
        yield office


def bury_some(office: Office) -> None:
    """Letters of every kind: small, large, of a refused record, of a foreign message."""
    desk = office.desk
    large = spooled(desk, bytes(range(256)) * 20, "large.bin")
    office.bells.ring("parse", "news", receive(desk, document(b"\x00\x01\x02", "small.txt"), large))
    office.drain()
    bury_refused(desk, entry(RECORD), "no such column")
    bury_message(desk, "parse", b"\x80\x04", "application/x-python-serialize", "refused")


def test_letters_travel_with_their_bytes_and_can_be_replayed_there(office: Office, other: Office) -> None:
    bury_some(office)
    lines = list(export_letters(office.desk, office.desk.letters.find()))
    assert import_letters(other.desk, lines) == (4, 0)
    assert import_letters(other.desk, lines) == (0, 4), "twice is once"
    assert_balanced(other.desk)
    assert other.verdicts() == {"rejected": 2}
    here, there = ({row.id: row for row in one.desk.letters.find()} for one in (office, other))
    assert here.keys() == there.keys()
    for letter_id, letter in here.items():
        assert other.desk.read(there[letter_id].document) == office.desk.read(letter.document)
        assert (there[letter_id].code, there[letter_id].at) == (letter.code, letter.at)
    assert replay(other.desk, list(other.desk.letters.find())) == 3, "a foreign message is no document"
    other.drain()
    assert_balanced(other.desk)
    assert other.verdicts() == {"rejected": 2}
    purge(other.desk, other.desk.letters.find())
    assert list(other.desk.spool.directory.iterdir()) == []
    purge(office.desk, office.desk.letters.find())


def test_a_purged_letter_comes_back_from_its_file(office: Office) -> None:
    bury_some(office)
    lines = list(export_letters(office.desk, office.desk.letters.find(Filter(stage="parse"))))
    purge(office.desk, office.desk.letters.find(Filter(stage="parse")))
    assert import_letters(office.desk, lines) == (2, 0)
    assert_balanced(office.desk)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "no exported dead letter"),
        (b'{"format": "something", "letter": {}}', "no exported dead letter"),
        (b'{"headline": "an article"}', "no exported dead letter"),
    ],
)
def test_what_is_no_letter_is_refused_with_its_line(office: Office, line: bytes, says: str) -> None:
    bury_some(office)
    lines = [*export_letters(office.desk, office.desk.letters.find()), b"\n", line]
    with pytest.raises(ConfigurationError, match=f"line 6 .*{says}"):
        import_letters(office.desk, lines)


def test_a_file_of_a_later_format_is_refused(office: Office) -> None:
    bury_some(office)
    (first, *_) = export_letters(office.desk, office.desk.letters.find())
    later = json.loads(first) | {"format_version": 2}
    with pytest.raises(ConfigurationError, match="later copydesk"):
        import_letters(office.desk, [json.dumps(later).encode()])


def test_keys_in_addresses_stay_at_home(office: Office) -> None:
    asked = "https://county.example/page?api_key=Tr0ub4dor&n=1"
    page = document(
        b"<html></html>",
        asked,
        media_type="text/html",
        http=Http(url=asked, status=200),
        entry=FeedEntry(content=b"<rss/>", url="https://county.example/feed?token=Tr0ub4dor"),
    )
    office.bells.ring("parse", "news", receive(office.desk, page))
    office.drain()
    (line,) = export_letters(office.desk, office.desk.letters.find())
    assert b"Tr0ub4dor" not in line
    assert b"api_key=***&n=1" in line


def test_a_letter_brings_its_bytes_and_names_none_of_ours(office: Office) -> None:
    bury_some(office)
    (large,) = [letter for letter in office.desk.letters.find() if letter.document.content_ref]
    line = next(iter(export_letters(office.desk, office.desk.letters.find(Filter(code="foreign_message")))))
    forged = json.loads(line)
    forged["letter"]["id"] = "forged"
    forged["letter"]["document"]["content_ref"] = large.document.content_ref
    assert import_letters(office.desk, [json.dumps(forged).encode()]) == (1, 0)
    letter = office.desk.letters.get("forged")
    assert letter is not None
    assert office.desk.read(letter.document) == b"\x80\x04"
    purge(office.desk, [letter])
    assert office.desk.read(large.document)


def test_filters_by_version_and_time(office: Office) -> None:
    bury_some(office)
    find = office.desk.letters.find
    now = datetime.now(UTC)
    assert len(list(find(Filter(software_version=__version__)))) == 4
    assert list(find(Filter(software_version="0.0.1"))) == []
    assert len(list(find(Filter(until=now + timedelta(minutes=1), since=now - timedelta(hours=1))))) == 4
    assert list(find(Filter(until=now - timedelta(hours=1)))) == []


def test_a_letter_of_a_later_version_hides_no_other_and_stays(office: Office) -> None:
    bury_some(office)
    (first, *rest) = office.desk.letters.find()
    key = office.desk.keys.letter(first.id)
    office.desk.redis.set(key, b"\x7f later")
    assert [letter.id for letter in office.desk.letters.find()] == [letter.id for letter in rest]
    office.desk.redis.zadd(office.desk.keys.name("letters", "rejected"), {first.id: 0})
    assert office.desk.letters.expired() == [], "nor does it stop the sweep that would purge it"
    assert office.desk.redis.exists(key)


def test_a_document_remembers_every_burial(office: Office) -> None:
    office.bells.ring("parse", "news", receive(office.desk, document(b"", "a.txt")))
    office.drain()
    for _ in range(12):
        (letter,) = office.desk.letters.find()
        assert replay(office.desk, [letter]) == 1
        assert replay(office.desk, [letter]) == 0, "twice is once"
        pipeline.sweep(office.desk)
        office.drain()
    (letter,) = office.desk.letters.find()
    history = letter.document.history
    assert len(history) == 10, "the last ten"
    assert [burial.at for burial in history] == sorted(burial.at for burial in history)
    assert history[-1].letter_id == letter.document.replayed_from
    assert {(burial.stage, burial.code, burial.software_version) for burial in history} == {
        ("parse", "empty_document", __version__)
    }
    assert msgspec.to_builtins(history[0])["code"] == "empty_document"


@pytest.mark.slow
def test_export_and_import_through_the_command(tmp_path: Path) -> None:
    one, two = Cli(tmp_path / "one"), Cli(tmp_path / "two")
    (tmp_path / "broken.json").write_text('{"headline": "cut o')
    (tmp_path / "empty.txt").write_text("")
    one.run("ingest", str(tmp_path / "broken.json"), str(tmp_path / "empty.txt"), "--until-idle")
    file = tmp_path / "letters.jsonl"
    one.run("dead", "export", str(file), "--code", "malformed_json", "--until", "2999-01-01")
    assert two.json("dead", "import", str(file)) == {"imported": 1, "already_here": 0}
    (letter,) = two.lines("dead", "list", "--version", __version__)
    assert two.run("dead", "show", letter["id"], "--raw").stdout == b'{"headline": "cut o'
    assert two.json("reconcile")["balanced"]
    assert two.run("dead", "import", str(tmp_path / "none"), code=2)
    assert one.run("dead", "export", str(tmp_path / "no" / "where"), code=2)
