"""Datelines and end marks as agencies of many countries print them."""

from __future__ import annotations

import pytest

from worker.parse.datelines import split_dateline
from worker.parse.end_marks import end_mark


@pytest.mark.parametrize(
    ("line", "dateline", "provider"),
    [
        ("LEEDS, Jan 5 (Reuters) - Burns.", "LEEDS, Jan 5 (Reuters)", "Reuters"),
        ("LEEDS, Jan 5 -- Burns.", "LEEDS, Jan 5", None),
        ("LEEDS _ Burns.", "LEEDS", None),
        ("Leeds, 5 ene (EFE).- Burns.", "Leeds, 5 ene (EFE)", "EFE"),
        ("New Leeds, Jan 5 (PTI) Burns.", "New Leeds, Jan 5 (PTI)", "PTI"),
        ("New Leeds [India], January 5 (ANI): Burns.", "New Leeds [India], January 5 (ANI)", "ANI"),
        ("ABU LEEDS, 5th January, 2025 (WAM) -- Burns.", "ABU LEEDS, 5th January, 2025 (WAM)", "WAM"),
        ("Oslo (NTB): Burns.", "Oslo (NTB)", "NTB"),
        ("LEEDS 05/01 (BELGA) = Burns.", "LEEDS 05/01 (BELGA)", "BELGA"),
        ("Praha 5. ledna (ČTK) - Burns.", "Praha 5. ledna (ČTK)", "ČTK"),
        ("Budapest, 2025. január 5., vasárnap (MTI) - Burns.", "Budapest, 2025. január 5., vasárnap (MTI)", "MTI"),
        ("Köln (dpa/lnw) - Burns.", "Köln (dpa/lnw)", "dpa/lnw"),
        ("MOSCOW, January 5. /TASS/. Burns.", "MOSCOW, January 5. /TASS/", "TASS"),
        ("МОСКВА, 5 янв - РИА Новости. Burns.", "МОСКВА, 5 янв", "РИА Новости"),
        ("København, søndag /ritzau/ - Burns.", "København, søndag /ritzau/", "ritzau"),
        ("SYDNEY, Jan 5 AAP - Burns.", "SYDNEY, Jan 5 AAP", "AAP"),
        ("Tehran, Jan 5, IRNA – Burns.", "Tehran, Jan 5, IRNA", "IRNA"),
        ("(ANSA) - ROMA, 5 GEN - Burns.", "(ANSA) - ROMA, 5 GEN", "ANSA"),
        ("PAP - Burns.", "", "PAP"),
        ("أبوظبي في 5 يناير / وام / Burns.", "أبوظبي في 5 يناير / وام /", "وام"),
        ("नई दिल्ली, 5 जून (भाषा) Burns.", "नई दिल्ली, 5 जून (भाषा)", "भाषा"),
        ("【東京共同】Burns.", "【東京共同】", "共同"),
        ("（中央社記者王小明台北5日電）Burns.", "（中央社記者王小明台北5日電）", "中央社"),
    ],
)
def test_datelines_are_split_off(line: str, dateline: str, provider: str | None) -> None:
    found = split_dateline(line)
    assert found is not None
    assert (found.dateline, found.provider, found.rest) == (dateline, provider, "Burns.")


@pytest.mark.parametrize(
    ("line", "dateline", "provider", "names"),
    [
        ("新华社利兹1月5日电（记者张三、李四）Burns.", "新华社利兹1月5日电", "新华社", ("张三", "李四")),
        ("(서울=연합뉴스) 홍길동 기자 = Burns.", "(서울=연합뉴스)", "연합뉴스", ("홍길동",)),
    ],
)
def test_datelines_may_name_who_reports(line: str, dateline: str, provider: str, names: tuple[str, ...]) -> None:
    found = split_dateline(line)
    assert found is not None
    assert (found.dateline, found.provider, found.names, found.rest) == (dateline, provider, names, "Burns.")


@pytest.mark.parametrize(
    "line",
    [
        "The mayor (Labour) - who lit it - was there.",
        "The mayor told (AP) that it burns.",
        "Leeds - the town with the kiln - burns.",
        "AI - it burns.",
        "AMP.- O.Próximo.- It burns.",
        "MADRID, 5 ene. (Europa Press) -",
        "Burns. He said: it burns.",
    ],
)
def test_what_is_no_dateline_stays(line: str) -> None:
    assert split_dateline(line) is None


def test_an_agency_alone_in_brackets_is_named_and_stays() -> None:
    found = split_dateline("(Belga) De oven brandt.")
    assert found is not None
    assert (found.dateline, found.provider, found.rest) == ("", "Belga", "(Belga) De oven brandt.")


@pytest.mark.parametrize(
    ("line", "agency"),
    [
        ("jd/tl", ""),
        ("abc/ def/", ""),
        ("ABC // DEF", ""),
        ("(Schluss) ab/cd", ""),
        ("dpa ab yy cd", "dpa"),
        ("Lusa/Fim", "Lusa"),
        ("/ritzau/", "ritzau"),
        ("(©NTB)", "NTB"),
        ("-- BERNAMA", "BERNAMA"),
        ("AAP jd", "AAP"),
        ("-30-", ""),
        ("ENDS", ""),
        ("This report by The Canadian Press was first published Jan. 5, 2025.", "The Canadian Press"),
        ("It burns.", None),
        ("The end is near", None),
        ("Ann Roe", None),
        ("to mark", None),
        ("kith and kin lost", None),
    ],
)
def test_end_marks_are_told_from_text(line: str, agency: str | None) -> None:
    assert end_mark(line) == agency
