"""What names an entry: guid, link or text, decided for each feed by looking, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.manners_support import URL, item, rss
from worker.dedupe.fingerprint import Fingerprint, fingerprint
from worker.intake.entry_ids import Compared, EntryIds, compare
from worker.intake.glance import glance
from worker.model import Article, Document, UntrustedId
from worker.parse.document import parse_document


def fetches(*feeds: Sequence[str]) -> list[Compared]:
    """What each of these fetches, one after the other, tells beside the one before."""
    ids, found = EntryIds(), []
    for items in feeds:
        compared = compare(ids, glance(rss(*items), None, URL).entries)
        found.append(compared)
        ids = compared.ids
    return found


def test_new_and_changed_entries_are_told_apart() -> None:
    first, second = fetches([item(1), item(2)], [item(3), item(2, text="Corrected."), item(1)])
    assert (first.first, first.new) == (True, (0, 1))
    assert (second.new, second.changed, second.shared) == ((0,), (1,), 2)


def test_other_guids_for_the_same_entries_make_no_news() -> None:
    before = [item(n, guid=f"v1-{n}") for n in range(10)]
    after = [item(n, guid=f"v2-{n}", link=f"https://paper.example/news/{n}?utm_source=rss") for n in range(12)]
    _, second = fetches(before, after)
    assert second.new == (10, 11)
    assert second.ids.untrusted == ("guid",)


def test_http_and_https_are_one_name() -> None:
    before = [item(n, guid=f"http://paper.example/{n}", link=f"http://paper.example/{n}") for n in range(5)]
    after = [item(n, guid=f"https://paper.example/{n}", link=f"https://paper.example/{n}") for n in range(5)]
    _, second = fetches(before, after)
    assert (second.new, second.ids.untrusted) == ((), ())


def test_guids_that_several_entries_share_are_no_names_from_then_on() -> None:
    shared = [item(n, guid="paper") for n in range(4)]
    first, second, third = fetches(shared, [item(9, guid="paper")], [item(10, guid="paper"), item(9, guid="paper")])
    assert first.ids.untrusted == second.ids.untrusted == third.ids.untrusted == ("guid",)
    assert (second.new, third.new) == ((0,), (0,)), "each is an entry of its own"


def test_links_that_several_entries_share_are_no_names() -> None:
    home = "https://paper.example/"
    first, second = fetches([item(n, link=home) for n in range(4)], [item(9, link=home)])
    assert first.ids.untrusted == ("link",)
    assert second.new == (0,)


def test_with_neither_guid_nor_link_the_text_names_an_entry() -> None:
    home = "https://paper.example/"
    first, second = fetches(
        [item(n, link=home, guid="g") for n in range(4)], [item(n, link=home, guid="g") for n in range(2, 6)]
    )
    assert first.ids.untrusted == ("guid", "link")
    assert second.new == (2, 3)


def test_one_entry_twice_is_no_reason_to_distrust() -> None:
    (found,) = fetches([item(1), item(1), item(2), item(3)])
    assert found.ids.untrusted == ()


def test_an_editors_slip_is_no_reason_to_distrust() -> None:
    (found,) = fetches([item(1, guid="a"), item(2, guid="a"), *(item(n) for n in range(3, 20))])
    assert found.ids.untrusted == ()


def test_a_guid_that_is_given_again_is_distrusted_the_second_time() -> None:
    found = fetches(*([item(n, guid="latest")] for n in range(5)))
    assert [compared.ids.untrusted for compared in found] == [(), (), ("guid",), ("guid",), ("guid",)]
    assert found[-1].new == (0,)


def test_an_entry_that_is_corrected_all_over_keeps_its_name() -> None:
    before = [item(n) for n in range(10)]
    after = [
        item(0, guid="tag:paper.example,2026:0", link="https://paper.example/new-slug", title="New", text="New"),
        *before[1:],
    ]
    _, second = fetches(
        before,
        after,
    )
    assert (second.new, second.changed, second.ids.untrusted) == ((), (0,), ())


def test_an_empty_fetch_teaches_nothing() -> None:
    _, empty, third = fetches([item(1), item(2)], [], [item(2), item(3)])
    assert (empty.new, empty.shared) == ((), 0)
    assert (third.new, third.shared) == ((1,), 1)


def fingerprints(*items: str, untrusted: tuple[UntrustedId, ...] = ()) -> list[Fingerprint]:
    """What the entries of a feed are known by once they are parsed."""
    now = datetime(2026, 1, 5, tzinfo=UTC)
    content = rss(*items)
    document = Document(source_id="paper", origin=URL, received_at=now, content=content, untrusted_ids=untrusted)
    articles = [found for found in parse_document(document, content) if isinstance(found, Article)]
    assert len(articles) == len(items)
    return [fingerprint("paper", article, now) for article in articles]


def test_the_record_of_an_entry_is_the_same_under_http_and_https() -> None:
    (plain,) = fingerprints(item(1, guid="http://paper.example/1", link="http://paper.example/1"))
    (safe,) = fingerprints(item(1, guid="https://paper.example/1", link="https://paper.example/1"))
    assert (plain.record_id, plain.identities) == (safe.record_id, safe.identities)


def test_what_is_not_trusted_identifies_no_record() -> None:
    (one,) = fingerprints(item(1, guid="latest"), untrusted=("guid",))
    (other,) = fingerprints(item(2, guid="latest"), untrusted=("guid",))
    (same,) = fingerprints(item(1, guid="another"), untrusted=("guid",))
    assert one.identities == same.identities
    assert not set(one.identities) & set(other.identities)
    home = "https://paper.example/"
    (text,) = fingerprints(item(1, guid="latest", link=home), untrusted=("guid", "link"))
    (again,) = fingerprints(item(1, guid="another", link=URL), untrusted=("guid", "link"))
    assert text.identities == again.identities
