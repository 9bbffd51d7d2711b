"""Containers: what is in them, what they lose, and where they are stopped."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime

import brotli
import pytest
import zstandard

from worker.model import Article, Document, Refusal
from worker.parse.containers import ContainerLimits, open_container
from worker.parse.document import parse_document

PAGE = (
    b"<html><head><title>Bridge closed</title></head><body><article><h1>Bridge closed</h1>"
    b"<p>The bridge over the river was closed on Monday after heavy rain had washed out a pillar.</p>"
    b"<p><a href='/more'>Repairs</a> will take a week, the council of the town said in the evening.</p>"
    b"</article></body></html>"
)
LINES = b'{"headline": "One", "body": "First."}\n{"headline": "Two", "body": "Second."}\n'
TEXT = b"Ferry late\n\nThe ferry was late.\n"
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


def document(name: str) -> Document:
    return Document(source_id="test", origin=name, received_at=datetime(2025, 6, 1, tzinfo=UTC))


def members(name: str, content: bytes, **limits: float) -> list[Document]:
    found = open_container(document(name), content, ContainerLimits(**limits))  # type: ignore[arg-type]
    assert found is not None
    return list(found)


def names(name: str, content: bytes, **limits: float) -> list[tuple[int | str | None, str | None]]:
    return [
        (member.member, member.refused.code if member.refused else None) for member in members(name, content, **limits)
    ]


def parsed(name: str, content: bytes) -> list[Article | Refusal]:
    return [item for member in members(name, content) for item in parse_document(member, member.content or b"")]


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(files: dict[str, bytes], *links: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type = tarfile.SYMTYPE
            info.linkname = "/etc/passwd"
            archive.addfile(info)
    return target.getvalue()


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_compressed_page_looks_like_the_page(suffix: str) -> None:
    (article,) = parsed(f"page.html.{suffix}", COMPRESSIONS[suffix](PAGE))
    assert isinstance(article, Article)
    assert (article.headline, article.member, article.media_type) == ("Bridge closed", None, "text/html")


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_compressed_lines_go_on_over_frames(suffix: str) -> None:
    compress = COMPRESSIONS[suffix]
    content = compress(LINES) + compress(b"") + compress(LINES)
    assert [member.member for member in members(f"a.jsonl.{suffix}", content)] == [0, 1, 2, 3]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_zeros_and_line_ends_behind_a_stream_are_no_damage(suffix: str) -> None:
    assert names(f"a.txt.{suffix}", COMPRESSIONS[suffix](TEXT) + b"\x00\x00\r\n") == [(None, None)]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_what_could_be_read_of_a_cut_file_is_kept(suffix: str) -> None:
    lines = b"".join(b'{"headline": "%d", "body": "%s"}\n' % (n, str(n**99).encode()) for n in range(4_000))
    content = COMPRESSIONS[suffix](lines)
    found = names(f"a.jsonl.{suffix}", content[: len(content) * 2 // 3])
    assert found[-1] == (None, "truncated_container")
    assert found[0] == (0, None)


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_bomb_is_stopped_long_before_its_end(suffix: str) -> None:
    bomb = COMPRESSIONS[suffix](bytes(8_000_000)) * 1000
    assert names(f"a.txt.{suffix}", bomb) == [(None, "expansion_limit")]


def test_what_was_unpacked_of_a_bomb_is_let_go() -> None:
    bombs = zipped({f"{number}.txt": bytes(12_000_000) for number in range(4)})
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        assert {code for _, code in names("a.zip", bombs)} == {"expansion_limit"}
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held < 5_000_000


def test_a_member_above_its_limit_costs_only_itself() -> None:
    content = zipped({"large.txt": TEXT * 1000, "small.txt": TEXT})
    assert names("a.zip", content, member_bytes=1000) == [("large.txt", "too_large"), ("small.txt", None)]


def test_the_whole_may_not_grow_beyond_its_limit() -> None:
    content = zipped({f"{n}.txt": TEXT for n in range(10)})
    found = names("a.zip", content, total_bytes=len(TEXT) * 3)
    assert found == [("0.txt", None), ("1.txt", None), ("2.txt", None), ("3.txt", "expansion_limit")]


def test_members_are_counted() -> None:
    found = names("a.jsonl", LINES * 5, members=3)
    assert found == [(0, None), (1, None), (2, None), (None, "too_many_members")]


def test_nesting_ends_at_its_limit() -> None:
    inner = zipped({"page.html.gz": gzip.compress(PAGE)})
    assert names("a.zip", zipped({"b.zip": inner}), depth=3) == [("b.zip/page.html", None)]
    assert names("a.zip", zipped({"b.zip": inner}), depth=2) == [("b.zip/page.html.gz", "nested_too_deep")]


def test_members_keep_their_paths_and_system_files_are_passed_over() -> None:
    files = {"news/one.txt": TEXT, "__MACOSX/._one.txt": b"x", "news/.DS_Store": b"x", "news/Thumbs.db": b"x"}
    assert names("a.zip", zipped(files)) == [("news/one.txt", None)]
    assert names("a.tar", tarred(files)) == [("news/one.txt", None)]
    assert names("a.tgz", gzip.compress(tarred(files))) == [("news/one.txt", None)]


def test_names_cannot_point_outside() -> None:
    files = {"../../tmp/a.txt": TEXT, "/etc/b.txt": TEXT, "C:\\c.txt": TEXT, "x\u202etxt.exe": TEXT}
    assert [name for name, _ in names("a.zip", zipped(files))] == ["tmp/a.txt", "etc/b.txt", "c.txt", "x_txt.exe"]


def test_links_are_skipped_with_a_reason() -> None:
    assert names("a.tar", tarred({"a.txt": TEXT}, "b.txt")) == [("a.txt", None), ("b.txt", "skipped_member")]


def test_encrypted_members_are_skipped_with_a_reason() -> None:
    content = bytearray(zipped({"a.txt": TEXT, "b.txt": TEXT}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert names("a.zip", bytes(content)) == [("a.txt", "encrypted_member"), ("b.txt", None)]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_that_lost_its_directory_is_read_from_its_beginning(method: int) -> None:
    content = zipped({"a.txt": TEXT, "b.txt": TEXT, "c.txt": TEXT * 9}, method)
    found = names("a.zip", content[: content.rindex(b"PK\x03\x04") + 50])
    assert [name for name, _ in found[:2]] == ["a.txt", "b.txt"]
    assert found[-1] == (None, "truncated_container")


def test_a_zip_member_with_a_wrong_checksum_is_reported() -> None:
    content = bytearray(zipped({"a.txt": TEXT, "b.txt": TEXT}, zipfile.ZIP_STORED))
    content[content.index(b"ferry")] ^= 1
    assert ("a.txt", "truncated_container") in names("a.zip", bytes(content))
    assert ("b.txt", None) in names("a.zip", bytes(content))


def test_a_cut_tar_gives_what_came_before() -> None:
    content = tarred({"a.txt": TEXT, "b.txt": TEXT * 100})
    assert names("a.tar", content[:2000])[0] == ("a.txt", None)
    assert ("b.txt", "truncated_container") in names("a.tar", content[:2000])


def test_a_feed_in_an_archive_names_its_entries() -> None:
    feed = b"<rss><channel><title>T</title><item><title>A</title></item><item><title>B</title></item></channel></rss>"
    assert [item.member for item in parsed("a.zip", zipped({"feed.xml": feed}))] == ["feed.xml/0", "feed.xml/1"]


def test_an_archive_that_nobody_opened_is_opened_by_the_parser() -> None:
    found = parse_document(document("a.zip"), zipped({"a.txt": TEXT, "b.html": PAGE}))
    assert [(item.member, getattr(item, "headline", None)) for item in found] == [
        ("a.txt", "Ferry late"),
        ("b.html", "Bridge closed"),
    ]
    (empty,) = parse_document(document("a.zip"), zipped({}))
    assert isinstance(empty, Refusal)
    assert empty.code == "empty_container"


def record(kind: str, url: str, content: bytes) -> bytes:
    return b"WARC/1.0\r\nWARC-Type: %s\r\nWARC-Target-URI: %s\r\nContent-Length: %d\r\n\r\n%s\r\n\r\n" % (
        kind.encode(),
        url.encode(),
        len(content),
        content,
    )


def archive(*answers: tuple[str, str, list[tuple[str, str]], bytes], pack: Callable[[bytes], bytes] = bytes) -> bytes:
    """(URL, status line, HTTP headers, body) of each answer -> a WARC; `pack` is applied to each record."""
    records = []
    for url, status, headers, body in answers:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        records.append(record("request", url, b"GET / HTTP/1.1\r\n\r\n"))
        records.append(record("response", url, f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body))
    return b"".join(map(pack, records))


HTML = [("Content-Type", "text/html; charset=ISO-8859-1")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_web_archive_gives_its_pages(pack: Callable[[bytes], bytes]) -> None:
    content = archive(
        ("https://example.com/news/1", "200 OK", HTML, PAGE),
        ("https://example.com/robots.txt", "200 OK", [("Content-Type", "text/plain")], b"User-agent: *"),
        ("https://example.com/gone", "404 Not Found", HTML, PAGE),
        ("https://example.com/news/2", "200 OK", HTML, PAGE),
        pack=pack,
    )
    found = members("a.warc", content)
    assert [member.member for member in found] == ["https://example.com/news/1", "https://example.com/news/2"]
    assert (found[0].media_type, found[0].encoding_declared) == ("text/html", "iso-8859-1")
    article = parse_document(found[0], found[0].content or b"")[0]
    assert isinstance(article, Article)
    assert article.url == "https://example.com/news/1"


def test_texts_and_data_of_a_web_archive_are_documents() -> None:
    text, data = [("Content-Type", "text/plain")], [("Content-Type", "application/json")]
    one, two = LINES.splitlines()
    answers = [
        ("https://example.com/ferry.txt", "200 OK", text, TEXT),
        ("https://example.com/api/1", "200 OK", data, one),
        ("https://example.com/api/2", "200 OK", [("Content-Type", "application/vnd.news+json")], two),
        ("https://example.com/day.jsonl", "200 OK", [("Content-Type", "application/x-ndjson")], LINES),
        ("https://example.com/ads.txt", "200 OK", text, b"ads.example, 1, DIRECT"),
        ("https://example.com/.well-known/security.txt", "200 OK", text, b"Contact: a@example.com"),
        ("https://example.com/app.js", "200 OK", [("Content-Type", "text/javascript")], b"let a = 1"),
    ]
    articles = parsed("a.warc", archive(*answers))
    assert getattr(articles[0], "url", None) == "https://example.com/ferry.txt"
    assert [(item.member, getattr(item, "headline", None)) for item in articles] == [
        ("https://example.com/ferry.txt", "Ferry late"),
        ("https://example.com/api/1", "One"),
        ("https://example.com/api/2", "Two"),
        ("https://example.com/day.jsonl/0", "One"),
        ("https://example.com/day.jsonl/1", "Two"),
    ]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("br", brotli.compress(PAGE)),
        ("zstd", zstandard.ZstdCompressor().compress(PAGE)),
        ("gzip", PAGE),
        ("identity", PAGE),
    ],
)
def test_content_codings_are_undone(coding: str, body: bytes) -> None:
    (page,) = members(
        "a.warc", archive(("https://example.com/1", "200 OK", [*HTML, ("Content-Encoding", coding)], body))
    )
    assert page.content == PAGE


def test_chunks_are_joined() -> None:
    body = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (20, PAGE[:20], len(PAGE) - 20, PAGE[20:])
    headers = [*HTML, ("Transfer-Encoding", "chunked")]
    (page,) = members("a.warc", archive(("https://example.com/1", "200 OK", headers, body)))
    assert page.content == PAGE


def test_a_cut_web_archive_gives_what_came_before() -> None:
    content = archive(
        ("https://example.com/1", "200 OK", HTML, PAGE),
        ("https://example.com/2", "200 OK", HTML, PAGE),
    )
    found = names("a.warc", content[: content.rindex(b"Repairs")])
    assert found == [
        ("https://example.com/1", None),
        ("https://example.com/2", None),
        ("https://example.com/2", "truncated_container"),
    ]


def test_arc_records_are_pages_too() -> None:
    http = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
    version = b"1 0 test\nURL IP-address Archive-date Content-type Archive-length\n"
    content = b"filedesc://a.arc 0.0.0.0 20250101000000 text/plain %d\n%s\n" % (len(version), version)
    content += b"http://example.com/1 192.0.2.1 20250101000000 text/html %d\n%s\n" % (len(http), http)
    (page,) = members("a.arc", content)
    assert (page.member, page.content) == ("http://example.com/1", PAGE)


@pytest.mark.parametrize("signature", [b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00"])
def test_a_signature_alone_is_a_damaged_container(signature: bytes) -> None:
    found = parse_document(document("a"), signature + b"nothing of the kind" * 9)
    assert [getattr(item, "code", None) for item in found] == ["truncated_container"]
