"""When a feed is asked again, with which validators, and what its answers teach: pure decisions on our own clock."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from tests.manners_support import DAY, HOUR, POLICY, START, URL, Feed, item, numbered, rss
from worker.config import Settings
from worker.intake.manners import policy_of
from worker.intake.poll_state import LAST_POLLS, PollState, fields_of, health_of, recalled
from worker.model import Source

SOURCE = Source(id="paper", kind="feed", url=URL)
TAG = '"one"'


def known(**named: str) -> Feed:
    """A feed that was fetched once, with a validator."""
    feed = Feed()
    feed.answer(content=numbered(1, 2, 3), extra=named, ETag=TAG)
    return feed


def test_validators_are_kept_byte_for_byte() -> None:
    feed = Feed()
    feed.answer(content=numbered(1), ETag='W/"caf\xe9 ,;=\\"', Last_Modified="Tue,  3 Jun 2008 (about)")
    assert (feed.state.etag, feed.state.last_modified) == ('W/"caf\xe9 ,;=\\"', "Tue,  3 Jun 2008 (about)")


def test_a_200_replaces_validators_and_a_304_refreshes_them() -> None:
    feed = known(Last_Modified="Monday")
    feed.unchanged(ETag='"two"')
    assert (feed.state.etag, feed.state.last_modified) == ('"two"', "Monday")
    feed.unchanged()
    assert (feed.state.etag, feed.state.last_modified) == ('"two"', "Monday")
    feed.answer(content=numbered(1, 2, 3, 4), Last_Modified="Tuesday")
    assert (feed.state.etag, feed.state.last_modified) == ("", "Tuesday"), (
        "what is not given any more is not sent again"
    )
    feed.answer(content=numbered(1, 2, 3, 4, 5))
    assert (feed.state.etag, feed.state.last_modified) == ("", "")


def test_failures_and_pages_leave_the_validators_alone() -> None:
    feed = known()
    feed.answer(503)
    feed.fail()
    decision = feed.answer(content=b"<!doctype html><html><body><p>Under maintenance</p></body></html>", ETag='"page"')
    assert decision.problem is not None
    assert decision.problem.startswith("no_feed")
    assert not decision.deliver
    assert (feed.state.etag, feed.state.failures) == (TAG, 3)


def test_a_304_to_a_request_without_validators_is_a_failure() -> None:
    decision = Feed().unchanged()
    assert decision.problem == "http_status: HTTP 304"


def test_the_same_bytes_are_not_delivered_twice() -> None:
    feed = Feed()
    assert feed.answer(content=numbered(1, 2)).deliver
    assert not feed.answer(content=numbered(1, 2)).deliver
    assert feed.answer(content=numbered(1, 2, 3)).deliver


def test_an_hour_with_validators_and_a_day_without() -> None:
    with_them, without = Feed(), Feed()
    assert with_them.answer(content=numbered(1), ETag=TAG).next_due_seconds == HOUR
    decision = without.answer(content=numbered(1))
    assert (decision.next_due_seconds, decision.why) == (DAY, "the server gives no validators")


def test_the_source_decides_for_itself() -> None:
    own = policy_of(msgspec.structs.replace(SOURCE, interval_seconds=120.0), settings())
    assert (own.interval_seconds, own.without_validators_seconds, own.slowest_seconds) == (120, 120, 120)
    feed = Feed(own)
    assert feed.answer(content=numbered(1)).next_due_seconds == 120
    assert feed.answer(content=numbered(1), Cache_Control="max-age=900").next_due_seconds == 900


@pytest.mark.parametrize(
    ("head", "named", "seconds"),
    [
        ("", {"Cache_Control": "public, max-age=7200"}, 2 * HOUR),
        ("", {"Cache_Control": "max-age=7200", "Age": "1800"}, 1.5 * HOUR),
        ("", {"Cache_Control": "no-cache, max-age=7200"}, HOUR),
        ("", {"Cache_Control": 'no-cache="Set-Cookie", max-age=7200'}, 2 * HOUR),
        ("", {"Cache_Control": "s-maxage=9000"}, HOUR),
        ("", {"Cache_Control": "max-age=60"}, HOUR),
        ("", {"Cache_Control": "max-age=99999999999"}, DAY),
        ("", {"Expires": "Mon, 05 Jan 2026 15:00:00 GMT"}, 3 * HOUR),
        ("", {"Expires": "Mon, 05 Jan 2026 15:00:00 GMT", "Date": "Mon, 05 Jan 2026 10:00:00 GMT"}, 5 * HOUR),
        ("", {"Expires": "0"}, HOUR),
        ("", {"Expires": "Fri, 01 Jan 2100 00:00:00 GMT"}, DAY),
        ("<ttl>180</ttl>", {}, 3 * HOUR),
        ("<ttl>180</ttl>", {"Cache_Control": "max-age=14400"}, 4 * HOUR),
        ("<ttl>forever</ttl>", {}, HOUR),
        ("<ttl>9999999</ttl>", {}, DAY),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", {}, 6 * HOUR),
        ("<sy:updatePeriod> hourly </sy:updatePeriod>", {}, HOUR),
        ("<sy:updatePeriod>weekly</sy:updatePeriod>", {}, DAY),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", {}, DAY),
    ],
)
def test_the_largest_wait_holds_and_a_day_is_the_most(head: str, named: dict[str, str], seconds: float) -> None:
    assert Feed().answer(content=numbered(1, head=head), extra=named, ETag=TAG).next_due_seconds == seconds


def test_what_the_feed_said_holds_when_it_is_not_modified() -> None:
    feed = Feed()
    feed.answer(content=numbered(1, head="<ttl>180</ttl>"), ETag=TAG)
    assert feed.unchanged().next_due_seconds == 3 * HOUR


def test_hours_and_days_that_a_feed_skips_are_skipped() -> None:
    hours = "".join(f"<hour>{hour}</hour>" for hour in range(13, 18))
    feed = Feed()
    decision = feed.answer(content=numbered(1, head=f"<skipHours>{hours}</skipHours>"), ETag=TAG)
    assert feed.now == START + 6 * HOUR, "12:00 and an hour lies in the skipped ones, which end at 18:00"
    assert "skips" in decision.why
    days = "<skipDays><day>Tuesday</day><day>wednesday</day></skipDays>"
    assert Feed(now=START + 11.5 * HOUR).answer(content=numbered(1, head=days), ETag=TAG).next_due_seconds == DAY
    every = "".join(f"<hour>{hour}</hour>" for hour in range(25))
    assert Feed().answer(content=numbered(1, head=f"<skipHours>{every}</skipHours>"), ETag=TAG).next_due_seconds == HOUR


def test_feeds_that_skip_hours_do_not_all_come_back_at_once() -> None:
    head = "<skipHours><hour>13</hour></skipHours>"
    moments = set()
    for tenth in range(10):
        feed = Feed(jitter=tenth / 10)
        feed.answer(content=numbered(1, head=head), ETag=TAG)
        moments.add(feed.now)
    assert len(moments) == 10


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7200", 2 * HOUR),
        ("Mon, 05 Jan 2026 18:00:00 GMT", 5 * HOUR),
        ("60", HOUR),
        ("9999999", DAY),
        ("soon", HOUR),
        ("Mon, 05 Jan 2026 11:00:00 GMT", HOUR),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_for_the_feed_and_its_host(status: int, value: str, seconds: float) -> None:
    decision = known().answer(status, Retry_After=value)
    assert (decision.next_due_seconds, decision.state.failures) == (seconds, 1)
    late = Feed()
    late.now = START
    assert late.answer(status, Retry_After="7200").host_pause_seconds == 2 * HOUR
    assert late.answer(500, Retry_After="7200").host_pause_seconds == 0


def test_failures_double_the_wait_up_to_a_day_for_ever_and_end_with_a_success() -> None:
    feed = known()
    waits = [feed.fail().next_due_seconds / HOUR for _ in range(7)]
    assert waits == [1, 2, 4, 8, 16, 24, 24]
    for _ in range(2000):
        assert feed.fail().next_due_seconds == DAY
    assert health_of(SOURCE, fields_of(feed.state), 0, feed.now)[0] == "failing"
    decision = feed.unchanged()
    assert (decision.next_due_seconds <= 4 * HOUR, feed.state.failures, feed.state.problem) == (True, 0, "")
    assert health_of(SOURCE, fields_of(feed.state), 0, feed.now)[0] == "healthy"


def test_an_interval_of_more_than_a_day_is_kept() -> None:
    slow = msgspec.structs.replace(POLICY, interval_seconds=3 * DAY, own=True)
    assert Feed(slow).answer(content=numbered(1), ETag=TAG).next_due_seconds == 3 * DAY
    assert Feed(slow).fail().next_due_seconds == 3 * DAY


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_jitter_only_lengthens(jitter: float) -> None:
    feed = Feed(jitter=jitter)
    assert HOUR <= feed.answer(content=numbered(1), ETag=TAG).next_due_seconds <= 2 * HOUR
    assert HOUR <= feed.unchanged().next_due_seconds <= 1.1 * HOUR
    assert HOUR <= feed.fail().next_due_seconds <= 1.25 * HOUR


def test_a_feed_with_few_entries_is_asked_less_often_and_one_that_wakes_up_more() -> None:
    feed = known()
    for _ in range(40):
        feed.unchanged()
    assert feed.unchanged().next_due_seconds == 4 * HOUR
    entries = [1, 2, 3]
    for _ in range(12):
        entries.append(entries[-1] + 1)
        decision = feed.answer(content=numbered(*entries), ETag=TAG)
    assert decision.next_due_seconds < 4 * HOUR
    for _ in range(30):
        entries += [entries[-1] + step for step in range(1, 4)]
        decision = feed.answer(content=numbered(*entries[-100:]), ETag=TAG)
    assert decision.next_due_seconds == HOUR


def test_a_feed_without_validators_is_not_left_until_its_entries_are_gone() -> None:
    feed = Feed()
    feed.answer(content=numbered(*range(20)))
    feed.answer(content=numbered(*range(15, 35)))
    assert feed.state.turnover_seconds == pytest.approx(DAY * 20 / 15)
    assert feed.now - feed.state.fetched_at == pytest.approx(DAY * 20 / 15 / 2)


# Redirects


def over(feed: Feed, *redirects: tuple[int, str], content: bytes = b"") -> str:
    feed.answer(content=content or numbered(1, 2), redirects=redirects, ETag=TAG)
    return feed.state.adopted_url


NEW = "https://new.example/feed"


@pytest.mark.parametrize("status", [301, 308])
def test_a_move_is_adopted_after_three_confirmations(status: int) -> None:
    feed = Feed()
    assert [over(feed, (status, NEW)) for _ in range(3)] == ["", "", NEW]
    assert feed.state.etag == TAG, "what was said at the new address holds there"


def test_a_not_modified_answer_confirms_a_move() -> None:
    feed = known()
    for _ in range(3):
        decision = feed.answer(304, redirects=((301, NEW),))
    assert feed.state.adopted_url == NEW
    assert decision.notices == ("feed_moved",)


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_is_never_adopted(status: int) -> None:
    feed = Feed()
    assert [over(feed, (status, NEW)) for _ in range(10)] == [""] * 10
    assert over(feed, (status, "https://cdn.example/x"), (301, NEW)) == ""


def test_only_the_permanent_part_of_a_chain_is_adopted() -> None:
    feed = Feed()
    for _ in range(3):
        found = over(feed, (301, "https://a.example/"), (308, "https://b.example/f"), (302, "https://cdn.example/f"))
    assert found == "https://b.example/f"


def test_confirmations_must_agree_and_follow_each_other() -> None:
    feed = Feed()
    over(feed, (301, NEW))
    over(feed, (301, NEW))
    over(feed, (301, "https://other.example/"))
    over(feed, (301, NEW))
    over(feed, (301, NEW))
    over(feed)
    assert over(feed, (301, NEW)) == ""
    over(feed, (301, NEW))
    feed.fail()
    assert over(feed, (301, NEW)) == ""
    page = b"<html><body><p>This domain is for sale</p></body></html>"
    for _ in range(5):
        assert over(feed, (301, "https://parking.example/"), content=page) == ""


def test_an_adopted_address_that_dies_is_given_up_for_the_configured_one() -> None:
    feed = Feed()
    for _ in range(3):
        over(feed, (301, NEW))
    assert [feed.fail().state.adopted_url for _ in range(3)] == [NEW, NEW, ""]


def test_a_source_with_secrets_is_never_moved() -> None:
    feed = Feed(msgspec.structs.replace(POLICY, may_move=False))
    assert [over(feed, (301, NEW)) for _ in range(5)] == [""] * 5
    with_secret = Source(id="x", kind="feed", url="https://user:word@paper.example/")
    assert not policy_of(with_secret, settings()).may_move
    assert policy_of(SOURCE, settings()).may_move


def settings() -> Settings:
    return Settings(data=Path("data"), config=Path("config"))


# Gone, quiet, late


def test_gone_stops_with_a_notice() -> None:
    feed = known()
    decision = feed.answer(410)
    assert math.isinf(decision.next_due_seconds)
    assert decision.notices == ("feed_gone",)
    assert health_of(SOURCE, fields_of(feed.state), None, feed.now)[0] == "gone"


def test_gone_at_an_adopted_address_asks_the_configured_one_first() -> None:
    feed = Feed()
    for _ in range(3):
        over(feed, (301, NEW))
    waits = [feed.answer(410).next_due_seconds for _ in range(4)]
    assert [math.isfinite(wait) for wait in waits] == [True, True, True, False]


def test_silence_is_strange_where_the_feed_never_was_so_silent() -> None:
    feed = known()
    entries = [1, 2, 3]
    for _ in range(20):
        entries.append(entries[-1] + 1)
        feed.answer(content=numbered(*entries[-20:]), ETag=TAG)
    last = feed.state.changed_at
    longest = feed.state.longest_silence_seconds
    assert health_of(SOURCE, fields_of(feed.state), 60, last + max(2 * longest, 3 * DAY) - 60)[0] == "healthy"
    status, reason = health_of(SOURCE, fields_of(feed.state), 60, last + max(2 * longest, 3 * DAY) + 60)
    assert (status, reason.startswith("nothing new for")) == ("quiet", True)
    assert health_of(SOURCE, fields_of(known().state), 60, START + 300 * DAY)[0] == "healthy", (
        "of a feed that is hardly known"
    )


def test_late_and_paused() -> None:
    feed = known()
    assert health_of(SOURCE, fields_of(feed.state), -600, feed.now)[0] == "late"
    off = msgspec.structs.replace(SOURCE, enabled=False)
    assert health_of(off, fields_of(feed.state), None, feed.now)[0] == "paused"


# Memory


def test_the_last_ten_polls_are_remembered() -> None:
    feed = Feed()
    for number in range(30):
        feed.answer(content=numbered(*range(number, number + 5)), ETag=TAG)
    assert len(feed.state.history) == LAST_POLLS
    last = feed.state.history[-1]
    assert (last.status, last.new, last.conditional, last.etag) == (200, 1, True, TAG)


def test_what_is_remembered_comes_back_whole_and_for_its_own_url_only() -> None:
    feed = known()
    fields = fields_of(feed.state)
    assert recalled(fields, URL) == feed.state
    assert recalled(fields, "https://paper.example/other") == PollState(url="https://paper.example/other")
    assert recalled({"feed": "{", "feed_seen": "["}, URL) == PollState(url=URL)


# Gaps


def test_a_fetch_that_shares_nothing_with_the_one_before_is_a_gap() -> None:
    feed = known()
    decision = feed.answer(content=numbered(10, 11, 12), ETag=TAG)
    assert decision.notices == ("gap_suspected",)
    assert (decision.new, feed.state.gaps) == ((0, 1, 2), 1)
    assert "gap" in decision.why
    assert feed.answer(content=numbered(12, 13), ETag=TAG).notices == ()


@pytest.mark.parametrize("pushed", [False, True])
def test_after_a_gap_a_feed_is_asked_as_often_as_it_may_be_for_a_day(*, pushed: bool) -> None:
    feed = known()
    feed.policy = msgspec.structs.replace(POLICY, pushed=pushed)
    for _ in range(12):
        slow = feed.unchanged()
    assert slow.next_due_seconds == 4 * HOUR
    gap_at = feed.now
    waits = [feed.answer(content=numbered(10, 11, 12), ETag=TAG).next_due_seconds]
    while feed.now < gap_at + DAY:
        waits.append(feed.unchanged().next_due_seconds)
    assert waits == [HOUR] * 24, "sooner, but never before the hour"
    for _ in range(12):
        slow = feed.unchanged()
    assert slow.next_due_seconds == 4 * HOUR


def test_a_gap_does_not_overrule_what_the_server_asks_for() -> None:
    feed = known()
    gap = feed.answer(content=numbered(10, 11), ETag=TAG, Cache_Control="max-age=7200")
    assert (gap.notices, gap.next_due_seconds) == (("gap_suspected",), 2 * HOUR)


def test_a_gap_shortens_the_waits_of_a_feed_without_validators() -> None:
    feed = Feed()
    feed.answer(content=numbered(1, 2, 3))
    assert feed.answer(content=numbered(10, 11, 12)).next_due_seconds == HOUR
    assert feed.answer(content=numbered(12, 13, 14)).next_due_seconds < DAY / 8


@pytest.mark.parametrize("first", [b"", numbered()])
def test_no_gap_without_something_before_and_after(first: bytes) -> None:
    feed = Feed()
    if first:
        feed.answer(content=first, ETag=TAG)
    assert feed.answer(content=numbered(1, 2), ETag=TAG).notices == ()
    assert feed.answer(content=numbered(), ETag=TAG).notices == ()
    assert feed.answer(content=numbered(2, 3), ETag=TAG).notices == (), "the empty answer between them made none forget"


def test_new_names_of_the_same_texts_are_no_gap() -> None:
    feed = Feed()
    feed.answer(content=numbered(1, 2, 3), ETag=TAG)
    other = rss(*(item(n, guid=f"x{n}", link=f"https://elsewhere.example/{n}") for n in (1, 2, 3)))
    assert feed.answer(content=other, ETag=TAG).notices == ()
