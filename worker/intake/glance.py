"""One glance at a feed's bytes: what it says of itself and which entries it names. Pure, cheap, and forgiving.

The parse stage reads feeds properly. This reader only finds what polling needs to know before that: hints for the
schedule, the entries' ids, links to other parts of the feed, and whether the texts are whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from lxml import etree

from worker.clean.urls import absolute_url, canonical_url
from worker.intake.schedule import DAYS, Hints, update_period_seconds
from worker.parse.detect import FEED, HTML, JSON_FEED, SITEMAP, detect_media_type

Kind = Literal["feed", "sitemap", "sitemap_index", "other", "none"]
MOST_ENTRIES = 1000
"""More entries than any feed that is polled needs; of larger ones the first are looked at."""
DIGEST_CHARACTERS = 8

_ATOM_LINK_RELS = ("hub", "self", "next", "prev-archive", "alternate")
_TAG = re.compile(r"<[^<>]*>")
_WORD = re.compile(r"\w+")
_CUT = re.compile(
    r"(?:…|\.\.\.|\[(?:&#8230;|&hellip;|…|\.\.\.)\]|\bread (?:more|on)|continue reading|weiterlesen|"
    r"lire la suite|leer más|leggi tutto)[\s>»→\])]*$",
    re.IGNORECASE,
)
_END_CHARACTERS = 200
"""Of a text, in which words that lead on stand."""
_MOST_CHARACTERS = 20_000
"""Of a text that are looked at."""
_LISTED = ("item", "entry", "url", "sitemap")
_WHOLE_TEXTS = ("encoded", "content", "content_html", "content_text", "body")
_SHORT_TEXTS = ("description", "summary", "subtitle")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry's names as written, and digests of its title and of all it holds. `words` are those of its text.

    `whole` is True where the text stands in an element meant for the whole of it and does not end as teasers do
    ("...", "read more"). `position` counts from 0.
    """

    position: int
    guid: str = ""
    link: str = ""
    title: str = ""
    text: str = ""
    words: int = 0
    whole: bool = False
    modified: str = ""


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the bytes tells. `kind` is `none` for a web page or nothing, `other` for any other document.

    `links` are URLs by relation (hub, self, next, prev-archive), absolute; `generator` is as written, in lower case.
    """

    kind: Kind = "none"
    title: str = ""
    hints: Hints = Hints()
    entries: tuple[Entry, ...] = ()
    links: dict[str, str] = {}
    hubs: tuple[str, ...] = ()
    generator: str = ""


def glance(content: bytes, media_type: str | None, url: str) -> Glance:
    """Bytes of a feed or sitemap, the declared type, and where they came from -> what they say. Never fails."""
    kind = detect_media_type(content, media_type, url)
    if kind == JSON_FEED:
        return _glance_json(content, url)
    if kind in (FEED, SITEMAP):
        root = read_root(content)
        return Glance(kind="other") if root is None else _glance_xml(root, kind, url)
    return Glance(kind="none" if kind == HTML or not content.strip() else "other")


def read_root(content: bytes) -> Any:
    """The root element of XML, however broken; None where there is none. No entity is expanded, nothing fetched."""
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(content.lstrip(b"\xef\xbb\xbf \t\r\n"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def local_name(element: Any) -> str:
    """An element's name without namespace or prefix, in lower case."""
    tag = element.tag
    return tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(tag, str) else ""


def entry_elements(root: Any, most: int) -> list[Any]:
    """The elements of the entries, in document order, at most so many."""
    found = []
    for element in root.iter():
        if local_name(element) in _LISTED and len(element):
            found.append(element)
            if len(found) == most:
                break
    return found


def digest(text: str) -> str:
    """A few characters that tell texts apart within one feed; empty for no text."""
    if not text:
        return ""
    raw = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_CHARACTERS // 2)
    return raw.hexdigest()


def _glance_xml(root: Any, kind: str, url: str) -> Glance:
    entries = entry_elements(root, MOST_ENTRIES)
    inside = {id(element) for element in entries}
    facts: dict[str, str] = {}
    links: dict[str, str] = {}
    hubs: list[str] = []
    skipped: dict[str, list[str]] = {"hour": [], "day": []}
    for element in _heads(root, inside):
        name = local_name(element)
        if name in skipped:
            skipped[name].append(_text(element))
        elif name == "link" and element.get("href"):
            _take_link(element, url, links, hubs)
        else:
            facts.setdefault(name, _text(element))
    if kind == SITEMAP:
        what: Kind = "sitemap_index" if local_name(root) == "sitemapindex" else "sitemap"
    else:
        what = "feed"
    return Glance(
        kind=what,
        title=facts.get("title", "")[:300],
        hints=_hints(facts, skipped),
        entries=tuple(_entry(position, element, url) for position, element in enumerate(entries)),
        links=links,
        hubs=tuple(dict.fromkeys(hubs)),
        generator=facts.get("generator", "").lower()[:200],
    )


def _heads(root: Any, inside: set[int]) -> Iterator[Any]:
    """The elements that speak for the whole feed: the root's and its channel's children, and lists of skips."""
    for element in root:
        if id(element) in inside:
            continue
        yield element
        if local_name(element) in ("channel", "head"):
            for child in element:
                if id(child) in inside:
                    continue
                yield child
                if local_name(child) in ("skiphours", "skipdays"):
                    yield from child


def _take_link(element: Any, url: str, links: dict[str, str], hubs: list[str]) -> None:
    relation = (element.get("rel") or "alternate").strip().lower()
    if relation not in _ATOM_LINK_RELS:
        return
    target = absolute_url(element.get("href"), url)
    if target and relation == "hub":
        hubs.append(target)
    elif target:
        links.setdefault(relation, target)


def _hints(facts: dict[str, str], skipped: dict[str, list[str]]) -> Hints:
    ttl = facts.get("ttl", "").strip()[:7]
    hours = sorted({int(text.strip()) % 24 for text in skipped["hour"] if text.strip().isdecimal()})
    days = sorted({DAYS.index(text.strip().lower()) for text in skipped["day"] if text.strip().lower() in DAYS})
    period = facts.get("updateperiod", "")
    return Hints(
        ttl_seconds=60.0 * int(ttl) if ttl.isdecimal() else 0.0,
        period_seconds=update_period_seconds(period, facts.get("updatefrequency", "")) if period else 0.0,
        skip_hours=tuple(hours),
        skip_days=tuple(days),
    )


def _entry(position: int, element: Any, base: str) -> Entry:
    facts: dict[str, str] = {}
    whole, short, link = "", "", ""
    for child in element:
        name = local_name(child)
        if name == "link":
            link = link or _link_of(child)
            continue
        text = _text(child)
        if name in _WHOLE_TEXTS:
            whole = max(whole, text, key=len)
        elif name in _SHORT_TEXTS:
            short = max(short, text, key=len)
        facts.setdefault(name, text)
    guid = (facts.get("guid") or facts.get("id") or element.get(_RDF_ABOUT) or "").strip()
    link = link.strip() or facts.get("loc", "").strip()
    if not link and guid.startswith(("http://", "https://")):
        link = guid
    title = facts.get("title", "").strip() or _news_title(element)
    best = whole if len(whole) > len(short) else short
    return Entry(
        position=position,
        guid=guid,
        link=absolute_url(link, base) or "",
        title=digest(title),
        text=digest("\n".join((title, _words(whole), _words(short), facts.get("lastmod", "")))),
        words=len(_words(best).split()),
        whole=len(whole) > len(short) and not _is_cut(whole),
        modified=(facts.get("lastmod") or facts.get("updated") or facts.get("modified") or "").strip()[:40],
    )


_RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"


def _link_of(element: Any) -> str:
    href = element.get("href")
    if href is None:
        return _text(element)
    return href if (element.get("rel") or "alternate").lower() == "alternate" else ""


def _news_title(element: Any) -> str:
    return next((_text(each).strip() for each in element.iter() if local_name(each) == "title"), "")


def _text(element: Any) -> str:
    return "".join(element.itertext()) if isinstance(element.tag, str) else ""


def _words(markup: str) -> str:
    """The words of a text: markup, in which trackers change with every answer, makes no other text of it."""
    return " ".join(_WORD.findall(_TAG.sub(" ", markup[:_MOST_CHARACTERS])))


def _is_cut(markup: str) -> bool:
    """Whether a text ends as one does that goes on elsewhere."""
    end = _TAG.sub(" ", markup[-_MOST_CHARACTERS:]).rstrip()
    return _CUT.search(end[-_END_CHARACTERS:]) is not None


def _glance_json(content: bytes, url: str) -> Glance:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Glance(kind="other")
    if not isinstance(value, dict):
        return Glance(kind="other")
    items = value.get("items")
    entries = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    following = absolute_url(_string(value.get("next_url")), url)
    hubs = value.get("hubs")
    found = [_string(hub.get("url")) for hub in hubs if isinstance(hub, dict)] if isinstance(hubs, list) else []
    return Glance(
        kind="feed",
        title=_string(value.get("title"))[:300],
        entries=tuple(_json_entry(position, item, url) for position, item in enumerate(entries[:MOST_ENTRIES])),
        links={"next": following} if following else {},
        hubs=tuple(hub for hub in (absolute_url(each, url) for each in found) if hub),
    )


def _json_entry(position: int, item: dict[str, Any], base: str) -> Entry:
    title = _string(item.get("title")).strip()
    text = max((_string(item.get(name)) for name in _WHOLE_TEXTS), key=len)
    short = _string(item.get("summary"))
    link = _string(item.get("url")) or _string(item.get("external_url"))
    return Entry(
        position=position,
        guid=_string(item.get("id")).strip(),
        link=absolute_url(link, base) or "",
        title=digest(title),
        text=digest("\n".join((title, _words(text), _words(short)))),
        words=len(_words(max(text, short, key=len)).split()),
        whole=len(text) > len(short) and not _is_cut(text),
    )


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def link_name(link: str) -> str:
    """What a link has in common with itself under http and https: its canonical form without scheme."""
    canonical = canonical_url(link) or link
    return canonical.partition("://")[2] or canonical
