"""When a page was published, where the usual meta elements do not say: other meta names, microdata, times, lines.

What stands beside other texts (teasers, comments, side bars) is their date and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import lxml.html
import msgspec

from worker.clean.dates import WITHOUT_ZONE, Dated, read_date
from worker.clean.text import clean_line
from worker.parse.html_byline import is_elsewhere

_PUBLISHED_NAME = re.compile(
    r"(?:^|[.:_-])(?:(?:first|original|article|content|og|news|page|post|story)?[._:-]?"
    r"(?:publi(?:shed|cation|sh|c)|pub|release|issue[d]?|created?)[._:-]?(?:date[._-]?time|date|time|at|on)?|"
    r"date[._:-]?(?:publi(?:shed|cation)|issued|created)|dcterms[._:]date|ptime)$"
)
"""Names of meta elements for the day of publication, as site software varies them; in small letters."""
_OTHER_NAME = re.compile(r"modif|updat|expir|revis|ublisher|video|image|copyright|site|start|end")
_CHANGED = re.compile(r"updat|modif|edited|aktualis|actualiz|maj\b|mis-?a-?jour|changed", re.IGNORECASE)
_DATE_CLASS = re.compile(
    r"(?:^|[\W_])(?:date(?:time|line|stamp)?|time(?:stamp)?|pub(?:lish(?:ed)?|date)?|published[_-]?(?:on|at|date)?|posted"
    r"(?:-?on)?|fecha|datum|data|tarih|tanggal|datetime|news_?date|meta|byline|createdate|dato|kuupaev|paivays)"
    r"(?:$|[\W_])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MOMENTS = ("data-timestamp", "data-epoch", "data-time", "data-datetime", "data-date", "data-published", "data-utc")
_MOMENT = re.compile(r"1\d{9}|1\d{12}|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_OTHER_PLACES = frozenset(["aside", "nav", "footer"])
_OTHER_TEXTS = re.compile(
    r"comment|related|recommend|teaser|more-?from|most-?read|trending|popular|latest", re.IGNORECASE
)
_NEAR = 5
"""Ancestors of an element that are looked at."""
_TAGS = ("h1", "time", "span", "div", "p", "li", "em", "small", "b", "strong", "dd", "td", "a", "i", "font", "section")
_MOST_ELEMENTS = 12
_MOST_TIMES = 40
_LONGEST = 90
"""Characters of a line that shows a date, with the words around it."""
_CUT = re.compile(
    r"\s*[|·•▪–—]\s*|\s(?:updated?|last|aktualisiert|actualizado|mis à jour|modifi\w+|aggiornato|zuletzt|by|von)\b",
    re.IGNORECASE,
)
_CHANGED_FIRST = re.compile(
    r"\W*(?:last |zuletzt )?(?:updat|modif|edited|aktualis|actualiz|mis à jour|aggiorn)", re.IGNORECASE
)
_EAST_ASIAN = re.compile(r"\d{4}\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일]")
_ALONE = re.compile(
    r"(?:(?:published|posted|veröffentlicht|publié|publicado|pubblicato)(?: on| am| le| el| il)?:? )?"
    r"(?:[^\W\d]{2,12}\.?,? )?(?:\d{1,2}(?:\.|st|nd|rd|th|º)? (?:de )?[^\W\d]{3,12}\.?,? (?:de )?(?:19|20)\d\d|"
    r"[^\W\d]{3,12}\.? \d{1,2}(?:st|nd|rd|th)?, (?:19|20)\d\d|\d{1,2}\.\d{1,2}\.(?:19|20)\d\d|"
    r"(?:19|20)\d\d[.-]\d{2}[.-]\d{2}|(?:19|20)\d\d[年년] ?\d{1,2}[月월] ?\d{1,2}[日일])"
    r"(?:[,.]?(?: at| um| à| \||,)? ?\d{1,2}[:.h]\d{2}(?: ?[ap]\.?m\.?| Uhr)?)?",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"^[/|·•–-]\s*")
_LONGEST_ALONE, _LINES_BELOW, _LINES_ABOVE = 50, 25, 3
_YEAR = re.compile(r"(?:19|20|25)\d\d|[٠-٩۰-۹०-९๐-๙]{4}")


def named_dates(meta: dict[str, list[str]]) -> list[str]:
    """Values of meta elements (lower-case names) that call themselves the date of publication in other ways.

    The earliest day first, for later ones are of new versions; of one day the most precise first.
    """
    names = [name for name in meta if _PUBLISHED_NAME.search(name) and not _OTHER_NAME.search(name)]
    dated = [(value, read_date(value)) for name in names[:_MOST_ELEMENTS] for value in meta[name][:1]]
    known = [(one.at.date(), one.precision == "day", value) for value, one in dated if one.at is not None]
    return [value for _, _, value in sorted(known)]


def marked_dates(tree: lxml.html.HtmlElement) -> list[str]:
    """What microdata and time elements give, the surest first: publication before any, the article's before others'."""
    ranked: list[tuple[int, str]] = []
    for element in tree.xpath("//*[@itemprop='datePublished'][not(self::meta)] | //time[@datetime]")[:_MOST_TIMES]:
        value = element.get("datetime") or element.get("content")
        if value:
            ranked.append((_rank(element), str(value)))
    return [value for _, value in sorted(ranked, key=lambda one: one[0])]


def _rank(element: lxml.html.HtmlElement) -> int:
    if element.get("itemprop") == "datePublished":
        return 0
    if any(around.tag in _OTHER_PLACES or _OTHER_TEXTS.search(around.get("class", "")) for around in _near(element)):
        return 3
    marks = f"{element.get('class', '')} {element.get('itemprop', '')} {element.get('id', '')}"
    return 2 if _CHANGED.search(marks) and "publish" not in marks else 1


def _near(element: lxml.html.HtmlElement) -> Iterator[lxml.html.HtmlElement]:
    return islice(element.iterancestors(), _NEAR)


def shown_dates(tree: lxml.html.HtmlElement, headline: str) -> Iterator[Dated]:
    """Dates that are marked as such below the headline: moments in attributes, then lines of text; or a line above it.

    A time of day that names no zone is left out: only the day is sure.
    """
    places = list(islice(_places(tree), _MOST_ELEMENTS))
    for element in places:
        for name in _MOMENTS:
            if _MOMENT.fullmatch(element.get(name) or ""):
                yield read_date(element.get(name))
    lines = [clean_line(element.text_content()[: 4 * _LONGEST]) for element in places]
    dated = [text for text in lines if len(text) <= _LONGEST and _YEAR.search(text)]
    # Where neither the first nor a part of it can be read, the next are other texts' dates.
    first = next((text for text in dated if not _CHANGED_FIRST.match(text)), None)
    if first is not None:
        yield from (_of_line(text) for text in dated if text in first)
    yield from _lone_dates(reversed(_lines(tree, headline, "preceding", _LINES_ABOVE)))
    # A page that shows only when it was changed was not published later.
    yield from map(_of_line, dated[:1])


def dates_below(tree: lxml.html.HtmlElement, headline: str) -> Iterator[Dated]:
    """The first of the lines right below the headline that is nothing but a date: nothing that is shown is surer."""
    yield from _lone_dates(_lines(tree, headline, "following", _LINES_BELOW))


def _lone_dates(lines: Iterable[lxml.html.HtmlElement]) -> Iterator[Dated]:
    """The first of these lines that is nothing but a date, unless one that is marked as a date says more before."""
    for element in lines:
        text = _BEFORE.sub("", clean_line(element.text or ""))
        if _CHANGED.search(element.get("class") or "") or len(text) > _LONGEST or not _YEAR.search(text):
            continue
        alone = len(text) <= _LONGEST_ALONE and _ALONE.fullmatch(text)
        if (alone or _is_marked(element)) and not is_elsewhere(element):
            dated = _of_line(text)
            if dated.at is None:
                continue
            if alone:
                yield dated
            return


def _lines(tree: lxml.html.HtmlElement, headline: str, side: str, most: int) -> list[lxml.html.HtmlElement]:
    """The elements with text of their own nearest before (`preceding`) or behind (`following`) the headline."""
    heading = _heading(tree, headline)
    # On either axis positions count from the heading.
    path = f"{side}::*[not(self::script or self::style)][normalize-space(text())][position() <= {most}]"
    return [] if heading is None else list(heading.xpath(path))


def _heading(tree: lxml.html.HtmlElement, headline: str) -> lxml.html.HtmlElement | None:
    """The first heading of a page; where it has none of the first rank, the one that is the headline."""
    others = (one for one in tree.iter("h2", "h3") if headline and clean_line(one.text_content()) == headline)
    return next(chain(tree.iter("h1"), others), None)


def _places(tree: lxml.html.HtmlElement) -> Iterator[lxml.html.HtmlElement]:
    below = next(tree.iter("h1"), None) is None
    for element in tree.iter(*_TAGS):
        if element.tag == "h1":
            below = True
            continue
        if below and _is_marked(element) and not is_elsewhere(element):
            yield element


def _is_marked(element: lxml.html.HtmlElement) -> bool:
    """Whether tag, class or id of an element say that it is a date, and not that of a change."""
    marks = _CAMEL.sub("-", f"{element.get('class') or ''} {element.get('id') or ''}")
    return not _CHANGED.search(marks) and (element.tag == "time" or bool(_DATE_CLASS.search(marks)))


def _of_line(text: str) -> Dated:
    """A line -> the date it shows; no date where it is long, names no year or cannot be read."""
    for part in (text, *_EAST_ASIAN.findall(text)[:1], *_CUT.split(text)[:4]):
        if len(part) <= _LONGEST and _YEAR.search(part):
            dated = read_date(part)
            if dated.at is not None:
                return _sure(dated)
    return Dated(None)


def _sure(dated: Dated) -> Dated:
    if dated.at is None or WITHOUT_ZONE not in dated.warnings:
        return dated
    return msgspec.structs.replace(dated, at=dated.at.replace(hour=0, minute=0, second=0), precision="day", warnings=())
