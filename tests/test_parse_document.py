"""What parse_document promises whatever the bytes are."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.clean.text import clean_text
from worker.errors import Failed
from worker.model import Article, Document, Refusal
from worker.parse import table
from worker.parse.containers import open_container
from worker.parse.detect import TEXT, detect_media_type
from worker.parse.document import parse_document

RECEIVED = datetime(2025, 6, 1, tzinfo=UTC)
STARTS = (
    b"",
    b"<html>",
    b"<?xml version='1.0'?><rss><channel><item>",
    b"<feed>",
    b"{",
    b'{"headline":"',
    b"[",
    b"\xff\xfe",
)
NAMES = ("a.txt", "a.html", "a.json", "a.rss", "a")
FEED = (
    b"<rss version='2.0'><channel><title>Valley</title>"
    b"<item><title>One</title></item><item><title>Two</title></item></channel></rss>"
)


def document(name: str = "a.txt", only: int | str | None = None, media_type: str | None = None) -> Document:
    return Document(source_id="s", origin=name, received_at=RECEIVED, only_member=only, media_type=media_type)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(STARTS), st.binary(max_size=400), st.sampled_from(NAMES))
def test_no_bytes_make_it_raise(start: bytes, rest: bytes, name: str) -> None:
    found = parse_document(document(name), start + rest)
    assert found
    assert all(isinstance(item, Article | Refusal) for item in found)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.text(max_size=300),
    st.sampled_from(("{}", "<p>{}</p>", "<rss><channel><item><title>{}</title></item></channel></rss>")),
)
def test_texts_come_out_clean(text: str, frame: str) -> None:
    content = frame.replace("{}", text).encode("utf-8", "replace")
    for item in parse_document(document("a"), content):
        if isinstance(item, Article):
            assert item.headline or item.body_text
            assert clean_text(item.body_text) == item.body_text
            assert clean_text(item.headline or "") == (item.headline or "")


ITEMS = "".join(f"<newsItem><itemMeta><title>{name}</title></itemMeta></newsItem>" for name in ("One", "Two"))
ROWS = [
    {"headline": name, "body": f"{name}.", "versioncreated": "2025-01-02", "type": "text"} for name in ("One", "Two")
]
HOLDING_TWO = {
    "a.rss": FEED,
    "a.xml": f"<newsMessage><itemSet>{ITEMS}</itemSet></newsMessage>".encode(),
    "rows.json": json.dumps(ROWS).encode(),
    "answer.json": json.dumps({"items": [row | {"body_text": row["body"]} for row in ROWS]}).encode(),
    "a.jsonl": b"\n".join(json.dumps(row).encode() for row in ROWS),
    "wire": b"\x01a\x02One =\nText one.\n\x03\x04\x01b\x02Two =\nText two.\n\x03\x04",
}


@pytest.mark.parametrize("name", HOLDING_TWO)
def test_one_member_is_given_alone(name: str) -> None:
    found = parse_document(document(name, only=1), HOLDING_TWO[name])
    assert [(item.member, item.headline) for item in found if isinstance(item, Article)] == [(1, "Two")]


@pytest.mark.parametrize("name", HOLDING_TWO)
def test_a_member_that_is_not_there_is_refused(name: str) -> None:
    (found,) = parse_document(document(name, only=7), HOLDING_TWO[name])
    assert isinstance(found, Refusal)
    assert (found.code, found.member) == ("no_article", 7)


def test_one_member_of_what_cannot_be_read_has_the_reason_of_the_whole() -> None:
    (found,) = parse_document(document("a.json", only=1), b'{"entries": [')
    assert isinstance(found, Refusal)
    assert (found.code, found.member) == ("malformed_json", 1)


def test_several_articles_in_a_line_are_members_of_that_line() -> None:
    content = b"\n".join([b'{"headline": "Zero", "body": "0."}', HOLDING_TWO["answer.json"]])
    found = [
        item.member
        for line in open_container(document("a.jsonl"), content) or ()
        for item in parse_document(line, line.content or b"")
    ]
    assert found == [0, "1/0", "1/1"]


def _raising(error: Exception) -> table.Parser:
    def parser(_content: bytes, _document: Document) -> list[Article | Refusal]:
        raise error

    return parser


def test_an_alarm_makes_a_dead_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.PARSERS, TEXT, _raising(Failed("parse_timeout")))
    (found,) = parse_document(document(), b"text")
    assert isinstance(found, Refusal)
    assert (found.verdict, found.code) == ("dead", "parse_timeout")


@pytest.mark.parametrize("error", [RecursionError("deep"), KeyError("x"), UnicodeError("u")])
def test_a_bug_makes_a_dead_refusal_with_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setitem(table.PARSERS, TEXT, _raising(error))
    (found,) = parse_document(document(), b"text")
    assert isinstance(found, Refusal)
    assert (found.verdict, found.code) == ("dead", "parse_error")
    assert "test_parse_document.py" in (found.traceback or "")


def test_memory_and_interrupts_go_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.PARSERS, TEXT, _raising(MemoryError()))
    with pytest.raises(MemoryError):
        parse_document(document(), b"text")


def test_dates_are_judged_by_the_time_of_receipt() -> None:
    late = (RECEIVED + timedelta(days=3)).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
    content = FEED.replace(b"<title>One</title>", b"<title>One</title><pubDate>" + late + b"</pubDate>")
    first = parse_document(document("a.rss"), content)[0]
    assert isinstance(first, Article)
    assert first.published_at is None
    assert "date_in_future" in first.warnings


def test_json_lines_open_into_a_document_for_each_line() -> None:
    content = b'\xef\xbb\xbf{"headline": "One", "body": "a"}\n\n{"headline": "Two", "body": "b"}\r\nnot json\n'
    members = list(open_container(document("a.jsonl"), content) or ())
    assert [member.member for member in members] == [0, 2, 3]
    found = [item for member in members for item in parse_document(member, member.content or b"")]
    assert [getattr(item, "headline", None) or getattr(item, "code", None) for item in found] == [
        "One",
        "Two",
        "malformed_json",
    ]
    assert [item.member for item in found] == [0, 2, 3]


def test_json_lines_are_recognised_without_a_name() -> None:
    assert detect_media_type(b'{"a": 1}\n{"a": 2}\n') == "application/x-ndjson"
    assert detect_media_type(b'{\n "a": 1,\n "b": {}\n}\n') == "application/json"


def test_what_is_no_container_opens_to_nothing() -> None:
    assert open_container(document("a.txt"), b"Just text.") is None


@pytest.mark.parametrize(
    ("content", "declared", "name", "expected"),
    [
        (b"plain words", None, None, "text/plain"),
        (b"plain words", "text/html; charset=utf-8", "a.txt", "text/html"),
        (b"plain words", None, "https://valley.example/a.html?x=1", "text/html"),
        (b"<p>words</p>", None, "a.txt", "text/html"),
        (b"<html><body/></html>", "application/rss+xml", "a.xml", "text/html"),
        (b"<?xml version='1.0'?><!-- a --><!DOCTYPE html><html/>", None, None, "text/html"),
        (b"\n\n<?xml version='1.0'?><rss/>", "text/html", "a.html", "application/feed+xml"),
        (b"<?xml version='1.0'?><a:feed xmlns:a='http://www.w3.org/2005/Atom'/>", None, None, "application/feed+xml"),
        ("<?xml version='1.0' encoding='utf-16'?><rss/>".encode("utf-16"), None, None, "application/feed+xml"),
        (b"<?xml version='1.0'?><urlset/>", None, None, "application/sitemap+xml"),
        (b"[link] to something", None, None, "text/plain"),
        (b"{not json", None, "a.txt", "text/plain"),
        (b"Subject: one header line only\n\nText", None, None, "text/plain"),
    ],
)
def test_bytes_speak_first_then_the_declaration_then_the_name(
    content: bytes, declared: str | None, name: str | None, expected: str
) -> None:
    assert detect_media_type(content, declared, name) == expected


def test_a_tag_with_too_many_attributes_is_refused_and_a_long_value_is_not() -> None:
    attributes = " ".join(f"a{number}='x'" for number in range(200_000))
    (refused,) = parse_document(document("a.html"), f"<html><body {attributes}><p>Text</p></body></html>".encode())
    assert isinstance(refused, Refusal)
    assert refused.code == "too_large"
    picture = f"<img src='data:image/png;base64,{'QUJD' * 50_000}'>"
    text = "The ferry stays in port until the storm has passed, the harbour office said. " * 8
    page = f"<html><head><title>Ferry stays in port</title></head><body>{picture}<p>{text}</p></body></html>"
    (article,) = parse_document(document("a.html"), page.encode())
    assert isinstance(article, Article)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"title": f"Kiln {n}", "body": "It burns."} for n in range(9)]),
        "<rss version='2.0'><channel><title>Valley</title>"
        + "".join(f"<item><title>Kiln {n}</title></item>" for n in range(9))
        + "</channel></rss>",
    ],
)
def test_of_too_many_articles_in_a_document_the_first_are_taken(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    for module in ("document", "feed", "json_article"):
        monkeypatch.setattr(f"worker.parse.{module}.MOST_PARTS", 3)
    *articles, last = parse_document(document(), content.encode())
    assert [item.headline for item in articles if isinstance(item, Article)] == ["Kiln 0", "Kiln 1", "Kiln 2"]
    assert isinstance(last, Refusal)
    assert (last.code, len(articles)) == ("too_many_members", 3)
