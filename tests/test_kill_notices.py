"""Kill notices of wires sent as lines: they take back the story whose number they quote, and never another."""

from __future__ import annotations

import pytest

from tests.desk_support import Office, document, office_fixture, receive
from tests.test_parse_wire import article

office = office_fixture({"COPYDESK_STORE_CLAIM_IDLE_SECONDS": "0"})


def anpa(number: int, text: str, slug: str = "BC-Kiln", day: str = "05-03", sent: str = "05-03-25 1830GMT") -> str:
    return (
        f"\x16\x16\x01V{number:04}\x1f-----\r\nu e\x13\x11 {slug}     {day} 0121\r\n"
        f"\x02^{slug},0176<\r\n{text}\t   ^\x03AP-WF-{sent}<\r\n\x0c\x04"
    )


STORY = "^Kiln relit<\r\n\t   LEEDS (AP) _ Potters relit the kiln after ten years of repairs.\r\n"


def anpa_kill(quoted: str, number: int = 4700, **facts: str) -> str:
    return anpa(number, f"^BULLETIN KILL<\r\n\t   Kill BC-Kiln, {quoted}. The kiln was not lit.\r\n", **facts)


def iptc(number: int, head: str, text: str, keywords: str = "Valley/crafts/") -> str:
    return (
        f"\x01val{number:04} 4 i 12  val 0031\r\n\r\n{keywords}\r\n"
        f"\x02{head} =\r\n\r\nLeeds (val) - {text}\r\n\x03031830 GMT May 25\r\n\x04"
    )


IPTC_STORY = iptc(31, "Kiln relit", "Potters relit the kiln after ten years of repairs.")


def iptc_kill(quoted: str, keywords: str = "Valley/crafts/") -> str:
    return iptc(47, "KILL\r\nKiln relit", f"Please kill {quoted}, the kiln was not lit.", keywords)


@pytest.mark.parametrize(
    ("story", "kill"),
    [
        (anpa(4644, STORY), anpa_kill("V4644, sent at 1830 GMT")),
        (anpa(4644, STORY), anpa_kill("v4644", slug="BC-Kiln, KILL")),
        (anpa(4644, STORY), anpa_kill("V4644", number=12, day="05-04", sent="05-04-25 0510GMT")),
        (anpa(4644, STORY, sent="05-04-25 0110GMT"), anpa_kill("V4644", sent="05-04-25 0210GMT")),
        (
            anpa(4644, STORY, day="12-31", sent="01-01-25 0110GMT"),
            anpa_kill("V4644", day="12-31", sent="01-01-25 0210GMT"),
        ),
        (IPTC_STORY, iptc_kill("val 0031")),
        (IPTC_STORY, iptc_kill("val0031 (this is val0047)")),
    ],
)
def test_a_kill_has_the_guid_of_the_story_that_it_quotes(story: str, kill: str) -> None:
    notice = article(kill)

    assert (notice.withdrawn, notice.identity_guid, notice.guid) == (True, True, article(story).guid)
    assert "withdraws_no_record" not in notice.warnings


@pytest.mark.parametrize(
    "kill",
    [
        anpa_kill("an earlier story"),
        anpa_kill("V4644 and V4650"),
        anpa_kill("A4644"),
        anpa_kill("V4644", day="02-17"),
        iptc_kill("the story slugged Valley/crafts"),
        iptc_kill("val0031", keywords=""),
    ],
)
def test_a_kill_that_names_no_story_says_so(kill: str) -> None:
    notice = article(kill)

    assert notice.withdrawn
    assert not notice.identity_guid
    assert "withdraws_no_record" in notice.warnings


@pytest.mark.parametrize(
    "other",
    [
        anpa(4644, STORY, slug="BC-Kiln-Photo"),
        anpa(4644, STORY, day="05-04", sent="05-04-25 1830GMT"),
        anpa(4644, STORY).replace("AP-WF", "UP-AM"),
        anpa(4645, STORY),
        iptc(31, "Kiln relit", "Text.", keywords="Valley/sport/"),
    ],
)
def test_numbers_of_other_days_slugs_and_circuits_are_other_stories(other: str) -> None:
    assert article(other).guid not in (article(anpa(4644, STORY)).guid, article(IPTC_STORY).guid)


def test_a_killed_story_leaves_the_store_and_its_neighbour_stays(office: Office) -> None:
    for place, message in enumerate((anpa(4644, STORY), anpa(4650, "^Dam full<\r\n\t   LEEDS (AP) _ It is.\r\n"))):
        _send(office, message, place)
    assert {record.headline for record in office.sink.newest(10)} == {"Kiln relit", "Dam full"}

    _send(office, anpa_kill("V4644"), 3)

    assert [record.headline for record in office.sink.newest(10)] == ["Dam full"]
    assert office.reconcile().balanced


def _send(office: Office, message: str, place: int) -> None:
    sent = document(message.encode(), f"wire/{place}.txt")
    office.bells.ring("parse", "news", receive(office.desk, sent))
    office.drain()
    office.store()
