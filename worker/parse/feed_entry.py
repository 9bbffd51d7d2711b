"""An entry as feedparser read it -> a draft: links, texts, people, dates, terms, media and rights."""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from worker.clean.dates import Dated, read_date
from worker.clean.html import html_to_text, looks_like_markup, sanitize
from worker.clean.people import is_agency
from worker.clean.text import clean_line
from worker.clean.urls import absolute_url
from worker.model import Article, Media, Rights, Subject
from worker.parse.draft import Draft
from worker.parse.feed_wordpress import as_shown, refuse_unpublished

_HTML_TYPES = ("text/html", "application/xhtml+xml")
_RELATIVE = re.compile(r"[^\s:<>\"'\\]+")
"""A path without scheme: nothing that could run or name another kind of address."""

_DRAWING = re.compile(r"</?(?:svg|title|desc)\b[^<>]*>", re.IGNORECASE)
"""Where an entry is nothing but a drawing, the words that explain it are its text."""
_NAME = re.compile(r"[\w:@-]+")

_NAME_AND_ADDRESS = re.compile(
    r"(?P<before>[^@<>()]{2,100}?)\s*[<(][^\s<>()@]+@[^\s<>()@]+[>)]|[^\s<>()@]+@[^\s<>()@]+\s*\((?P<after>[^()]{2,100})\)"
)
_ITUNES = "http://www.itunes.com/"
_MOST_MEDIA = 20
_FULL_TEXTS = ("turbo_content", "yandex_full-text", "mailru_full-text", "full-text", "fulltext")
"""Extensions of RSS for the whole text, as Russian portals ask for it."""


def read_entry(entry: Any, feed: Any, draft: Draft) -> Article:
    """An entry and its feed as feedparser gives them (the feed's `base` added) -> the article.

    Raises Rejected `no_article` where there is no text.
    """
    # Without feedparser's aliases, which cost as much as all the rest and answer "updated" with "published".
    entry = as_shown(dict(entry), feed.get("wp_names") or {})
    refuse_unpublished(entry)
    draft.set_text("guid", entry.get("id"), "feed")
    _set_url(entry, feed, draft)
    draft.set_text("headline", plain(entry.get("title"), entry.get("title_detail")), "feed")
    _set_texts(entry, feed, draft)
    _set_people(entry, feed, draft)
    _set_published(entry, draft)
    draft.set_updated(entry.get("updated"), "feed")
    _set_terms(entry, draft)
    draft.set("media", tuple(_media(entry))[:_MOST_MEDIA], "feed")
    source = entry.get("source") or {}
    draft.set_text("syndicated_from", plain(source.get("title"), source.get("title_detail")), "feed")
    _set_rights(entry, feed, draft)
    draft.declared_language = entry.get("language") or _language_of_texts(entry) or feed.get("language")
    return draft.finish("feed", "feedparser")


def plain(value: Any, detail: Any) -> str | None:
    """A feed's text construct -> plain text."""
    if not isinstance(value, str):
        return None
    if not _is_markup(value, detail or {}):
        return value
    return html_to_text(value) or html_to_text(_DRAWING.sub("", value))


def _is_markup(value: str, detail: Any) -> bool:
    return detail.get("type", "text/html") in _HTML_TYPES and looks_like_markup(value)


def _set_url(entry: Any, feed: Any, draft: Draft) -> None:
    """Absolute by what the feed says of its own address; a path that nothing completes stays as it is."""
    alternates = [link.get("href") for link in entry.get("links", ()) if link.get("rel") == "alternate"]
    found = entry.get("link")
    # Where links are written as text, feedparser may take an enclosure's for the entry's.
    link = str((found if found in alternates or not alternates else alternates[0]) or "").strip()
    if not link or (link == entry.get("id") and not alternates and _NAME.fullmatch(link)):
        # RSS calls every guid a link unless told; one that is a mere name stays the guid it is.
        return
    absolute = absolute_url(link, feed["base"])
    if absolute is not None:
        draft.set("url", absolute, "feed")
    elif _RELATIVE.fullmatch(link) and not link.startswith("//"):
        draft.set("url", link, "feed")
        draft.fields["identity_url"] = False
        draft.warn("url_relative")
    else:
        draft.warn("url_unusable")


def base_of(feed: Any) -> str | None:
    """The page a feed belongs to, else its own address."""
    own = (link.get("href") for link in feed.get("links", ()) if link.get("rel") == "self")
    return next((url for url in (feed.get("link"), *own) if absolute_url(url)), None)


def _language_of_texts(entry: Any) -> str | None:
    """The language declared on the entry's own text elements (xml:lang)."""
    details = (*entry.get("content", ()), entry.get("summary_detail"), entry.get("title_detail"))
    return next((detail["language"] for detail in details if detail and detail.get("language")), None)


def _set_texts(entry: Any, feed: Any, draft: Draft) -> None:
    """Body and abstract: the content if there is any besides the summary, else the summary is the body."""
    contents = [content for content in entry.get("content", ()) if content.get("value")]
    if not contents:
        contents = [{"value": text} for name in _FULL_TEXTS if isinstance(text := entry.get(name), str) and text]
    best = max(contents, key=lambda content: len(content["value"]), default=None)
    summary_detail = entry.get("summary_detail") or {}
    written = entry.get("summary") or ("" if best else _caption(entry)) or ""
    summary = plain(written, summary_detail) or ""
    body = plain(best["value"], best) if best else summary
    full = bool(best) and len(body or "") > len(summary)
    if not (body or "").strip():
        body, full = summary, False
    draft.set_text("body_text", body, "feed")
    source = best or {"value": written, **summary_detail}
    if _is_markup(source["value"], source):
        page = source.get("base") or absolute_url(draft.fields.get("url")) or feed["base"]
        draft.set("body_html", sanitize(source["value"], page), "feed")
    if summary != body:
        draft.set_text("abstract", summary, "feed")
    deck = clean_line(plain(entry.get("subtitle"), entry.get("subtitle_detail")) or "")
    if deck and deck not in clean_line(summary) and deck != draft.fields.get("headline"):
        draft.set_text("subheadline", deck, "feed")
    if body:
        draft.set("is_full_text", full or (bool(best) and not summary), "feed")


def _caption(entry: Any) -> str | None:
    """The text of media:description, under the name it was given for feedparser."""
    caption = entry.get("media_caption")
    return caption if isinstance(caption, str) else None


def _set_people(entry: Any, feed: Any, draft: Draft) -> None:
    """The entry's authors; those of an Atom feed speak for every entry that names none (RFC 4287, 4.2.1)."""
    people = [person for person in entry.get("authors", ()) if person]
    if not people and not entry.get("author") and feed.get("is_atom"):
        people = [person for person in feed.get("authors", ()) if person]
    names = [person["name"] for person in people if person.get("name")]
    author = entry.get("author")
    if author and not names:
        names = [author]
    elif len(names) == 1 and (named := _NAME_AND_ADDRESS.fullmatch(author or "")):
        # feedparser cuts addresses in newer top-level domains short and leaves the rest in the name.
        names = [(named["before"] or named["after"]).strip()]
    draft.set_text("byline", ", ".join(dict.fromkeys(names)), "feed")
    draft.set_authors(names, "feed")
    for credit in (entry.get("publisher"), entry.get("dc_source")):
        if isinstance(credit, str) and is_agency(credit):
            draft.set_text("provider", credit, "feed")


def _set_published(entry: Any, draft: Draft) -> None:
    """By our reading of the text; feedparser's where we cannot read it (it knows more languages)."""
    for name in ("published", "created", "prism_publicationdate", "updated"):
        value = entry.get(name)
        if not value:
            continue
        read = read_date(value)
        if read.at is None and "date_unreadable" in read.warnings and (moment := _moment(entry.get(f"{name}_parsed"))):
            read = Dated(moment, "second")
        if draft.set_published_read(read, "feed"):
            if name != "published":
                draft.warn(f"published_from_{name}")
            return


def _moment(parsed: Any) -> datetime | None:
    """A time tuple in UTC -> datetime; None where it is none or not a real moment."""
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, TypeError, OSError):
        return None


def _set_terms(entry: Any, draft: Draft) -> None:
    """Categories are keywords; those of a named vocabulary are subjects too. Places are GeoRSS's and DC's."""
    tags = [tag for tag in entry.get("tags", ()) if tag.get("label") or tag.get("term")]
    draft.set_terms("keywords", (tag.get("label") or tag["term"] for tag in tags), "feed")
    subjects = {
        (tag["scheme"], tag.get("term")): Subject(
            name=clean_line(tag.get("label") or tag["term"])[:200],
            scheme=clean_line(tag["scheme"])[:200],
            code=clean_line(tag["term"])[:200] if tag.get("label") and tag.get("term") else None,
        )
        for tag in tags
        if tag.get("scheme") and tag["scheme"] != _ITUNES
    }
    draft.set("subjects", tuple(subjects.values()), "feed")
    places = (entry.get(name) for name in ("georss_featurename", "dc_coverage", "dcterms_spatial"))
    draft.set_terms("places", (place for place in places if isinstance(place, str)), "feed")


def _media(entry: Any) -> Iterator[Media]:
    """Media RSS, enclosures and pictures, each address once; a caption or credit only where it is clear whose."""
    found: dict[str, str] = {}
    image = entry.get("image")
    enclosures = (link for link in entry.get("links", ()) if link.get("rel") == "enclosure")
    items = (*entry.get("media_content", ()), *enclosures, *entry.get("media_thumbnail", ()))
    for item in (*items, *([image] if isinstance(image, dict) else [])):
        url = str(item.get("url") or item.get("href") or "").strip()
        kind = (item.get("medium") or item.get("type") or "image").partition("/")[0]
        if url.startswith(("http://", "https://")):
            found.setdefault(url, kind)
    captions = [_caption(entry)]
    credited = [credit.get("content") for credit in entry.get("media_credit", ())]
    stated = len(entry.get("media_content", ()))
    for index, (url, kind) in enumerate(found.items()):
        yield Media(
            url=url,
            type=kind,
            caption=_of_one(captions, index, stated),
            credit=_of_one(credited, index, stated),
        )


def _of_one(values: list[Any], index: int, stated: int) -> str | None:
    """The text that belongs to the media item: there must be as many texts as items."""
    if index >= len(values) or len(values) != stated or not isinstance(values[index], str):
        return None
    return clean_line(plain(values[index], {}) or "")[:2_000] or None


def _set_rights(entry: Any, feed: Any, draft: Draft) -> None:
    """What the entry, else the feed, says of its rights."""
    for part in (entry, feed):
        notice = clean_line(plain(part.get("rights"), part.get("rights_detail")) or "")[:2_000]
        if notice:
            draft.set("rights", Rights(notice=notice), "feed")
            return
