"""Damaged documents of every kind: whatever arrives, parsing answers, and never with a parser's own error.

`COPYDESK_FUZZ_EXAMPLES=5000 pytest tests/test_parse_fuzz.py` looks longer, at other documents each time.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.model import Article, Document, Refusal
from worker.parse.document import parse_document

DATA = Path(__file__).parent / "data" / "parse"
KINDS = sorted(path.name for path in DATA.iterdir() if path.is_dir())
LONG = "COPYDESK_FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("COPYDESK_FUZZ_EXAMPLES", "25"))
LIMITS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)

# Pieces that stand at turns of the parsers: markup, JSON, mail headers, encodings, dates, numbers.
TOKENS = [
    *(b"<", b">", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?xml version='1.0' encoding='utf-16'?>"),
    *(b"<item>", b"</item>", b"<entry>", b"<title>", b"<link/>", b"<p>", b"<br>", b"<script>", b"<html>"),
    *(b"<!DOCTYPE a>", b"&amp;", b"&#0;", b"&#x110000;", b"&nope;", b"&", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"),
    *(b"\x1b$B", b"\x80\x81", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"1e999", b"-0", b'"@type":"NewsArticle"'),
    *(b'"@id":"#a"', b"\n\n", b"\r\n", b"\t", b" ", b"From a\n", b"Content-Type: text/html; charset=nope\n\n"),
    *(b"=?utf-8?q?=ff?=", b"--b\n", b"0000-00-00", b"2025-02-30T25:61:61Z", b"99999999999999999999", b"-1"),
    *(b"javascript:a", b"http://[", b"http://a/%", b"//", b"---\n", b"ZCZC", b"\x01", b"\x02", b"\x03"),
    *("été".encode("cp1252"), "新聞".encode("gb18030"), "新聞".encode("shift_jis")),
]
NAMES = ["a", "a.txt", "a.html", "a.json", "a.xml", "a.eml", "a.csv", "a.jsonl", "a.md", "a.mhtml"]
TYPES = [None, "text/html", "application/json", "application/xml", "text/plain", "message/rfc822", "nonsense"]

# (offset, length) in thousandths of the document, what is done there, and with what.
Edit = tuple[int, int, str, bytes]
edits = st.lists(
    st.tuples(
        st.integers(0, 1000),
        st.integers(0, 80),
        st.sampled_from(["insert", "replace", "cut", "repeat", "end"]),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)),
    ),
    min_size=1,
    max_size=8,
)


def edited(content: bytes, changes: list[Edit]) -> bytes:
    for offset, length, action, piece in changes:
        start = len(content) * offset // 1000
        stop = start + len(content) * length // 1000 + 1
        middle = {
            "insert": piece + content[start:stop],
            "replace": piece,
            "cut": b"",
            "repeat": content[start:stop] * 5,
            "end": piece,
        }[action]
        content = content[:start] + middle + (b"" if action == "end" else content[stop:])
    return content


def seeds(kind: str) -> list[bytes]:
    files = (path for path in (DATA / kind).iterdir() if path.is_file() and not path.name.endswith(".expect.json"))
    return [path.read_bytes() for path in sorted(files)]


def check(content: bytes, name: str = "a", media_type: str | None = None) -> None:
    document = Document(source_id="f", origin=name, received_at=datetime(2025, 6, 1, tzinfo=UTC), media_type=media_type)
    found = parse_document(document, content)
    assert found
    assert [item.traceback for item in found if isinstance(item, Refusal) and item.traceback] == []
    msgspec.json.decode(msgspec.json.encode(found))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_documents_are_answered(kind: str) -> None:
    documents = seeds(kind)
    if not documents:
        pytest.skip("no examples of this kind")

    @LIMITS
    @given(st.sampled_from(documents), edits, st.sampled_from(NAMES), st.sampled_from(TYPES))
    def run(content: bytes, changes: list[Edit], name: str, media_type: str | None) -> None:
        check(edited(content, changes), name, media_type)

    run()


@LIMITS
@given(st.binary(max_size=300), st.sampled_from(NAMES), st.sampled_from(TYPES))
def test_random_bytes_are_answered(content: bytes, name: str, media_type: str | None) -> None:
    check(content, name, media_type)


def test_table_with_a_damaged_escape_sequence_is_read() -> None:
    rows = "headline,body\n橋が開通,新しい橋が金曜日に開通した。\n".encode("iso2022_jp")
    document = Document(source_id="f", origin="a.csv", received_at=datetime(2025, 6, 1, tzinfo=UTC))
    found = parse_document(document, rows + b"B,text \x1b$</item>")
    assert [item.headline for item in found if isinstance(item, Article)] == ["橋が開通", "B"]
