"""Fingerprints: what makes two texts the same, and what never does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.dedupe.fingerprint import Fingerprint, content_hash, count_words, fingerprint, normalise
from worker.model import Article

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LONG = " ".join(f"word{i}" for i in range(80))


def of(source_id: str = "a", **facts: Any) -> Fingerprint:
    return fingerprint(source_id, Article(**{"headline": "Bridge opens", "body_text": LONG, **facts}), NOW)


@given(st.text())
@example("\u0345\u0301 \u1fb3 ǆ \ufb03 \u1e9e İ ſt \u212b \u2126")
@example("कि का \u0915\u094d\u200d\u0937 مُحَمَّد ที่ \u0e33")
def test_normalising_twice_is_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_normalised_text_has_single_spaces_and_no_margins(text: str) -> None:
    assert " ".join(normalise(text).split()) == normalise(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('He said "no" - twice', "He said “no” — twice"),
        ("two  words\r\n\r\nhere", "two words here"),
        ("STRASSE", "straße"),
        ("ﬁne ①", "fine 1"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("cafe\u0301", "café"),
        ("a_b", "a b"),
    ],
)
def test_what_never_tells_two_texts_apart(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)
    assert of(body_text=f"{LONG} {one}").content == of(body_text=f"{LONG} {other}").content
    assert of(body_text=f"{LONG} {one}").copy == of(body_text=f"{LONG} {other}").copy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12 dead", "13 dead"),
        ("resume", "résumé"),
        ("лес", "лён"),
        ("लड़का", "लड़के"),
        ("ที่", "ที"),
        ("北京", "南京"),
        ("كتب", "كتاب"),
    ],
)
def test_what_does(one: str, other: str) -> None:
    assert of(body_text=f"{LONG} {one}").content != of(body_text=f"{LONG} {other}").content
    assert of(body_text=f"{LONG} {one}").copy != of(body_text=f"{LONG} {other}").copy
    assert content_hash(Article(headline=one)) != content_hash(Article(headline=other))


def test_headline_and_body_do_not_run_into_each_other() -> None:
    assert of(headline="a b", body_text="c").content != of(headline="a", body_text="b c").content


def test_identities_are_a_ladder_within_a_source() -> None:
    both = of(guid="g", canonical_url="https://a.example/1", url="https://a.example/1?x")
    assert both.identities == (of(guid="g").identities[0], of(url="https://a.example/1").identities[0])
    assert of(guid=" g ").identities == of(guid="g").identities
    assert of("b", guid="g").identities != of("a", guid="g").identities
    assert of(guid="https://a.example/1").identities != of(url="https://a.example/1").identities
    assert len({len(digest) for digest in (*both.identities, both.record_id, both.content, both.copy)}) == 1


def test_a_link_that_several_entries_share_identifies_none() -> None:
    shared = of(guid="g", identity_guid=False, url="https://a.example/", identity_url=False)
    assert shared.identities == of().identities, "its text does"
    assert of(body_text=LONG + " more").identities != of().identities


def test_the_id_follows_the_strongest_identity_and_not_the_text() -> None:
    assert of(guid="g").record_id == of(guid="g", body_text="other", url="https://a.example/9").record_id
    assert of(guid="g").record_id != of(guid="h").record_id


def test_a_long_copy_is_one_under_any_headline_a_short_one_is_not() -> None:
    assert of(headline="X").copy == of(headline="Y").copy
    brief = " ".join(LONG.split()[:20])
    assert of(headline="X", body_text=brief).copy != of(headline="Y", body_text=brief).copy
    assert of(body_text=brief).copy == of("b", body_text=brief).copy
    assert of(body_text="More soon.").copy == of(body_text="").copy == b""


def test_a_corrected_text_is_a_copy_of_corrected_ones_only() -> None:
    assert of(headline="CORRECTED - X").copy == of(headline="CORRECTED-Y").copy
    assert of(headline="CORRECTED - X").copy != of(headline="X").copy


def test_times_are_milliseconds_and_zero_where_unknown() -> None:
    assert of(updated_at=NOW).updated_milliseconds == of().received_milliseconds == int(NOW.timestamp() * 1000)
    assert of().updated_milliseconds == 0
    assert of(updated_at=datetime.min.replace(tzinfo=UTC)).updated_milliseconds < 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("two words", 2),
        ("one - two … three!", 3),
        ("don't 1,000", 2),
        ("北京时间", 2),
        ("東京タワー", 2),
        ("北京 2026 news", 3),
        ("서울특별시", 2),
        ("भारत की खबर", 3),
    ],
)
def test_words_are_counted_in_any_script(text: str, words: int) -> None:
    assert count_words(text) == words


def test_a_long_chinese_text_is_long() -> None:
    text = "新华社北京电记者昨日获悉" * 10
    assert of(headline="甲", body_text=text).copy == of(headline="乙", body_text=text).copy != b""


@given(st.text(), st.text())
def test_words_of_two_texts_add_up(one: str, other: str) -> None:
    together = count_words(f"{one} {other}")
    assert count_words(one) + count_words(other) <= together <= count_words(one) + count_words(other) + 1
