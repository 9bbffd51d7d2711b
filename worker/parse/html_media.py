"""Pictures of a page's article with caption and credit, as its figures show them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import lxml.html
import msgspec

from worker.clean.text import clean_line
from worker.clean.urls import absolute_url
from worker.model import Media
from worker.parse.draft import Draft

_FIGURES = "(//article | //main | //*[@role='main'])//figure[.//figcaption]"
_CREDITS = re.compile(r"credit|copyright|source|photographer|attribution|byline|author|quelle|urheber", re.IGNORECASE)
_MOST = 20
_LONGEST = 1_000


def set_media(draft: Draft, tree: lxml.html.HtmlElement, base: str | None) -> None:
    """Adds captions and credits to the pictures the page declares, and figures with a caption that it does not."""
    known: tuple[Media, ...] = draft.fields.get("media", ())
    shown = {_name(media.url): media for media in reversed(list(_figures(tree, base)))}
    if not shown:
        return
    merged = [_merged(media, shown.pop(_name(media.url), None)) for media in known]
    draft.fields["media"] = (*merged, *reversed(shown.values()))[:_MOST]
    draft.provenance.setdefault("media", "figure")


def _figures(tree: lxml.html.HtmlElement, base: str | None) -> Iterator[Media]:
    for figure in tree.xpath(_FIGURES)[:_MOST]:
        captions = figure.findall(".//figcaption")
        caption, credit = _texts(captions[0])
        address = next(filter(None, (_address(image, base) for image in figure.iter("img"))), None)
        if address and (caption or credit):
            yield Media(url=address, type="image", caption=caption, credit=credit)


def _address(image: lxml.html.HtmlElement, base: str | None) -> str | None:
    for name in ("src", "data-src", "data-original"):
        value = (image.get(name) or "").strip()
        if value and not value.startswith("data:"):
            return absolute_url(value, base)
    return None


def _texts(caption: lxml.html.HtmlElement) -> tuple[str | None, str | None]:
    """(caption without credit, credit), where an element in the caption names itself as the credit."""
    whole = clean_line(caption.text_content())[:_LONGEST]
    for element in caption.iter():
        names = f"{element.get('class', '')} {element.get('itemprop', '')}"
        credit = clean_line(element.text_content())[:_LONGEST] if _CREDITS.search(names) else ""
        if credit and element is not caption:
            return clean_line(whole.replace(credit, " ", 1)) or None, credit
    return whole or None, None


def _merged(media: Media, shown: Media | None) -> Media:
    if shown is None:
        return media
    return msgspec.structs.replace(media, caption=media.caption or shown.caption, credit=media.credit or shown.credit)


def _name(url: str) -> str:
    """The last part of an address, by which sizes of one picture are told to be the same."""
    return re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")[2] or url
