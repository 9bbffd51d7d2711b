"""Feeds: what the golden pairs cannot say, because it is about refusals or many small variants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.model import Article, Document, Http, Media, Refusal, Rights, Subject
from worker.parse.document import parse_document

RECEIVED = datetime(2025, 6, 1, tzinfo=UTC)


def parse(content: bytes, url: str | None = None) -> list[Article | Refusal]:
    http = Http(url=url, status=200) if url else None
    return parse_document(Document(source_id="t", origin="t", received_at=RECEIVED, http=http), content)


def rss(
    items: str, channel: str = "<link>https://valley.example/</link>", url: str | None = None
) -> list[Article | Refusal]:
    return parse(f'<rss version="2.0"><channel><title>Valley</title>{channel}{items}</channel></rss>'.encode(), url)


def url_of(found: list[Article | Refusal]) -> str | None:
    (article,) = found
    assert isinstance(article, Article)
    return article.url


def test_an_entry_without_text_is_refused_with_its_facts() -> None:
    (found,) = rss(
        "<item><link>https://valley.example/bridge</link><guid isPermaLink='false'>b-1</guid>"
        "<pubDate>Mon, 05 May 2025 10:00:00 GMT</pubDate></item>"
    )
    assert isinstance(found, Refusal)
    assert (found.code, found.member) == ("no_article", 0)
    assert found.article is not None
    assert (found.article.url, found.article.guid) == ("https://valley.example/bridge", "b-1")
    assert found.article.published_at == datetime(2025, 5, 5, 10, tzinfo=UTC)


def test_an_empty_entry_has_no_facts() -> None:
    (found,) = rss("<item></item>")
    assert isinstance(found, Refusal)
    assert found.article is None


def test_links_become_absolute_by_the_feed_s_own_address() -> None:
    item = "<item><title>Bridge</title><link>/bridge</link></item>"
    own = "<atom:link xmlns:atom='http://www.w3.org/2005/Atom' rel='self' href='https://valley.example/news/rss'/>"
    assert url_of(rss(item)) == "https://valley.example/bridge"
    assert url_of(rss(item, channel=f"<link>/</link>{own}")) == "https://valley.example/bridge"
    assert url_of(rss(item, channel="", url="https://hill.example/rss")) == "https://hill.example/bridge"


def test_a_path_that_nothing_completes_is_kept_and_names_nothing() -> None:
    (found,) = rss("<item><title>Bridge</title><link>news/bridge</link></item>", channel="")
    assert isinstance(found, Article)
    assert (found.url, found.canonical_url, found.identity_url) == ("news/bridge", None, False)
    assert "url_relative" in found.warnings


@pytest.mark.parametrize("link", ["javascript:alert(1)", "urn:uuid:1", "//", "a b", "file:///etc/hosts", "\\\\host\\a"])
def test_what_is_no_address_is_no_link(link: str) -> None:
    (found,) = rss(f"<item><title>Bridge</title><link>{link}</link></item>", channel="")
    assert isinstance(found, Article)
    assert found.url is None
    assert "url_unusable" in found.warnings


def test_the_alternate_link_goes_before_an_enclosure() -> None:
    content = b"""<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><title>Bridge</title>
      <link rel="alternate" type="text/html">https://valley.example/bridge</link>
      <link rel="enclosure" type="text/html">https://valley.example/sound</link></entry></feed>"""
    assert url_of(parse(content)) == "https://valley.example/bridge"


def test_a_prefix_that_is_declared_nowhere_is_passed_over() -> None:
    content = b"""<rss x:version=2.0><x:channel><x:title>Valley</x:title><x:item><x:title>Bridge</x:title>
      <x:link>https://valley.example/bridge</x:link></x:item></x:channel></rss>"""
    (found,) = parse(content)
    assert isinstance(found, Article)
    assert (found.headline, found.url) == ("Bridge", "https://valley.example/bridge")


@pytest.mark.parametrize("space", [" ", "\u00a0", "\n"])
def test_white_space_in_a_namespace_costs_nothing_else(space: str) -> None:
    content = (
        f'<rss version="2.0" xmlns:x="http://valley{space}example/x y"><channel><item><x:a>1</x:a><title>Bridge</title>'
        "<description>The bridge is open.</description></item></channel></rss>"
    )
    (found,) = parse(content.encode())
    assert isinstance(found, Article)
    assert found.headline == "Bridge"
    assert "feed_not_well_formed" not in found.warnings


def test_captions_and_credits_of_pictures_are_no_text_of_the_entry() -> None:
    (found,) = rss(
        "<item xmlns:media='http://search.yahoo.com/mrss/'><title>Bridge</title><description>It opens.</description>"
        "<media:content url='https://valley.example/b.jpg' medium='image'/>"
        "<media:description type='plain'>The bridge at dawn</media:description>"
        "<media:credit role='photographer'>Ann Lee</media:credit></item>"
    )
    assert isinstance(found, Article)
    assert found.body_text == "It opens."
    assert found.media == (
        Media(url="https://valley.example/b.jpg", type="image", caption="The bridge at dawn", credit="Ann Lee"),
    )


def test_dublin_core_itunes_and_georss_facts_are_read() -> None:
    (found,) = rss(
        "<item xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:georss='http://www.georss.org/georss' "
        "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><title>Bridge</title><description>Open.</description>"
        "<dc:creator>Ann Lee</dc:creator><dc:date>2025-05-05T10:00:00+02:00</dc:date><dc:language>fr</dc:language>"
        "<dc:rights>(c) Valley Press</dc:rights><dc:subject>Traffic</dc:subject><dc:source>Reuters</dc:source>"
        "<category domain='https://valley.example/topics'>Bridges</category>"
        "<georss:featurename>Upper Valley</georss:featurename><itunes:subtitle>At last</itunes:subtitle></item>"
    )
    assert isinstance(found, Article)
    assert [person.name for person in found.authors] == ["Ann Lee"]
    assert found.published_at == datetime(2025, 5, 5, 8, tzinfo=UTC)
    assert found.language == "fr"
    assert found.rights == Rights(notice="(c) Valley Press")
    assert found.provider == "Reuters"
    assert found.keywords == ("Traffic", "Bridges")
    assert found.subjects == (Subject(name="Bridges", scheme="https://valley.example/topics"),)
    assert (found.places, found.subheadline) == (("Upper Valley",), "At last")


def test_authors_of_an_atom_feed_speak_for_its_entries() -> None:
    content = b"""<feed xmlns="http://www.w3.org/2005/Atom"><author><name>Ann Lee</name></author>
      <entry><title>One</title></entry><entry><title>Two</title><author><name>Bo Ek</name></author></entry></feed>"""
    names = [[person.name for person in found.authors] for found in parse(content) if isinstance(found, Article)]
    assert names == [["Ann Lee"], ["Bo Ek"]]


def test_the_named_characters_of_the_w3c_are_no_entity_declaration() -> None:
    content = b"""<!DOCTYPE rss [<!ENTITY % HTMLlat1 PUBLIC "-//W3C//ENTITIES Latin 1 for XHTML//EN"
      "http://www.w3.org/TR/xhtml1/DTD/xhtml-lat1.ent">]><rss version="0.91"><channel><title>Valley</title>
      <item><title>Caf&eacute;</title></item></channel></rss>"""
    (found,) = parse(content)
    assert isinstance(found, Article)
    assert found.headline == "Café"
    (refused,) = parse(content.replace(b"http://www.w3.org/", b"http://hill.example/"))
    assert isinstance(refused, Refusal)
    assert refused.code == "entity_declaration"


def test_a_sitemap_index_says_where_the_sitemaps_are() -> None:
    (found,) = parse(b"<sitemapindex><sitemap><loc>https://valley.example/s.xml</loc></sitemap></sitemapindex>")
    assert isinstance(found, Refusal)
    assert found.article is not None
    assert found.article.url == "https://valley.example/s.xml"


def test_json_feed_items_of_both_versions() -> None:
    content = b"""{"version": "https://jsonfeed.org/version/1.1", "home_page_url": "https://valley.example/",
      "authors": [{"name": "Ann Lee"}], "language": "en", "items": [
      {"id": "https://valley.example/a", "content_html": "<p>One.</p><p>Two.</p>", "image": "/a.jpg",
       "attachments": [{"url": "/a.mp3", "mime_type": "audio/mpeg", "title": "Listen"}, 7, {"url": 8}]},
      {"id": 2, "external_url": "https://hill.example/b", "content_text": "Three.", "author": {"name": "Bo Ek"}},
      {"id": "3", "date_published": "2025-05-05T10:00:00Z"}, "four"]}"""
    first, second, third, fourth = parse(content)
    assert isinstance(first, Article)
    assert (first.url, first.body_text) == ("https://valley.example/a", "One.\n\nTwo.")
    assert first.media == (
        Media(url="https://valley.example/a.jpg", type="image"),
        Media(url="https://valley.example/a.mp3", type="audio", caption="Listen"),
        Media(url="https://valley.example/8"),
    )
    assert isinstance(second, Article)
    assert (second.guid, second.url, second.byline) == ("2", "https://hill.example/b", "Bo Ek")
    assert isinstance(third, Refusal)
    assert third.article is not None
    assert third.article.published_at == datetime(2025, 5, 5, 10, tzinfo=UTC)
    assert isinstance(fourth, Refusal)


def test_a_json_feed_is_known_by_a_version_at_its_end() -> None:
    items = ", ".join(f'{{"id": "{number}", "title": "Bridge {number}"}}' for number in range(1_000))
    found = parse(f'{{"items": [{items}], "version" : "https:\\/\\/jsonfeed.org\\/version\\/1"}}'.encode())
    assert len(found) == 1_000


def test_an_atom_entry_may_stand_alone() -> None:
    content = (
        b'<entry xmlns="http://www.w3.org/2005/Atom"><id>1</id><title>Bridge</title><content>Open.</content></entry>'
    )
    (found,) = parse(content)
    assert isinstance(found, Article)
    assert (found.guid, found.headline, found.body_text) == ("1", "Bridge", "Open.")


@pytest.mark.parametrize(
    "reference", ["&#x110000;", "&#9999999;", "&#0;", "&#xD800;", "&#99999999999;", "&#xZ;", "&#;"]
)
def test_references_to_no_character_cost_nothing_else(reference: str) -> None:
    # The element that is not closed makes feedparser read leniently, which is where it would raise.
    found = rss(f"<item><title>Bridge {reference} opens</title><b><description>On Monday.</description></item>")
    assert isinstance(found[0], Article)
    assert (found[0].headline or "").startswith("Bridge")
    assert "On Monday." in found[0].body_text


def test_a_guid_that_is_a_mere_name_is_no_link() -> None:
    (found,) = rss("<item><title>Bridge</title><guid>4e16-b350</guid></item>")
    assert isinstance(found, Article)
    assert (found.guid, found.url, found.identity_guid) == ("4e16-b350", None, True)
    assert url_of(rss("<item><title>Bridge</title><guid>/n/bridge</guid></item>")) == "https://valley.example/n/bridge"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<![CDATA[<svg><title>A map of the valley</title><circle r='1'/></svg>]]>", "A map of the valley"),
        ("<![CDATA[<svg><title>Map</title></svg><p>The bridge is open.</p>]]>", "The bridge is open."),
        ("<![CDATA[<![CDATA[The bridge is <b>open</b>.]]>]]>", "The bridge is open."),
        ("&lt;![CDATA[The bridge &lt;b&gt;is&lt;/b&gt; open.]]&gt;", "The bridge is open."),
    ],
)
def test_drawings_and_nested_sections_do_not_cost_the_text(markup: str, text: str) -> None:
    (found,) = rss(f"<item><title>Bridge</title><description>{markup}</description></item>")
    assert isinstance(found, Article)
    assert found.body_text == text


def test_an_element_with_thousands_of_attributes_is_refused_before_it_is_read() -> None:
    attributes = " ".join(f"a{number}='1'" for number in range(3000))
    (found,) = parse(f"<rss version='2.0'><channel><item {attributes}><title>T</title></item></channel></rss>".encode())
    assert isinstance(found, Refusal)
    assert found.code == "too_large"


def test_a_date_that_counts_from_now_counts_from_the_answer() -> None:
    content = (
        b"<rss version='2.0'><channel><item><title>T</title><pubDate>20 minutes ago</pubDate></item></channel></rss>"
    )
    answered_at = datetime(2025, 6, 1, 12, tzinfo=UTC)
    http = Http(url="https://valley.example/feed", status=200, answered_at=answered_at)
    document = Document(source_id="s", origin="a", received_at=answered_at, http=http)
    (served,) = parse_document(document, content)
    assert isinstance(served, Article)
    assert served.published_at == datetime(2025, 6, 1, 11, 40, tzinfo=UTC)
    assert served.provenance["published_at"] == "feed, counted back"
    (kept,) = parse(content)
    assert isinstance(kept, Article)
    assert (kept.published_at, "date_relative" in kept.warnings) == (None, True)


TOMBSTONE = (
    '<at:deleted-entry xmlns:at="http://purl.org/atompub/tombstones/1.0" ref="{}" when="2025-05-03T10:00:00Z">'
    "<at:comment>It never stood there.</at:comment></at:deleted-entry>"
)
ENTRY = "<entry><id>kiln</id><title>Kiln is lit</title><content>It burns.</content></entry>"


def atom(content: str) -> list[Article | Refusal]:
    return parse(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Valley</title>{content}</feed>'.encode())


def test_a_feed_of_tombstones_only_is_read() -> None:
    (gone,) = atom(TOMBSTONE.format("bridge"))
    assert isinstance(gone, Article)
    assert gone.withdrawn


@pytest.mark.parametrize(
    "content",
    [
        ENTRY + TOMBSTONE.format("kiln"),
        ENTRY.replace("It burns.", f"<![CDATA[{TOMBSTONE.format('bridge')}]]>"),
        ENTRY.replace("It burns.", TOMBSTONE.format("bridge")),
        ENTRY + TOMBSTONE.format("bridge") + "<broken",
        ENTRY + TOMBSTONE.format(""),
    ],
)
def test_nothing_but_a_sound_feed_s_own_tombstones_takes_back(content: str) -> None:
    assert [getattr(found, "guid", "") for found in atom(content)] == ["kiln"]


def exported(content: str, more: str = "") -> Article | Refusal:
    (found,) = parse(
        '<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:wp="http://wordpress.org/export/1.2/"><channel><title>Valley</title><wp:author><wp:author_login>roe'
        "</wp:author_login><wp:author_display_name><![CDATA[Ann Roe]]></wp:author_display_name></wp:author><item>"
        f"<title>Kiln</title><dc:creator>roe</dc:creator><content:encoded><![CDATA[{content}]]></content:encoded>"
        "<excerpt:encoded>Lit.</excerpt:encoded><wp:post_modified_gmt>2025-05-05 10:00:00</wp:post_modified_gmt>"
        f"<wp:status>publish</wp:status><wp:post_type>post</wp:post_type>{more}</item></channel></rss>".encode()
    )
    return found


def test_an_export_of_wordpress_is_read_as_its_site_shows_it() -> None:
    found = exported(
        'It <em>burns</em>.\n\n[gallery ids="1"]\n\n[caption id="a"]<img src="a"/> A kiln[/caption]For days.'
    )
    assert isinstance(found, Article)
    assert found.body_text == "It burns.\n\nFor days."
    assert (found.authors[0].name, found.abstract) == ("Ann Roe", "Lit.")
    assert found.updated_at == datetime(2025, 5, 5, 10, tzinfo=UTC)


def test_what_wordpress_keeps_behind_a_password_is_refused() -> None:
    assert isinstance(exported("It burns.", "<wp:post_password>secret</wp:post_password>"), Refusal)


@pytest.mark.parametrize(
    ("namespace", "element"),
    [
        ("http://turbo.yandex.ru", "turbo:content"),
        ("http://news.yandex.ru", "yandex:full-text"),
        ("http://news.mail.ru/", "mailru:full-text"),
    ],
)
def test_the_whole_text_may_stand_in_an_extension(namespace: str, element: str) -> None:
    name = element.partition(":")[0]
    (found,) = rss(
        f"<item xmlns:{name}='{namespace}'><title>Kiln</title><description>Lit.</description>"
        f"<{element}>The kiln was lit and burns.</{element}></item>"
    )
    assert isinstance(found, Article)
    assert (found.body_text, found.abstract) == ("The kiln was lit and burns.", "Lit.")


def test_an_author_s_address_may_be_in_any_domain() -> None:
    (found,) = rss("<item><title>Kiln</title><author>ann@valley.example (Ann Roe)</author></item>")
    assert isinstance(found, Article)
    assert [author.name for author in found.authors] == ["Ann Roe"]


def test_the_date_of_prism_is_a_date() -> None:
    prism = "xmlns:p='http://prismstandard.org/namespaces/1.2/basic/'"
    (found,) = rss(f"<item {prism}><title>Kiln</title><p:publicationDate>2025-05-05T10:00Z</p:publicationDate></item>")
    assert isinstance(found, Article)
    assert found.published_at == datetime(2025, 5, 5, 10, tzinfo=UTC)
