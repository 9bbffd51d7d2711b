"""Who wrote a page, as the page shows it: marked names, bylines, links to authors' pages, lines that say "By".

A site's own name is no author.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from urllib.parse import unquote

import lxml.html
from lxml import etree

from worker.clean.people import BYLINE_PREFIX, parse_byline
from worker.clean.text import clean_line

_FEWEST_LETTERS = 3
_AUTHOR_WORD = re.compile(
    r"(?:^|[\W_])(?:authors?|authored|bylines?|autore?n?|auteurs?|autoren|writers?|p-author|vcard|yazar|penulis|"
    r"skribent|forfatter)(?:$|[\W_\d])",
    re.IGNORECASE,
)
_AUTHOR_HINT = re.compile(r"[Aa]ut|[Bb]y-?[Ll]ine|[Ww]riter|vcard|AUT|yazar|penulis|skribent|forfatter")
"""A quick look at what the next pattern can match, for the many elements that name no author."""
_OUTLET_CUT = re.compile(r"\s+[-–—|/]\s+")
_DIGIT = re.compile(r"\d")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ELSEWHERE = re.compile(
    r"comment|kommentar|related|recommend|teaser|promo|sidebar|footer|(?<!v)card|widget|nav|menu|share|social|avatar|image|photo|bio\b|"
    r"description|date|follow|newsletter|more-?from|(?:^|[\W_])(?:tag|category|topic)s?(?:$|[\W_])",
    re.IGNORECASE,
)
_OTHER_TEXTS = re.compile(
    r"comment|kommentar|related|recommend|teaser|(?<!with-)(?<!has-)(?<!content-main-)sidebar|footer|more-?from|most-?read|"
    r"trending|popular|latest|read-?next",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"/(?:authors?|autore?n?|autor(?:es|in)?|auteurs?|people|person|profiles?|staff|by|contributors?|journalists?|"
    r"writers?|redaktion|redakteure?|columnists?|yazar(?:lar)?|reporters?|penulis|experts?)[/.]",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:by|written by|reported by|posted by|published by|words(?: by)?|story by|text(?: by| von)?|authors?|"
    r"about the authors?|contributors?(?=\s*[:：])|redaktion(?=\s*[:：])|vo[nm]|verfasst von|"
    r"geschrieben von|erstellt von|veröffentlicht von|ein (?:gast)?(?:artikel|beitrag|bericht|kommentar) von|"
    r"autor(?:in|en|innen|es|a)?|par|"
    r"écrit par|publié par|auteurs?|por|escrito por|publicado por|di|scritto da|da|a cura di|autore|door|"
    r"geschreven door|af|av|skrevet av|tekst|от|автор|yazan|oleh|penulis|投稿者|著者|作者|文)"
    r"(?:\s*[:：]\s*|\s+|$|(?-i:(?<=y|n|r)(?=[A-ZÀ-Þ])))",
    re.IGNORECASE,
)
_AUTHOR_PAGE = re.compile(
    r"/(?:authors?|autore?n?|autor(?:es|in)?|auteurs?|profiles?|staff|contributors?|journalists?|writers?|"
    r"redaktion|redakteure?|columnists?|yazar(?:lar)?|reporters?|penulis)[/.]",
    re.IGNORECASE,
)
_JOINS = re.compile(r"(?:and|und|et|y|e|og|och|en|&|,|;|/)", re.IGNORECASE)
_SAYS_BY = re.compile(
    r"[\s|·•–-]*(?:(?:(?:written|reported|posted|published|story|words|text)\s+)?by|(?:verfasst|geschrieben|erstellt|"
    r"veröffentlicht|text|ein (?:gast)?(?:artikel|beitrag|bericht|kommentar))?\s*von|(?:écrit |publié )?par|"
    r"(?:escrito |publicado )?por|(?:scritto )?da|di|a cura di|door|av|af|oleh|autor(?:in|en|innen)?|author|"
    r"contributors?(?=\s*[:：])|redaktion(?=\s*[:：])|penulis|投稿者)"
    r"(?:\s*[:：]|\s|$|(?-i:(?<=y|n|r)(?=[A-ZÀ-Þ])))",
    re.IGNORECASE,
)
_DATE = (
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2}\.? [^\W\d_]{3,10}\.? \d{4}|"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? \d{4})"
)
_DATED = re.compile(
    rf"\s*(?P<name>[^|,\d]{{5,50}}?)\s*(?:[|·•–-]\s*{_DATE}|,\s*(?=[a-z]+\.? \d{{1,2}}, \d{{4}}){_DATE})|"
    rf"\s*{_DATE}\s*[|,·•–-]\s*(?P<after>[^|,\d]{{5,50}})\s*$",
    re.IGNORECASE,
)
"""A short line that is a name and a date, in either order."""
# What follows a name in a byline: dates, times, reading times, counts, calls to follow, where or for whom.
_TAIL = re.compile(
    r"\s*(?:[|·•▪–—\n]|\s-\s|\b\d{1,4}[./:-]\d|\b\d{1,2}\.? [^\W\d_]{3,10}\.? \d{4}|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[a-z]*\.? \d|"
    r"\b(?:published|updated|posted|last|follow|veröffentlicht|aktualisiert|stand|publié|mis à jour|publicado|"
    r"actualizado|pubblicato|hace|il y a|tiempo|read(?:ing)? time|min read|subscribe|see full bio|reviewed by|"
    r"medically|fact|edited by|read more|in|for|on|am|um|le|el|vom|illustration|fotos?|photos?|editor)\b).*",
    re.IGNORECASE | re.DOTALL,
)
_BEFORE = re.compile(
    r"^(?:about(?: the authors?)?|über|view all posts by|see all (?:articles|posts) by|"
    r"(?:zeige )?alle (?:beiträge|artikel) von|"
    r"read more about|more (?:from|by)|posts? by|articles? by|insights from|author posted by)\s*:?\s*|"
    rf"^(?:posted|published|veröffentlicht|erstellt|publié|publicado)(?: on| am| le| el)?:? {_DATE}[\d:., ]*"
    r"(?=(?:by|von|par|por) )|^[\s|·•–-]+",
    re.IGNORECASE,
)
_NO_DATE_AFTER = re.compile(r"\s+(?:in|for|le|el)\s", re.IGNORECASE)
"""What follows a whole name, but stands inside titles: `Human in the Loop`."""
_IN_BRACKETS = re.compile(r"\s*\([^()\s]+\s[^()]*\)")
_PLAIN_SAYING = re.compile(
    r"(?:written|posted|published) by|(?:verfasst|geschrieben|veröffentlicht) von|(?:écrit|publié) par|"
    r"(?:escrito|publicado) por|scritto da",
    re.IGNORECASE,
)
"""What announces an author even where a single word follows."""
_NAME_WORD = re.compile(
    r"(?:[^\W\d_a-zß-öø-ÿ][^\W\d_]*[.'’-]?)+|(?:[A-Z]\.)+|d[’'][A-Z]\w+|"
    r"(?:van|von|der|den|de|del|della|da|di|do|dos|du|la|le|el|al|bin|ben|ibn|zu|zur|af|av|y|e|ter|ten|st)\.?"
)
Elements = list[lxml.html.HtmlElement]

EXPLICIT = 4
"""How many of the first groups of `visible_names` come from explicit markup and look like names."""
_LONGEST = 160
_MOST_ELEMENTS = 12
_NEAR = 5
"""An element and how many of its ancestors are looked at."""
_MOST_LINES = 6
_MOST_WORDS = 5
_MARKUP = ("//*[@itemprop='author']", "//a[contains(concat(' ', @rel, ' '), ' author ')]")
_TAGS = (
    *("h1", "div", "span", "p", "a", "li", "address", "h2", "h3", "h4", "h5", "h6", "cite", "strong", "ul", "section"),
    *("em", "i", "b", "small", "font", "td", "dd", "header", "aside", "footer", "time", "label"),
)
_MARKED_TAGS = frozenset(
    ["div", "span", "p", "a", "li", "address", "h3", "h4", "h5", "h6", "cite", "strong", "ul", "section"]
)
_OTHER_PLACES = frozenset(["aside", "footer", "nav", "figure", "figcaption"])
_UNREAD = frozenset(["script", "style", "noscript", "svg", "button", "template", "select"])
_INLINE = frozenset(["a", "b", "strong", "em", "i", "span", "font", "u", "small", "bdi", "cite", "abbr", "mark"])


def without_sites(names: Iterable[str], sites: Iterable[str]) -> list[str]:
    """Names that are not the site's own (`Valley Post`, `valleypost.example`)."""
    known = {_key(site) for site in sites if len(_key(site)) > 1}
    hosts = {key.partition(".")[0] for key in map(str.casefold, sites) if "." in key}
    own = known | hosts
    people = (_without_outlet(name, own) for name in names)
    return [name for name in people if _key(name) not in own and not _names_site(name, known)]


def _without_outlet(name: str, own: set[str]) -> str:
    """`Ann Roe - Valley Post` -> `Ann Roe`."""
    parts = _OUTLET_CUT.split(name)
    kept = [part for part in parts if _key(part) not in own]
    return kept[0] if len(parts) > 1 and len(kept) == 1 else name


def visible_names(tree: lxml.html.HtmlElement) -> Iterator[list[str]]:
    """Groups of names as the page shows them: first those that look like names, the most explicit markup first."""
    marked = [tree.xpath(path) for path in _MARKUP]
    named, profiles, saying, dated = _look(tree)
    for elements in (*marked, saying, named):
        yield _names_in(elements, strict=True)
    for elements in (*marked, named):
        yield _names_in(elements, strict=False)
    yield _names_in([link for link in profiles if _leads_to_name(link)], strict=True)
    yield _names_in([link for link in profiles if _LABEL.match(clean_line(_lines_of(link)))], strict=False)
    yield dated[:1]
    yield _names_in(
        [element for element in saying if _PLAIN_SAYING.match(clean_line(_lines_of(element)))], strict=False
    )


def says_by(label: str) -> bool:
    """Whether a label announces an author: `Written by`, `Verfasst von`, `Autor:`."""
    return bool(_SAYS_BY.match(label))


def look_like_names(names: Iterable[str]) -> bool:
    """Whether all names look like names: two to five words, each with a capital or a particle."""
    return all(map(_looks_like_name, names))


def _look(tree: lxml.html.HtmlElement) -> tuple[Elements, Elements, Elements, list[str]]:
    """One pass: elements whose class names an author, links to authors' pages, what says "By", names with dates.

    All but the first count only below the first heading of the page, where there is one.
    """
    dated: list[str] = []
    named: Elements = []
    profiles: Elements = []
    saying: Elements = []
    below = False
    for element in tree.iter(*_TAGS):
        if element.tag == "h1":
            if not below:
                profiles, saying, dated, below = [], [], [], True
            continue
        get = element.get
        if element.tag in _MARKED_TAGS and len(named) < _MOST_ELEMENTS:
            marks = f"{get('class') or ''} {get('id') or ''} {get('data-testid') or ''}"
            if _AUTHOR_HINT.search(marks) and _names_author(marks):
                named.append(element)
        if element.tag == "a" and len(profiles) < _MOST_ELEMENTS and _AUTHOR_PAGE.search(get("href") or ""):
            profiles.append(element)
        text = element.text
        if not text or len(text) > _LONGEST:
            continue
        if len(saying) < _MOST_ELEMENTS and _SAYS_BY.match(text):
            saying.append(element.getparent() if _LABEL.fullmatch(text.strip()) and not len(element) else element)
        elif below and not dated and (_DIGIT.search(text) or text.rstrip().endswith("|")):
            dated = _names_with_date(element, text)
    return named, profiles, saying, dated


def _names_author(marks: str) -> bool:
    """Whether class, id and test id say that an element is a byline."""
    marks = _CAMEL.sub("-", marks).replace("__", "-")
    return bool(_AUTHOR_WORD.search(marks)) and not _ELSEWHERE.search(marks)


def _names_with_date(element: lxml.html.HtmlElement, text: str) -> list[str]:
    """The name of a line that is a name and a date; a text that ends in a bar goes on in its parent."""
    around = element.getparent()
    if around is not None and text.rstrip().endswith("|"):
        text = clean_line(_lines_of(around))
    found = _DATED.match(text)
    name = clean_line(found["name"] or found["after"]) if found else ""
    return [name] if _looks_like_name(name) and not _is_elsewhere(element) else []


def _leads_to_name(link: lxml.html.HtmlElement) -> bool:
    """Whether a link's address spells most of its text."""
    target = _plain(link.get("href") or "")
    words = [word for word in _plain(_lines_of(link)).split() if len(word) >= _FEWEST_LETTERS]
    return sum(word in target for word in words) * 2 > len(words)


def _plain(text: str) -> str:
    """Small letters without accents, everything else as spaces."""
    letters = unicodedata.normalize("NFKD", unquote(text)).casefold()
    return " ".join(re.findall(r"[^\W_]+", re.sub("[\u0300-\u036f]", "", letters)))


def _names_in(elements: Elements, *, strict: bool) -> list[str]:
    """Names in the first element that holds any, and in its like siblings. `strict`: each must look like a name."""
    for index, element in enumerate(elements[:_MOST_ELEMENTS]):
        if _is_elsewhere(element):
            continue
        names = _names_of(element, strict=strict)
        if names:
            parent, kind = element.getparent(), element.get("class")
            like = [
                other for other in elements[index + 1 :] if other.getparent() is parent and other.get("class") == kind
            ]
            rest = (name for other in like for name in _names_of(other, strict=strict))
            return list(dict.fromkeys([*names, *rest]))
    return []


def _names_of(element: lxml.html.HtmlElement, *, strict: bool) -> list[str]:
    if element.tag == "meta":
        return _people(element.get("content", ""), strict=strict)
    inner = [
        *element.xpath(".//*[@itemprop='name']"),
        *(a for a in element.iter("a") if _PROFILE.search(a.get("href", ""))),
    ]
    for parts in (inner, [element]):
        texts = (part.get("content") or _lines_of(part) for part in parts[:10])
        names = [name for text in texts for name in _people(text, strict=strict)]
        if names:
            return list(dict.fromkeys(names))
    return []


def _lines_of(root: lxml.html.HtmlElement) -> str:
    """An element's text; what stands in elements of its own starts a line, glued inline elements too."""
    pieces: list[str] = []
    skipping: object = None
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            if skipping is None and node.tag in _UNREAD:
                skipping = node
            if skipping is None:
                _add(pieces, node.text, "" if node.tag in _INLINE else "\n")
        else:
            if skipping is node:
                skipping = None
            if skipping is None and node is not root:
                _add(pieces, node.tail, "" if node.tag in _INLINE else "\n")
        if sum(map(len, pieces)) > 4 * _LONGEST:
            break
    return "".join(pieces)


def _add(pieces: list[str], text: str | None, before: str) -> None:
    """Adds a piece of text; a capital right after a small letter of another element starts a line."""
    text = re.sub(r"\s+", " ", text or "")
    last = pieces[-1][-1:] if pieces else ""
    glued = bool(text) and last.islower() and (text[0].isupper() or bool(_LABEL.fullmatch(pieces[-1].strip())))
    if text or before:
        pieces.append("\n" + text if before or glued else text)


def _people(text: str, *, strict: bool) -> list[str]:
    """The names of the first line that holds any; a label or a conjunction alone in a line joins its neighbours."""
    joined = ""
    for line in filter(None, map(clean_line, text.split("\n"))):
        open_end = joined.endswith(",") or bool(_LABEL.fullmatch(joined)) or _JOINS.fullmatch(joined.rpartition(" ")[2])
        starts = _JOINS.fullmatch(line) or line.startswith(("and ", "und ", ", ", "& ", "et "))
        joined = f"{joined} {line}" if joined and (open_end or starts) else f"{joined}\n{line}" if joined else line
    for line in joined.split("\n")[:_MOST_LINES]:
        names = _names_in_line(line[: 2 * _LONGEST])
        if names and all(_looks_like_name(name) if strict else _could_be_name(name) for name in names):
            return names
    return []


def _names_in_line(line: str) -> list[str]:
    line = _BEFORE.sub("", line)
    for _ in range(2):
        line = _LABEL.sub("", line, count=1) if _LABEL.match(line) else line
    line = BYLINE_PREFIX.sub("", _IN_BRACKETS.sub("", line))
    kept = _TAIL.sub("", line)
    if not 2 <= len(kept) <= _LONGEST or (" " not in kept and _NO_DATE_AFTER.match(line, len(kept))):
        return []
    people = parse_byline(kept).people
    likely = [person.name for person in people if len(person.name.split()) <= _MOST_WORDS]
    return likely if len(likely) == len(people) else []


def _looks_like_name(name: str) -> bool:
    """Two to five words, each with a capital or a particle."""
    words = name.split()
    return 2 <= len(words) <= _MOST_WORDS and words[0][:1].isupper() and all(map(_NAME_WORD.fullmatch, words))


def _could_be_name(name: str) -> bool:
    """As a name looks, or a single word, or a script without capitals."""
    return " " not in name or not any(map(str.isupper, name.upper())) or _looks_like_name(name)


def _is_elsewhere(element: lxml.html.HtmlElement) -> bool:
    """Whether the element stands in comments, teasers or other texts' places; what holds an article says nothing."""
    for around in islice(chain([element], element.iterancestors()), _NEAR):
        if around.tag in _OTHER_PLACES or _OTHER_TEXTS.search(f"{around.get('class', '')} {around.get('id', '')}"):
            return True
        if around.tag in ("article", "main"):
            break
    return False


def _names_site(name: str, known: set[str]) -> bool:
    key = _key(name)
    return any(len(site) > 4 and (key == site + "com" or key == "the" + site or site == "the" + key) for site in known)


def _key(text: str) -> str:
    return "".join(re.findall(r"[^\W_]+", text.casefold()))
