"""OPML, the lists of feeds that readers exchange (https://opml.org/spec2.opml): bytes -> sources -> bytes. Pure.

A folder is an outline without address; its name becomes a tag of every feed in it, also in folders within. The
attribute `category` (comma-separated) gives tags too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from lxml import etree

from worker.config import check_source
from worker.errors import ConfigurationError, FetchError, Rejected
from worker.intake.glance import digest, local_name, read_root
from worker.intake.http import parse_target, without_credentials
from worker.intake.http.urls import printable
from worker.model import Source
from worker.parse.detect import refuse_entities

MOST_FEEDS = 100_000
MOST_BYTES = 50_000_000
MOST_DEPTH = 50
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NO_ID = re.compile(r"[^a-z0-9._-]+")
_LONGEST_ID = 60


class OpmlFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed of an OPML file, as written there."""

    url: str
    name: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import gives: new sources, how many addresses were known, and what cannot be taken, with the reason."""

    sources: tuple[Source, ...]
    known: int = 0
    refused: tuple[tuple[str, str], ...] = ()


def read_opml(content: bytes) -> list[OpmlFeed]:
    """OPML bytes -> its feeds, each address once, in document order, with the tags of all places it stands in.

    Raises ConfigurationError for what is no OPML. Broken XML is read as far as it goes.
    """
    if len(content) > MOST_BYTES:
        raise ConfigurationError(f"an OPML file of {len(content)} bytes, {MOST_BYTES} are allowed")
    try:
        refuse_entities(content)
    except Rejected as error:
        raise ConfigurationError(f"the OPML file: {error.detail}") from error
    root = read_root(content)
    if root is None or local_name(root) != "opml":
        raise ConfigurationError("this is no OPML: its first element is not <opml>")
    found: dict[str, OpmlFeed] = {}
    body = next((child for child in root if local_name(child) == "body"), root)
    pending: list[tuple[Any, tuple[str, ...]]] = [(child, ()) for child in reversed(body)]
    while pending:
        element, folders = pending.pop()
        if local_name(element) != "outline":
            continue
        attributes = {str(name).lower(): str(value).strip() for name, value in element.attrib.items()}
        name = attributes.get("text") or attributes.get("title") or ""
        url = attributes.get("xmlurl", "")
        if url:
            _take(found, url, name, attributes, folders)
            if len(found) > MOST_FEEDS:
                raise ConfigurationError(f"an OPML file of more than {MOST_FEEDS} feeds")
        below = folders if url or not name else (*folders, name)
        if len(below) <= MOST_DEPTH:
            pending += [(child, below) for child in reversed(element)]
    return list(found.values())


def sources_of(feeds: Iterable[OpmlFeed], known: Sequence[Source]) -> Imported:
    """Feeds -> sources with ids made from their names; addresses that are known already are left as they are.

    Imported again, the same file gives the same ids. Only http(s) addresses are taken: a list may come from anybody.
    """
    addresses = {_address(source.url) for source in known if source.url}
    ids = {source.id for source in known}
    new: list[Source] = []
    refused: list[tuple[str, str]] = []
    already = 0
    for feed in feeds:
        if _address(feed.url) in addresses:
            already += 1
            continue
        try:
            source = _source(feed, ids)
        except (ConfigurationError, FetchError) as error:
            refused.append((printable(without_credentials(feed.url)), str(error)))
            continue
        addresses.add(_address(feed.url))
        ids.add(source.id)
        new.append(source)
    return Imported(sources=tuple(new), known=already, refused=tuple(refused))


def write_opml(sources: Iterable[Source], title: str = "copydesk") -> bytes:
    """Feeds -> OPML 2.0; a source's tags are folders in each other, so that reading it gives the same tags.

    Credentials in addresses are left out, and local files too, which are nobody else's.
    """
    root = etree.Element("opml", version="2.0")
    head, body = etree.SubElement(root, "head"), etree.SubElement(root, "body")
    etree.SubElement(head, "title").text = title
    folders: dict[tuple[str, ...], Any] = {(): body}
    for source in sources:
        if source.kind != "feed" or not (source.url or "").startswith(("http://", "https://")):
            continue
        outline = etree.SubElement(_folder(folders, source.tags), "outline", type="rss")
        outline.set("text", _writable(source.name or source.id))
        outline.set("xmlUrl", _writable(without_credentials(source.url or "")))
        if source.language:
            outline.set("language", _writable(source.language))
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True)
    return written


def _folder(folders: dict[tuple[str, ...], Any], tags: tuple[str, ...]) -> Any:
    if tags not in folders:
        folder = etree.SubElement(_folder(folders, tags[:-1]), "outline", text=_writable(tags[-1]))
        folders[tags] = folder
    return folders[tags]


def _take(
    found: dict[str, OpmlFeed], url: str, name: str, attributes: dict[str, str], folders: tuple[str, ...]
) -> None:
    categories = (part.strip().strip("/") for part in attributes.get("category", "").split(","))
    tags = tuple(dict.fromkeys([*folders, *(part for part in categories if part)]))
    before = found.get(_address(url))
    if before is not None:
        tags = tuple(dict.fromkeys([*before.tags, *tags]))
        found[_address(url)] = msgspec.structs.replace(before, tags=tags)
        return
    found[_address(url)] = OpmlFeed(url=url, name=name[:300], language=attributes.get("language", "")[:35], tags=tags)


def _source(feed: OpmlFeed, ids: set[str]) -> Source:
    target = parse_target(feed.url)
    slug = _slug(feed.name) or _slug(target.host)
    if slug in ids:
        slug = f"{slug}-{digest(target.url)}"
    return check_source(
        Source(
            id=slug,
            kind="feed",
            url=feed.url,
            name=feed.name or None,
            language=feed.language if _LANGUAGE.fullmatch(feed.language) else None,
            tags=feed.tags,
        )
    )


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NO_ID.sub("-", plain).strip("-._")[:_LONGEST_ID].rstrip("-._")


def _address(url: str) -> str:
    """What two spellings of one feed's address have in common."""
    try:
        return parse_target(url).url.partition("://")[2].removeprefix("www.").rstrip("/")
    except FetchError:
        return url


def _writable(text: str) -> str:
    """Text that XML can hold."""
    return _FORBIDDEN.sub("", text)
