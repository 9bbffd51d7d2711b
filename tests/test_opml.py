"""OPML: other readers' lists come in with their folders as tags, and go out so that they come in the same."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import ConfigurationError
from worker.intake.opml import OpmlFeed, read_opml, sources_of, write_opml
from worker.model import Source

LIST = """<?xml version="1.0"?><opml version="1.0"><head><title>Mine</title></head><body>
<outline text="World &amp; Asia"><outline text="Herald" xmlUrl="https://herald.example/rss" language="en-GB"/>
 <outline title="Far East"><outline title="Küste" XMLURL=" https://kueste.example/feed?a=1&amp;b=2 "/>
 </outline></outline>
<outline text="Loose" xmlUrl="https://loose.example/" category="/sport/football, local"/>
<outline text="Sport"><outline text="Herald again" xmlUrl="http://www.herald.example/rss/"/></outline>
<outline text="An empty folder"/></body></opml>""".encode()


def test_folders_are_tags_and_an_address_comes_once() -> None:
    assert [(feed.url, feed.name, feed.tags) for feed in read_opml(LIST)] == [
        ("https://herald.example/rss", "Herald", ("World & Asia", "Sport")),
        ("https://kueste.example/feed?a=1&b=2", "Küste", ("World & Asia", "Far East")),
        ("https://loose.example/", "Loose", ("sport/football", "local")),
    ]


def test_feeds_become_sources_with_ids_of_their_own() -> None:
    imported = sources_of(read_opml(LIST), [])
    assert [(source.id, source.language) for source in imported.sources] == [
        ("herald", "en-GB"),
        ("kuste", None),
        ("loose", None),
    ]
    again = sources_of(read_opml(LIST), imported.sources)
    assert (again.sources, again.known) == ((), 3)


def test_ids_that_are_taken_are_made_different_and_names_without_letters_are_the_hosts() -> None:
    feeds = [OpmlFeed(url=f"https://{name}.example/", name="News") for name in "ab"]
    feeds.append(OpmlFeed(url="https://c.example/", name="新聞"))
    ids = [source.id for source in sources_of(feeds, [Source(id="c.example", kind="push")]).sources]
    assert (ids[0], ids[1][:5], ids[2][:10]) == ("news", "news-", "c.example-")
    assert ids == [source.id for source in sources_of(feeds, [Source(id="c.example", kind="push")]).sources]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "ftp://a.example/", "http://", "javascript:x"])
def test_what_is_no_web_address_is_refused_with_its_reason(url: str) -> None:
    imported = sources_of([OpmlFeed(url=url, name="x"), OpmlFeed(url="https://a.example/", name="a")], [])
    assert [source.id for source in imported.sources] == ["a"]
    assert imported.refused[0][0] == url


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"<html><body/></html>",
        b'<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]><opml><body><outline text="&x;"/></body></opml>',
    ],
)
def test_what_is_no_opml_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        read_opml(content)


def test_a_broken_file_is_read_as_far_as_it_goes() -> None:
    assert [feed.name for feed in read_opml(LIST[: LIST.index(b"Loose")])] == ["Herald", "Küste"]


def test_folders_without_end_are_no_danger() -> None:
    deep = b"<opml><body>" + b'<outline text="f">' * 200 + b'<outline text="a" xmlUrl="https://a.example/"/>'
    assert len(read_opml(deep)) <= 1


def test_what_goes_out_holds_no_secret_and_no_local_file() -> None:
    written = write_opml(
        [
            Source(id="a", kind="feed", url="https://user:secret@a.example/feed", headers={"X-Key": "secret"}),
            Source(id="b", kind="feed", url="local/secret.xml"),
            Source(id="c", kind="directory", path="secret"),
        ]
    )
    assert b"secret" not in written
    assert [feed.url for feed in read_opml(written)] == ["https://a.example/feed"]


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).map(str.strip).filter(bool)


@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3, unique=True)), max_size=8))
def test_what_goes_out_comes_in_the_same(feeds: list[tuple[str, list[str]]]) -> None:
    sources = [
        Source(id=f"s{number}", kind="feed", url=f"https://n{number}.example/", name=name, tags=tuple(tags))
        for number, (name, tags) in enumerate(feeds)
    ]
    read = sorted(read_opml(write_opml(sources)), key=lambda feed: feed.url)
    writable = [
        source for source in sources if source.name and "\ufffe" not in source.name and "\uffff" not in source.name
    ]
    assert len(read) == len(sources)
    for source in writable:
        found = next(feed for feed in read if feed.url == source.url)
        if not any("\ufffe" in tag or "\uffff" in tag for tag in source.tags):
            assert msgspec.structs.asdict(found) == {
                "url": source.url,
                "name": source.name,
                "language": "",
                "tags": source.tags,
            }
