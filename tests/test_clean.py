"""The cleaning functions, each rule with its smallest case."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clean.dates import parse_date
from worker.clean.encoding import decode
from worker.clean.html import html_to_text, sanitize
from worker.clean.language import choose_language, normalize_tag
from worker.clean.people import parse_byline
from worker.clean.text import clean_line, clean_text
from worker.clean.urls import absolute_url, canonical_url, is_site_root
from worker.errors import Rejected

RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)


@given(st.text())
def test_clean_text_is_idempotent(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once


@given(st.text())
def test_clean_line_is_idempotent_and_one_line(text: str) -> None:
    once = clean_line(text)
    assert clean_line(once) == once
    assert "\n" not in once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\n \n\n\nb", "a\n\nb"),
        ("a\u2029b\u2028c", "a\n\nb\nc"),
        ("a\u00a0\u2003 b\t", "a b"),
        ("\ufeffa\u200b\u00ad\x00\x1bb", "ab"),
        ("e\u0301", "é"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_clean_text(text: str, expected: str) -> None:
    assert clean_text(text) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Valley.Example:80", "http://valley.example/"),
        ("https://valley.example:443/a/../b#top", "https://valley.example/b"),
        ("https://valley.example/a?b=2&utm_source=x&a=1&fbclid=y", "https://valley.example/a?a=1&b=2"),
        ("https://valley.example/a?UTM_Medium=x", "https://valley.example/a"),
        ("https://user:secret@valley.example/a", "https://valley.example/a"),
        ("https://valley.example/käse", "https://valley.example/k%C3%A4se"),
        ("https://münchen.example/a", "https://xn--mnchen-3ya.example/a"),
        ("https://valley.example:8443/a", "https://valley.example:8443/a"),
        ("https://www.google.com/amp/s/valley.example/bridge.html", "https://valley.example/bridge.html"),
        ("https://valley-example.cdn.ampproject.org/c/s/valley.example/a-1/amp/", "https://valley.example/a-1"),
        ("https://valley.example/a-1/%61mp", "https://valley.example/a-1"),
        (
            "https://web.archive.org/web/20220721144440/https://valley.example/a?b=1&utm_source=x",
            "https://valley.example/a?b=1",
        ),
        ("http://web.archive.org/web/2022id_/valley.example/bridge.html", "http://valley.example/bridge.html"),
        ("https://web.archive.org/web/about.html", "https://web.archive.org/web/about.html"),
        ("https://valley.example/news/1.amp", "https://valley.example/news/1"),
        ("https://valley.example/bridge.amp.html", "https://valley.example/bridge.html"),
        ("https://fa\u00df.example/a?ocid=x&CMP=y", "https://xn--fa-hia.example/a"),
        ("https://valley.example/guitars/amp/", "https://valley.example/guitars/amp/"),
        ("https://valley.example/a?outputType=amp&b=1", "https://valley.example/a?b=1"),
        ("https://valley.example/a;jsessionid=F00?b=1", "https://valley.example/a?b=1"),
        ("https://valley.example/a?y=1&amp;x=2&#038;amp;z=3", "https://valley.example/a?x=2&y=1&z=3"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("ftp://valley.example/a", None),
        ("/only/a/path", None),
        ("https://", None),
        ("http://[::1", None),
        ("", None),
    ],
)
def test_canonical_url(url: str, expected: str | None) -> None:
    assert canonical_url(url) == expected


URLS = st.builds(
    "{}://{}{}/{}?{}#{}".format,
    st.sampled_from(("http", "HTTPS")),
    st.sampled_from(("valley.example", "VALLEY.example.", "münchen.example", "[::1]", "a@b.example")),
    st.sampled_from(("", ":80", ":443", ":81")),
    st.one_of(
        st.text(max_size=20), st.from_regex(r"[a-c1%-]{1,3}(/amp|;jsessionid=1|/%61mp|\.amp){0,3}/?", fullmatch=True)
    ),
    st.one_of(st.text(max_size=20), st.sampled_from(("amp", "amp=1&amp", "outputType=amp&b"))),
    st.text(max_size=5),
)


@given(st.one_of(URLS, st.text()))
def test_canonical_url_is_idempotent(url: str) -> None:
    once = canonical_url(url)
    if once is not None:
        assert canonical_url(once) == once
        assert once.startswith(("http://", "https://"))


def test_absolute_url_resolves_against_its_page() -> None:
    assert absolute_url("../b?x=1#c", "https://valley.example/a/d") == "https://valley.example/b?x=1#c"


def test_a_site_root_names_no_article() -> None:
    assert is_site_root("https://valley.example/")
    assert not is_site_root("https://valley.example/?p=7")


@pytest.mark.parametrize(
    ("value", "at", "precision"),
    [
        ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00", "second"),
        ("2026-01-05T10:00:00.123+0530", "2026-01-05T04:30:00", "second"),
        ("20260105T100000Z", "2026-01-05T10:00:00", "second"),
        ("2026-01-05T24:00Z", "2026-01-06T00:00:00", "minute"),
        ("2026-01-05 10:00 +01", "2026-01-05T09:00:00", "minute"),
        ("2026-01-05", "2026-01-05T00:00:00", "day"),
        ("Mon, 05 Jan 2026 10:00:00 +0100", "2026-01-05T09:00:00", "second"),
        ("Mon, 05 Jan 2026 10:00:00 CEST", "2026-01-05T08:00:00", "second"),
        ("Monday, January 5, 2026 10:00 AM EST", "2026-01-05T15:00:00", "minute"),
        ("January 5, 2026", "2026-01-05T00:00:00", "day"),
        ("05.01.2026", "2026-01-05T00:00:00", "day"),
        ("Lun, 05 janv. 2026 10:00:00 +0100", "2026-01-05T09:00:00", "second"),
        ("5 de mayo de 2025", "2025-05-05T00:00:00", "day"),
        ("5. März 2026", "2026-03-05T00:00:00", "day"),
        ("월, 05 1월 2026 10:00:00 +0900", "2026-01-05T01:00:00", "second"),
        ("2026年1月5日", "2026-01-05T00:00:00", "day"),
        ("1767607200", "2026-01-05T10:00:00", "second"),
        (1767607200000, "2026-01-05T10:00:00", "second"),
        (datetime(2026, 1, 5, 10, tzinfo=UTC), "2026-01-05T10:00:00", "second"),
    ],
)
def test_dates_that_are_read(value: object, at: str, precision: str) -> None:
    found = parse_date(value, RECEIVED)
    assert (found.at, found.precision, found.warnings) == (datetime.fromisoformat(at + "+00:00"), precision, ())


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ("0000-00-00 00:00:00", "date_unreadable"),
        ("Mon, 32 Jan 2026 10:00:00 GMT", "date_unreadable"),
        ("soon", "date_unreadable"),
        ("x" * 500, "date_unreadable"),
        ("05/01/2026 10:00", "date_ambiguous"),
        ("10:00", "date_incomplete"),
        ("January 2026", "date_incomplete"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", "date_implausible"),
        ("2026-06-02T00:00:01Z", "date_in_future"),
    ],
)
def test_dates_that_are_no_dates(value: str, warning: str) -> None:
    found = parse_date(value, RECEIVED)
    assert (found.at, found.warnings) == (None, (warning,))


def test_a_time_without_zone_is_utc_and_doubted() -> None:
    found = parse_date("2026-01-05T10:00:00", RECEIVED)
    assert (found.at, found.warnings) == (datetime(2026, 1, 5, 10, tzinfo=UTC), ("date_without_zone",))


@given(st.text(max_size=60))
def test_no_text_makes_a_date_raise(text: str) -> None:
    found = parse_date(text, RECEIVED)
    assert found.at is None or found.at.utcoffset() is not None


@pytest.mark.parametrize(
    ("byline", "names", "provider"),
    [
        ("By Jane Doe", ["Jane Doe"], None),
        ("Von Eva Lenz und Jürgen Groß", ["Eva Lenz", "Jürgen Groß"], None),
        ("Par Zoé Ångström, Lille", ["Zoé Ångström"], None),
        ("Ann, Tom and Eva", ["Ann", "Tom", "Eva"], None),
        ("Jane Doe, Head of Marketing", ["Jane Doe"], None),
        ("Jane Doe, CFP®", ["Jane Doe"], None),
        ("October", [], None),
        ("valley.example, Frankfurt, Germany", [], None),
        ("Jane Doe, Staff Writer", ["Jane Doe"], None),
        ("JANE DOE and TOM LEE (Reuters)", ["Jane Doe", "Tom Lee"], "Reuters"),
        ("dpa", [], "dpa"),
        ("jane@valley.example (Jane Doe)", ["Jane Doe"], None),
        ("Jane Doe; jane doe", ["Jane Doe"], None),
        ("https://valley.example/jane", [], None),
        ("Editorial Board", [], None),
        ("Jane Doe, The Valley Times", ["Jane Doe"], None),
        ("Valley Times November", [], None),
        ("Privacy Policy", [], None),
        ("Jane Doe Jane Doe", ["Jane Doe"], None),
        ("Jane Doe, Head of News and Weather", ["Jane Doe"], None),
        ("Jane Doe, Head of News; Tom Lee", ["Jane Doe", "Tom Lee"], None),
        ("JANE DOE The Associated Press", ["Jane Doe"], "The Associated Press"),
        ("Thomson Reuters", [], "Thomson Reuters"),
        ("Landesjagdverband", [], None),
        ("Super User", [], None),
        ("name, email@valley.example", [], None),
        ("Anonymous", ["Anonymous"], None),
        ("新华社记者 李明 王芳", ["李明", "王芳"], "新华社"),
        ("河谷日报实习记者：李明、王小芳", ["李明", "王小芳"], None),
        ("发布于", [], None),
        ("Valley Bird Society", [], None),
    ],
)
def test_bylines(byline: str, names: list[str], provider: str | None) -> None:
    found = parse_byline(byline)
    assert ([person.name for person in found.people], found.provider) == (names, provider)


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("EN_us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("de", "de"),
        ("und", None),
        ("english", None),
        ("jp", "ja"),
        ("iw-IL", "he-IL"),
        ("en_GB.UTF-8", "en-GB"),
        ("", None),
        (None, None),
    ],
)
def test_language_tags(tag: str | None, expected: str | None) -> None:
    assert normalize_tag(tag) == expected


def test_a_declaration_stands_where_detectors_confuse_languages() -> None:
    norwegian = (
        "Kommunen åpner broen over elva på mandag etter tre års arbeid, sier ordføreren. Togene følger til høsten."
    )
    assert [choose_language(tag, norwegian).tag for tag in ("nb", "no", "nn-NO")] == ["nb", "no", "nn-NO"]
    assert choose_language("sv", norwegian).tag in ("nb", "no", "sv")


def test_a_clear_text_overrules_its_declaration() -> None:
    german = "Der Ofen des oberen Dorfes brennt seit Samstag wieder, nachdem er dreißig Jahre lang kalt geblieben war."
    assert choose_language("en-GB", german).tag == "de"
    assert choose_language("de-AT", german).tag == "de-AT"
    assert choose_language(None, german).tag == "de"
    assert choose_language("fr", "OK").tag == "fr"
    quoted = "The minister said: we shall see what the coming days will bring. " * 6 + german * 6
    assert choose_language("de", quoted).tag == "de"
    assert choose_language(None, "123").tag is None


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>a</p><p>b<br>c</p>", "a\n\nb\nc"),
        ("<p>a\n b</p>", "a b"),
        ("a &amp; b", "a & b"),
        ("<div>a<script>x</script><style>y</style>b</div>", "ab"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("<pre>a\n  b</pre>", "a\nb"),
        ("a <!-- c --> b", "a b"),
        ("x<math><mi>a</mi><mo>+</mo><mi>b</mi><annotation>a+b</annotation></math>", "xa+b"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    ],
)
def test_markup_to_text(markup: str, expected: str) -> None:
    assert html_to_text(markup) == expected


def test_sanitized_markup_keeps_only_safe_absolute_links() -> None:
    markup = (
        '<a href="/a">a</a><a href="javascript:x()">b</a><a href="mailto:a@b.example">c</a>'
        '<img src="//c.example/i.png" onerror=x>'
    )
    safe = sanitize(markup, "https://valley.example/d/e")
    assert 'href="https://valley.example/a"' in safe
    assert 'href="mailto:a@b.example"' in safe
    assert 'src="https://c.example/i.png"' in safe
    assert "javascript" not in safe
    assert "onerror" not in safe


def test_deep_markup_is_refused_before_it_costs_anything() -> None:
    with pytest.raises(Rejected) as caught:
        sanitize("<b>" * 100_000)
    assert caught.value.code == "too_large"


@given(st.binary(max_size=200), st.sampled_from((None, "utf-8", "shift_jis", "utf-7", "no-such")))
def test_bytes_are_decoded_or_refused(content: bytes, declared: str | None) -> None:
    with contextlib.suppress(Rejected):
        decoded = decode(content, declared)
        assert decoded.encoding.used
        assert "\x00" not in decoded.text


def test_declared_encodings_are_read_as_browsers_do() -> None:
    decoded = decode("Straße – „Zitat“ über alles".encode("cp1252"), "iso-8859-1")
    assert decoded.text == "Straße – „Zitat“ über alles"
    assert (decoded.encoding.declared, decoded.encoding.used) == ("iso-8859-1", "cp1252")
