"""Dates in other languages, odd zones and bare numbers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clean.dates import EARLIEST, MOST_AHEAD, count_back, parse_date, read_date
from worker.clean.dates_words import in_english

RECEIVED = datetime(2026, 6, 1, tzinfo=UTC)
MORNING = datetime(2025, 5, 5, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "lundi 5 mai 2025 à 10h30",
        "5. Mai 2025, 10:30 Uhr",
        "Montag, 05.05.2025 | 10:30 Uhr",
        "5 maggio 2025 ore 10:30",
        "5 de mayo de 2025 a las 10:30",
        "5 de maio de 2025 às 10h30",
        "5 мая 2025 г. 10:30",
        "5 травня 2025, 10:30",
        "5 maja 2025 10:30",
        "5. května 2025 10:30",
        "2025. május 5. 10:30",
        "5 Mayıs 2025 10:30",
        "5 toukokuuta 2025 klo 10:30",
        "2025 m. gegužės 5 d. 10:30",
        "5 Μαΐου 2025 10:30",
        "٥ مايو ٢٠٢٥ ١٠:٣٠",
        "5 พฤษภาคม 2568 10:30",
        "5 tháng 5, 2025 10:30",
        "2025年5月5日 10:30",
        "2025년 5월 5일 오전 10:30",
        "202505051030",
    ],
)
def test_months_are_read_in_many_languages(text: str) -> None:
    dated = parse_date(text, RECEIVED)
    assert (dated.at, dated.precision) == (MORNING, "minute")
    assert dated.warnings == ("date_without_zone",)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("Mon, 05 May 2025 10:30:00 GMT+2", 8),
        ("Mon, 05 May 2025 10:30:00 UTC+02:00", 8),
        ("Mon May 05 2025 10:30:00 GMT+0200 (Central European Summer Time)", 8),
        ("2025-05-05T10:30:00+02:00[Europe/Berlin]", 8),
        ("mån, 05 maj 2025 10:30:00 +0200", 8),
        ("Mar, 05 Mai 2025 10:30:00 CEST", 8),
        ("월, 05 5월 2025 10:30:00 +0900", 1),
        ("May 5, 2025 10:30 AM ET", 14),
        ("May 5, 2025 10:30 AM PT", 17),
        ("Mon, 05 May 2025 10:30:00 EST", 15),
        ("Mon, 05 May 2025 10:30:00 +0530", 5),
    ],
)
def test_zones_are_read_as_they_are_meant(text: str, hour: int) -> None:
    dated = parse_date(text, RECEIVED)
    assert dated.at is not None
    assert (dated.at.day, dated.at.hour) == (5, hour)
    assert dated.warnings == ()


@pytest.mark.parametrize(
    ("day", "hour"), [("Mar 8, 2025", 15), ("Mar 9, 2025", 14), ("Nov 1, 2025", 14), ("Nov 2, 2025", 15)]
)
def test_american_zones_follow_the_season(day: str, hour: int) -> None:
    dated = parse_date(f"{day} 10:00 AM ET", RECEIVED)
    assert dated.at is not None
    assert dated.at.hour == hour


@pytest.mark.parametrize("number", ["1746441000", "1746441000000", "1746441000000000", "1746441000.25"])
def test_numbers_count_from_1970_in_any_unit(number: str) -> None:
    dated = parse_date(number, RECEIVED)
    assert dated.at is not None
    assert dated.at.replace(microsecond=0) == MORNING


@pytest.mark.parametrize(
    "text",
    [
        "5 listopada 2025",
        "0000-00-00",
        "0000-00-00T00:00:00Z",
        "vor 2 Stunden",
        "2 hours ago",
        "hier",
        "Mai 2025",
        "5 mai",
        "5 foo 2025",
        "99 mai 2025",
        "5 mai 2025 - 7 juin 2025",
        "Fri 05/06/2025",
    ],
)
def test_what_is_not_sure_is_no_date(text: str) -> None:
    assert parse_date(text, RECEIVED).at is None


@given(st.one_of(st.text(max_size=90), st.from_regex(r"\w{0,9} ?\d{1,2}[. ]\w{3,9}[. ]\d{4}.{0,12}", fullmatch=True)))
def test_any_text_gives_a_plausible_date_or_none(text: str) -> None:
    dated = parse_date(text, RECEIVED)
    assert dated.at is None or EARLIEST <= dated.at <= RECEIVED + MOST_AHEAD


@given(st.text(max_size=90))
def test_any_text_goes_through_the_dictionary(text: str) -> None:
    assert isinstance(in_english(text), str)


@pytest.mark.parametrize(
    ("text", "at", "precision"),
    [
        ("5 min ago", "2025-06-01T11:55:00+00:00", "minute"),
        ("vor 20 Minuten", "2025-06-01T11:40:00+00:00", "minute"),
        ("15 hours ago", "2025-05-31T00:00:00+00:00", "day"),
        ("il y a une heure", "2025-06-01T00:00:00+00:00", "day"),
        ("hace 2 d\u00edas", "2025-05-30T00:00:00+00:00", "day"),
        ("3\u6642\u9593\u524d", "2025-06-01T00:00:00+00:00", "day"),
        ("gestern", "2025-05-31T00:00:00+00:00", "day"),
        ("Yesterday, 14:30", "2025-05-31T12:30:00+00:00", "minute"),
        ("today at 1pm", "2025-06-01T11:00:00+00:00", "minute"),
        ("heute, 10:30 Uhr", "2025-06-01T08:30:00+00:00", "minute"),
    ],
)
def test_dates_that_count_from_now_need_the_moment_they_were_read(text: str, at: str, precision: str) -> None:
    read = read_date(text)
    assert (read.at, read.warnings) == (None, ("date_relative",))
    counted = count_back(read, datetime(2025, 6, 1, 12, 0, 30, tzinfo=UTC), "Europe/Berlin")
    assert (counted.at, counted.precision, counted.warnings) == (datetime.fromisoformat(at), precision, ())


@pytest.mark.parametrize(
    "text", ["tomorrow", "in 2 hours", "3 months ago", "99999 hours ago", "Monday, 14:30", "5 hours"]
)
def test_what_is_vague_or_lies_ahead_counts_from_nothing(text: str) -> None:
    assert read_date(text).ago is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("/Date(1746093600000)/", "2025-05-01T10:00:00+00:00"),
        ("2025-05-03T14:30:00[Europe/Berlin]", "2025-05-03T12:30:00+00:00"),
        ("2025-05-03 14:30:00 America/New_York", "2025-05-03T18:30:00+00:00"),
        ("2025-05-03T14:30:00+25:00", None),
        ("2025-05-03 14:30 Nowhere/Land", None),
    ],
)
def test_zones_by_place_and_zones_that_cannot_be(text: str, at: str | None) -> None:
    assert read_date(text).at == (datetime.fromisoformat(at) if at else None)
