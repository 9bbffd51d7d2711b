"""The authors of a page: declared in JSON-LD, in meta elements, or shown; in this order, people only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import lxml.html
from trafilatura.metadata import extract_author

from worker.clean.people import is_agency, is_person_name
from worker.clean.text import clean_line
from worker.model import Author
from worker.parse.draft import Draft
from worker.parse.html_byline import EXPLICIT, Bylines, names_beside, without_sites
from worker.parse.html_byline_text import look_like_names
from worker.parse.html_declared import declared_authors
from worker.parse.html_metadata import PUBLISHERS, Metadata, site_names
from worker.parse.json_ld import addresses_of, names_of, types_of

_EDITOR = re.compile(r"editor ?[:：] ?(.+)", re.IGNORECASE)
_AUTHOR_SLUG = re.compile(
    r"/(?:authors?|aut(?:eur|or|ore)s?|autoren|profiles?|people|by|staff|journalists?|contributors?|writers?|reporters?)/"
    r"(?:[^/?#]+/)?([a-z]+(?:-[a-z]+){1,3})(?:-\d+)?/?(?:\.html?)?$"
)
"""An author's page in an address: its last part spells the name."""
_MOST_ADDRESSES = 10
_OWNER_WORDS = 3
_GUESSED_WORDS = 3
"""Most words with a capital in a name that is only guessed: longer ones have a role or a place in them."""
_OUTLET = re.compile(
    r"^(?:the|der|die|das|la|le|les|el|il|de|het|o|a)\b|\b(?:times|post|zeitung|nachrichten|tribune|herald|journal|"
    r"gazette|telegraph|guardian|mail|express|observer|chronicle|standard|star|sun|mirror|presse|press|kurier|anzeiger|"
    r"bote|blatt|tageblatt|rundschau|allgemeine|morgenpost|report|review|today|daily|weekly|diario|giornale|gazeta|"
    r"radio|media|digital|web|network|group|blog|life|world|club|verlag|books)\b",
    re.IGNORECASE,
)
"""Words that outlets are named with in the languages of most feeds, and articles before their names."""


def set_authors(draft: Draft, tree: lxml.html.HtmlElement, found: Metadata) -> str | None:
    """Sets the people who wrote a page; `draft` may hold authors that JSON-LD named.

    An outlet is no person. Somebody whose site it is counts where nobody else is named. Returns the organisation that a
    byline names, where no person is found.
    """
    sites = site_names(found)
    bylines = Bylines(tree, sites)
    declared = declared_authors(found)
    persons = _without_sites(draft, sites)
    owners = [name for name in persons if _could_be_person(name)]
    owners += [name for names in (persons, *declared) for name in names if _is_owner(name, found, sites)]
    if "authors" not in draft.fields:
        any(draft.set_authors(without_sites(names, sites), "meta") for names in declared)
    _correct(draft, tree, bylines, sites)
    _complete(draft, tree, sites)
    if "authors" not in draft.fields:
        any(draft.set_authors(without_sites(names, sites), "byline") for names in bylines.names())
    if "authors" not in draft.fields:
        any(draft.set_authors(without_sites(names, sites), "meta") for names in _behind_addresses(tree, found))
    if "authors" not in draft.fields and owners:
        draft.set_authors(owners[:1], "meta")
    if "authors" in draft.fields:
        return None
    shown = bylines.organisation
    if shown is not None and _is_owner(shown, found, sites):
        draft.set_authors([shown], "byline")
    elif shown is None:
        draft.set_authors(without_sites(_guessed(tree), sites), "text")
    return shown


def _correct(draft: Draft, tree: lxml.html.HtmlElement, bylines: Bylines, sites: tuple[str, ...]) -> None:
    """Replaces a declared author that cannot be right by who is shown.

    That is one that is only a login name, whom the page calls its editor, or whom its head names and its body never.
    """
    known = [person.name for person in draft.fields.get("authors", ())]
    if not known:
        return
    login = not any(map(_could_be_name, known))
    unseen = draft.provenance.get("authors") == "meta" and not _shows_any(tree, known)
    if not (login or unseen or (len(known) == 1 and _is_editor(tree, known[0]))):
        return
    groups = [without_sites(names, sites) for names in bylines.names()]
    if login and any(name in group for name in known for group in groups):
        return
    shown = next((group for group in islice(groups, EXPLICIT) if group and not set(group) & set(known)), [])
    if shown:
        del draft.fields["authors"]
        draft.set_authors(shown, "byline")


def _behind_addresses(tree: lxml.html.HtmlElement, found: Metadata) -> Iterator[list[str]]:
    """Names that the addresses of authors' pages spell and the page shows, where only the addresses are declared."""
    declared = [addresses_of(node.get("author")) for node in found.articles[:3]] + [found.all("article:author")]
    body = tree.find("body")
    for addresses in filter(None, declared):
        slugs = [slug[1] for slug in map(_AUTHOR_SLUG.search, addresses[:_MOST_ADDRESSES]) if slug]
        shown = " ".join(body.itertext()) if slugs and body is not None else ""
        patterns = (r"\b" + r"[\s.-]+".join(map(re.escape, slug.split("-"))) + r"\b" for slug in slugs)
        names = [place.group() for place in (re.search(one, shown, re.IGNORECASE) for one in patterns) if place]
        yield [name for name in names if _could_be_name(name) and is_person_name(name)]


def _shows_any(tree: lxml.html.HtmlElement, names: list[str]) -> bool:
    """Whether the page's body holds one of these names."""
    body = tree.find("body")
    text = "" if body is None else " ".join(body.text_content().split()).casefold()
    return any(name.casefold() in text for name in names)


def _complete(draft: Draft, tree: lxml.html.HtmlElement, sites: tuple[str, ...]) -> None:
    """Replaces declared authors by those who are marked as such in the page, where these are all of them and more."""
    known = [person.name for person in draft.fields.get("authors", ())]
    more = without_sites(names_beside(tree, known), sites) if known else []
    if set(known) < set(more):
        del draft.fields["authors"]
        draft.set_authors(more, "byline")


def _could_be_name(name: str) -> bool:
    """As a name looks, or in a script without capitals."""
    return look_like_names([name]) or name.lower() == name.upper()


def _is_editor(tree: lxml.html.HtmlElement, name: str) -> bool:
    """Whether the page says `Editor: ` before this name."""
    places = tree.xpath("//body//*[not(self::script or self::style)][contains(text(), 'ditor')]")
    said = (_EDITOR.match(clean_line(place.text_content()[:200])) for place in places[:10])
    return any(found is not None and found[1].startswith(name) for found in said)


def _guessed(tree: lxml.html.HtmlElement) -> list[str]:
    """What trafilatura takes for the author, where it looks like names or is an agency."""
    names = [name.strip() for name in (extract_author(tree) or "").split(";")]
    people = [name for name in names if is_person_name(name) and not is_agency(name)]
    short = all(sum(word[0].isupper() for word in name.split()) <= _GUESSED_WORDS for name in people)
    return names if short and look_like_names(people) else []


def _without_sites(draft: Draft, sites: tuple[str, ...]) -> list[str]:
    """Takes the site out of the authors that JSON-LD named; returns what it was called there."""
    authors: tuple[Author, ...] = draft.fields.get("authors", ())
    kept = set(without_sites((person.name for person in authors), sites))
    if len(kept) < len(authors):
        draft.fields["authors"] = tuple(person for person in authors if person.name in kept)
    if authors and not kept:
        del draft.fields["authors"], draft.provenance["authors"]
    return [person.name for person in authors if person.name not in kept]


def _is_owner(name: str, found: Metadata, sites: tuple[str, ...]) -> bool:
    """Whether a site's name is a person's: its host is just this name, or its publisher is called so."""
    if not _could_be_person(name):
        return False
    key = re.sub(r"\W", "", name.casefold())
    hosts = {site.casefold().partition(".")[0].replace("-", "") for site in sites if "." in site}
    publishers = (node["publisher"] for node in found.articles if isinstance(node.get("publisher"), dict))
    declared = any("Person" in types_of(node) and name in names_of(node) for node in publishers)
    return key in hosts or declared or name in found.all(*PUBLISHERS)


def _could_be_person(name: str) -> bool:
    return (
        look_like_names([name])
        and len(name.split()) <= _OWNER_WORDS
        and is_person_name(name)
        and not _OUTLET.search(name)
    )
