"""A source's own map from fields of a record to places in its JSON objects and tables, and its time zone."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli_support import Cli
from worker.clean.dates import parse_date
from worker.config import load_settings
from worker.errors import ConfigurationError
from worker.intake.files import document_of
from worker.model import Article, Document, Refusal, Source
from worker.parse.containers import open_container
from worker.parse.document import parse_document
from worker.parse.field_map import apply_fields, find_path, parse_fields

FIELDS = {"headline": "data.title", "body_text": "content.text", "published_at": "ts", "authors": "people.0.name"}
OBJECT = {
    "title": "Not this one",
    "data": {"title": "Bridge reopens"},
    "content": {"text": "The bridge is open again.\n\nCars cross."},
    "ts": 1778227200,
    "people": [{"name": "Ann Marsh"}, {"name": "Bo Lind"}],
    "lang": "en",
}
RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)


def parse(content: bytes, origin: str = "a.json", **facts: object) -> list[Article | Refusal]:
    document = Document(source_id="t", origin=origin, received_at=RECEIVED, **facts)  # type: ignore[arg-type]
    return parse_document(document, content)


def article_of(found: list[Article | Refusal]) -> Article:
    (article,) = found
    assert isinstance(article, Article)
    return article


def test_a_foreign_object_is_read_by_the_map() -> None:
    article = article_of(parse(json.dumps(OBJECT).encode(), fields=FIELDS))
    assert article.headline == "Bridge reopens"
    assert article.body_text == "The bridge is open again.\n\nCars cross."
    assert article.published_at == datetime(2026, 5, 8, 8, tzinfo=UTC)
    assert [person.name for person in article.authors] == ["Ann Marsh"]
    assert article.language == "en"
    assert article.provenance["headline"] == "json:data.title"
    assert article.provenance["language"] == "declared"


def test_what_a_map_names_is_read_there_only() -> None:
    node = {
        "headline": "Usual",
        "title": "Usual too",
        "Body": "Usual",
        "html": "<p>Usual</p>",
        "deep": {"text": "Text"},
    }
    assert apply_fields(node, {"body_text": "deep.text", "headline": "head.line"}) == {
        "deep": {"text": "Text"},
        "body_text": "Text",
    }


def test_markup_a_map_points_at_becomes_text_and_clean_markup() -> None:
    node = {"h": "Bridge", "b": "<p>One.</p><script>x</script><p>Two.</p>", "text": "not this"}
    article = article_of(parse(json.dumps(node).encode(), fields={"headline": "h", "body_html": "b"}))
    assert (article.body_text, article.body_html) == ("One.\n\nTwo.", "<p>One.</p><p>Two.</p>")


def test_each_object_of_an_array_stands_for_itself() -> None:
    first, second, third = parse(json.dumps([OBJECT, {"other": 1}, OBJECT]).encode(), fields=FIELDS)
    assert isinstance(first, Article)
    assert isinstance(second, Refusal)
    assert isinstance(third, Article)
    assert (first.member, second.member, second.code, third.member) == (0, 1, "no_article", 2)


def test_an_array_in_a_line_of_jsonl_is_read_whole() -> None:
    lines = b'{"headline": "A", "body": "One."}\n[{"headline": "B", "body": "Two."}, {"headline": "C", "body": "3."}]'
    found = parse(lines, origin="a.jsonl")
    assert [(item.headline, item.member) for item in found if isinstance(item, Article)] == [
        ("A", 0),
        ("B", "1/0"),
        ("C", "1/1"),
    ]


def test_the_columns_of_a_table_are_mapped() -> None:
    table = b"no;data.title;story\n1;Bridge reopens;The bridge is open.\n2;Mill closes;The mill is shut.\n"
    found = parse(table, origin="a.csv", fields={"headline": "data.title", "body_text": "story"})
    assert [item.headline for item in found if isinstance(item, Article)] == ["Bridge reopens", "Mill closes"]
    (refusal,) = parse(table, origin="a.csv", fields={"headline": "missing"})
    assert isinstance(refusal, Refusal)
    assert refusal.code == "unsupported_format"


@pytest.mark.parametrize(
    ("path", "found"),
    [("a", {"b": [{"c": 1}]}), ("a.b.0.c", 1), ("a.b.1.c", None), ("a.b.x", None), ("x.y", 2), ("a.b.0.c.d", None)],
)
def test_paths_lead_through_objects_and_arrays(path: str, found: object) -> None:
    assert find_path({"a": {"b": [{"c": 1}]}, "x.y": 2, "x": {"y": 3}}, path) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("headlin=title", "no field that can be mapped"),
        ("headline=a..b", "no path"),
        ("headline=", "no path"),
        ("headline", "field=path"),
        ("headline=a,headline=b", "each field once"),
        ("url=a", "at least one of headline"),
    ],
)
def test_a_map_that_cannot_work_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_fields(text, "--fields")


def test_sources_carry_map_and_time_zone(tmp_path: Path) -> None:
    lines = [
        '[[source]]\nid = "a"\nkind = "push"',
        'timezone = "Europe/Vienna"',
        'fields = { headline = "data.title" }',
    ]
    (tmp_path / "sources.toml").write_text("\n".join(lines))
    (source,) = load_settings(tmp_path, tmp_path).sources
    assert (source.timezone, source.fields) == ("Europe/Vienna", {"headline": "data.title"})
    for wrong, said in ((lines[1], 'timezone = "Vienna"'), (lines[2], 'fields = { head = "x" }')):
        (tmp_path / "sources.toml").write_text("\n".join(lines).replace(wrong, said))
        with pytest.raises(ConfigurationError, match="source 'a'"):
            load_settings(tmp_path, tmp_path)


def test_dates_without_zone_are_in_the_source_s() -> None:
    node = {"headline": "Bridge", "body": "Open.", "date": "2026-05-05 10:00", "updated": "2026-01-05T10:00:00"}
    content = json.dumps(node).encode()
    article = article_of(parse(content, timezone="America/New_York"))
    assert article.published_at == datetime(2026, 5, 5, 14, tzinfo=UTC)
    assert article.updated_at == datetime(2026, 1, 5, 15, tzinfo=UTC)
    assert article.provenance["published_at"] == "json, timezone of the source"
    assert (article.published_source, article.published_precision) == ("json", "minute")
    assert not any("zone" in warning for warning in article.warnings)
    unknown = article_of(parse(content))
    assert unknown.published_at == datetime(2026, 5, 5, 10, tzinfo=UTC)
    assert {"date_without_zone", "updated_date_without_zone"} <= set(unknown.warnings)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-05-05T10:00:00Z", "2026-05-05T10:00:00+00:00"),
        ("Tue, 05 May 2026 10:00:00 EST", "2026-05-05T15:00:00+00:00"),
        ("2026-05-05", "2026-05-05T00:00:00+00:00"),
        ("1777975200", "2026-05-05T10:00:00+00:00"),
        ("5. Mai 2026, 10:00", "2026-05-05T08:00:00+00:00"),
        ("2025-10-26 02:30", "2025-10-26T00:30:00+00:00"),
    ],
)
def test_a_time_zone_is_for_times_that_name_none(written: str, meant: str) -> None:
    dated = parse_date(written, RECEIVED, "Europe/Vienna")
    assert dated.at is not None
    assert (dated.at.isoformat(), dated.warnings) == (meant, ())


def test_parse_takes_map_and_time_zone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"t": "Bridge", "x": {"y": "Open again."}, "at": "2026-05-05 10:00"}')
    options = ["--fields", "headline=t,body_text=x.y,published_at=at", "--timezone", "Europe/Vienna"]
    done = Cli(tmp_path).run("parse", "--json", str(tmp_path / "a.json"), *options)
    record = json.loads(done.stdout)["record"]
    assert (record["headline"], record["body_text"]) == ("Bridge", "Open again.")
    assert record["published_at"] == "2026-05-05T08:00:00Z"


def test_documents_carry_what_their_source_says(tmp_path: Path) -> None:
    source = Source(id="a", kind="push", timezone="Europe/Vienna", fields=FIELDS)
    document = document_of(source, tmp_path / "a.json", RECEIVED)
    assert (document.timezone, document.fields) == ("Europe/Vienna", FIELDS)
    (member,) = list(open_container(document, gzip.compress(json.dumps(OBJECT).encode())) or ())
    assert article_of(parse_document(member, member.content or b"")).headline == "Bridge reopens"
