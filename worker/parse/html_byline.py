"""Who wrote a page, as the page shows it: marked names, bylines, links to authors' pages, lines that say "By".

A site's own name is no author.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain, islice
from urllib.parse import unquote

import lxml.html

from worker.clean.text import clean_line
from worker.parse.html_byline_text import DATE, LABEL, LONGEST, lines_of, organisation_in, people_in

_FEWEST_LETTERS = 3
_AUTHOR_WORD = re.compile(
    r"(?:^|[\W_])(?:authors?|authored|bylines?|autore?n?|auteurs?|autoren|writers?|p-author|vcard|yazar|penulis|"
    r"skribent|forfatter|journalists?|reporters?|redactor(?:es)?|redakteure?|firmas?|kirjoittaja|szerzo|correspondents?)"
    r"(?:$|[\W_\d])",
    re.IGNORECASE,
)
_AUTHOR_HINT = re.compile(
    r"[Aa]ut|[Bb]y-?[Ll]ine|[Ww]riter|vcard|AUT|yazar|penulis|skribent|forfatter|[Jj]ournalist|"
    r"[Rr]eporter|[Rr]eda[ck]t|[Ff]irma|kirjoittaja|szerzo|orrespondent"
)
"""A quick look at what the next pattern can match, for the many elements that name no author."""
_OUTLET_CUT = re.compile(r"\s+[-–—|/]\s+")
_DIGIT = re.compile(r"\d")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ELSEWHERE = re.compile(
    r"comment|kommentar|related|recommend|teaser|promo|sidebar|footer|(?<!v)card|widget|nav|menu|share|social|avatar|image|photo|bio\b|"
    r"description|date|follow|newsletter|contact|more-?from|(?:^|[\W_])(?:tag|category|topic|note)s?(?:$|[\W_])",
    re.IGNORECASE,
)
_OTHER_TEXTS = re.compile(
    r"comment|kommentar|related|recommend|teaser|(?<!with-)(?<!has-)(?<!no-)(?<!content-)(?<!main-)sidebar|footer|more-?from|most-?read|"
    r"trending|popular|latest|read-?next",
    re.IGNORECASE,
)
_PROFILE = re.compile(
    r"/(?:authors?|autore?n?|autor(?:es|in)?|auteurs?|people|person|profiles?|staff|by|contributors?|journalists?|"
    r"writers?|redaktion|redakteure?|columnists?|yazar(?:lar)?|reporters?|penulis|experts?)[/.]",
    re.IGNORECASE,
)
_AUTHOR_PAGE = re.compile(
    r"/(?:authors?|autore?n?|autor(?:es|in)?|auteurs?|profiles?|staff|contributors?|journalists?|writers?|"
    r"redaktion|redakteure?|columnists?|yazar(?:lar)?|reporters?|penulis)[/.]",
    re.IGNORECASE,
)
_SAYS_BY = re.compile(
    r"[\s|·•–-]*+(?:(?:(?:(?:article )?written|reported|posted|published|submitted|created|story|"
    r"words|text|interview)\s+)?by|"
    r"(?:verfasst|geschrieben|erstellt|eingereicht|gespeichert|"
    r"veröffentlicht|text|ein (?:gast)?(?:artikel|beitrag|bericht|kommentar))?\s*von|(?:écrit |publié )?par|"
    r"(?:escrito |publicado )?por|(?:scritto )?da|di|a cura di|door|av|af|oleh|autor(?:in|en|innen)?|author|"
    r"contributors?(?=\s*[:：])|redaktion(?=\s*[:：])|penulis|投稿者|(?:责任编辑|责编|编辑|记者|作者|撰文)(?=\s*[:：]))"
    r"(?:\s*[:：]|\s|$|(?-i:(?<=y|n|r)(?=[A-ZÀ-Þ])))",
    re.IGNORECASE,
)
_DATED = re.compile(
    rf"\s*(?P<name>[^|,\d]{{5,50}}?)\s*(?:[|·•–-]\s*{DATE}|,\s*(?=[a-z]+\.? \d{{1,2}}, \d{{4}}){DATE})|"
    rf"\s*{DATE}\s*[|,·•–-]\s*(?P<after>[^|,\d]{{5,50}})\s*$",
    re.IGNORECASE,
)
"""A short line that is a name and a date, in either order."""
_OTHER_ROLE = re.compile(
    r"\b(?:review|edit|check|approv|verifi|illustrat|photograph|produc|translat)\w* (?:for \w+ )?by:?\s*$",
    re.IGNORECASE,
)
"""What announces somebody else than the author."""
_PLAIN_SAYING = re.compile(
    r"(?:written|posted|published) by|(?:verfasst|geschrieben|veröffentlicht) von|(?:écrit|publié) par|"
    r"(?:escrito|publicado) por|scritto da|责任编辑|责编|编辑|记者|作者|撰文",
    re.IGNORECASE,
)
"""What announces an author even where a single word follows."""
Elements = list[lxml.html.HtmlElement]

EXPLICIT = 4
"""How many of the first groups of `Bylines.names` come from explicit markup and look like names."""
_MOST_ELEMENTS = 12
_NEAR = 5
"""An element and how many of its ancestors are looked at."""
_MARKUP = ("//*[@itemprop='author']", "//a[contains(concat(' ', @rel, ' '), ' author ')]")
_TAGS = (
    *("h1", "div", "span", "p", "a", "li", "address", "h2", "h3", "h4", "h5", "h6", "cite", "strong", "ul", "section"),
    *("em", "i", "b", "small", "font", "td", "dd", "header", "aside", "footer", "time", "label"),
)
_MARKED_TAGS = frozenset(
    ["div", "span", "p", "a", "li", "address", "h3", "h4", "h5", "h6", "cite", "strong", "ul", "section"]
)
_OTHER_PLACES = frozenset(["aside", "footer", "nav", "figure", "figcaption", "form"])


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


class Bylines:
    """The bylines that a page shows; `sites` are its own names. It is looked through once, when somebody asks."""

    def __init__(self, tree: lxml.html.HtmlElement, sites: tuple[str, ...] = ()) -> None:
        self._tree = tree
        self._sites = sites

    @cached_property
    def _marked(self) -> list[Elements]:
        """Elements that are bylines by their markup, by their words and by their class."""
        named, _, saying, _ = self._found
        return [*(self._tree.xpath(path) for path in _MARKUP), saying, named]

    @cached_property
    def _found(self) -> tuple[Elements, Elements, Elements, list[str]]:
        return _look(self._tree)

    @cached_property
    def organisation(self) -> str | None:
        """The team, the agency or the site itself that a marked byline names; None where there is none."""
        elements = chain.from_iterable(self._marked)
        return next(filter(None, (_organisation_of(element, self._sites) for element in elements)), None)

    def names(self) -> Iterator[list[str]]:
        """Groups of names: first those that look like names, the most explicit markup first.

        Where marked bylines name an organisation and no person, nothing less explicit counts.
        """
        for elements in self._marked:
            yield _names_in(_before_organisation(elements, self._sites), strict=True)
        if self.organisation is not None:
            return
        named, profiles, saying, dated = self._found
        for elements in (*self._marked[: len(_MARKUP)], named):
            yield _names_in(elements, strict=False)
        yield _names_in([link for link in profiles if _leads_to_name(link)], strict=True)
        yield _names_in([link for link in profiles if LABEL.match(clean_line(lines_of(link)))], strict=False)
        yield dated[:1]
        plain = [element for element in saying if _PLAIN_SAYING.match(clean_line(lines_of(element)))]
        yield _names_in(plain, strict=False)


def names_beside(tree: lxml.html.HtmlElement, names: Iterable[str]) -> list[str]:
    """All names marked as authors at places like those of these, where the first marked place names one of them."""
    known = set(names)
    for path in _MARKUP:
        elements = [element for element in tree.xpath(path)[:_MOST_ELEMENTS] if not is_elsewhere(element)]
        alike = [element for element in elements if _are_alike(elements[0], element)]
        found = list(dict.fromkeys(name for element in alike for name in _names_of(element, strict=True)))
        if known < set(found):
            return found
    return []


def says_by(label: str) -> bool:
    """Whether a label announces an author: `Written by`, `Verfasst von`, `Autor:`."""
    return bool(_SAYS_BY.match(label))


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
        text = (element.text or "").strip()
        if not text or len(text) > LONGEST:
            continue
        if len(saying) < _MOST_ELEMENTS and _SAYS_BY.match(text):
            saying.append(element.getparent() if LABEL.fullmatch(text) and not len(element) else element)
        elif below and not dated and (_DIGIT.search(text) or text.endswith("|")):
            dated = _names_with_date(element, text)
    return named, profiles, saying, dated


def _names_author(marks: str) -> bool:
    """Whether class, id and test id say that an element is a byline."""
    marks = _CAMEL.sub("-", marks).replace("__", "-")
    return bool(_AUTHOR_WORD.search(marks)) and not _ELSEWHERE.search(marks)


def _names_with_date(element: lxml.html.HtmlElement, text: str) -> list[str]:
    """The name of a line that is a name and a date; a text that ends in a bar goes on in its parent."""
    around = element.getparent()
    if around is not None and text.endswith("|"):
        text = clean_line(lines_of(around))
    found = _DATED.match(text)
    names = people_in(found["name"] or found["after"], strict=True) if found else []
    return names if names and not is_elsewhere(element) else []


def _leads_to_name(link: lxml.html.HtmlElement) -> bool:
    """Whether a link's address spells most of its text."""
    target = _plain(link.get("href") or "")
    words = [word for word in _plain(lines_of(link)).split() if len(word) >= _FEWEST_LETTERS]
    return sum(word in target for word in words) * 2 > len(words)


def _plain(text: str) -> str:
    """Small letters without accents, everything else as spaces."""
    letters = unicodedata.normalize("NFKD", unquote(text)).casefold()
    return " ".join(re.findall(r"[^\W_]+", re.sub("[\u0300-\u036f]", "", letters)))


def _names_in(elements: Elements, *, strict: bool) -> list[str]:
    """Names in the first element that holds any, and in its like siblings. `strict`: each must look like a name."""
    for index, element in enumerate(elements[:_MOST_ELEMENTS]):
        if is_elsewhere(element):
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


def _before_organisation(elements: Elements, sites: tuple[str, ...]) -> Elements:
    """The elements without those after one that names an organisation alone: other texts', unless of its own list."""
    for index, element in enumerate(elements):
        if _organisation_of(element, sites):
            return [*elements[:index], *(other for other in elements[index + 1 :] if _are_alike(element, other))]
    return elements


def _organisation_of(element: lxml.html.HtmlElement, sites: tuple[str, ...]) -> str | None:
    """The organisation that an element names as author; None where it names a person, or is another text's."""
    if is_elsewhere(element) or without_sites(_names_of(element, strict=True), sites):
        return None
    return organisation_in(element.get("content") or lines_of(element), sites)


def _are_alike(element: lxml.html.HtmlElement, other: lxml.html.HtmlElement) -> bool:
    """Whether two elements are, or stand at the same place of, siblings that look alike."""
    for one, two in islice(zip(_upwards(element), _upwards(other), strict=False), _NEAR):
        if one.tag != two.tag or one.get("class") != two.get("class"):
            return False
        if one.getparent() is two.getparent():
            return True
    return False


def _upwards(element: lxml.html.HtmlElement) -> Iterator[lxml.html.HtmlElement]:
    return chain([element], element.iterancestors())


def _names_of(element: lxml.html.HtmlElement, *, strict: bool) -> list[str]:
    """The names an element marks or links to; all it says where those are only some of them."""
    if element.tag == "meta":
        return people_in(element.get("content", ""), strict=strict)
    inner = [
        *element.xpath(".//*[@itemprop='name']"),
        *(a for a in element.iter("a") if _PROFILE.search(a.get("href", "")) and not _is_other_role(a)),
    ]
    texts = (part.get("content") or lines_of(part) for part in inner[:10])
    marked = list(dict.fromkeys(name for text in texts for name in people_in(text, strict=strict)))
    whole = people_in(element.get("content") or lines_of(element), strict=strict or bool(marked))
    return whole if not marked or set(marked) < set(whole) else marked


def _is_other_role(link: lxml.html.HtmlElement) -> bool:
    """Whether the words before a link say that its person only reviewed or edited the text."""
    before, parent = link.getprevious(), link.getparent()
    text = before.tail if before is not None else parent.text if parent is not None else ""
    return bool(_OTHER_ROLE.search(text or ""))


def is_elsewhere(element: lxml.html.HtmlElement) -> bool:
    """Whether the element stands in comments, teasers or other texts' places; what holds the article says nothing."""
    for around in islice(_upwards(element), _NEAR):
        if around.tag in _OTHER_PLACES or _OTHER_TEXTS.search(f"{around.get('class', '')} {around.get('id', '')}"):
            return not _holds_headline(around)
        if around.tag in ("article", "main"):
            break
    return False


def _holds_headline(element: lxml.html.HtmlElement) -> bool:
    """Whether an element holds the first h1 of the page: then it is no other text's place, whatever its class says."""
    inside = next(element.iter("h1"), None)
    return inside is not None and inside is next(element.getroottree().getroot().iter("h1"), None)


def _names_site(name: str, known: set[str]) -> bool:
    key = _key(name)
    return any(len(site) > 4 and (key == site + "com" or key == "the" + site or site == "the" + key) for site in known)


def _key(text: str) -> str:
    return "".join(re.findall(r"[^\W_]+", text.casefold()))
