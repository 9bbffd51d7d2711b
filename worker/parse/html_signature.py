"""The line of a text that signs it: a name alone in a paragraph of its own, before the text or after it.

Set apart by its form: bold, italic or to the right. A name that the text goes on to speak of is no signature. Korean
texts are signed by a name, the word for reporter and an address.
"""

from __future__ import annotations

import re

import msgspec

from worker.clean.people import is_agency, is_person_name, parse_byline
from worker.parse.html_byline_text import look_like_names

_LONGEST_CHARACTERS = 80
_MOST_NAMES = 3
_MOST_WORDS = 4
_LONGEST_DECK_CHARACTERS = 160
_MOST_DECKS = 2
_FEWEST_LETTERS = 3
_FEWEST_PARAGRAPHS = 3
_SET_APART = r"<(?:strong|b|em|i)\b[^>]*>(?:\s|<[^>]*>)*"
_TO_THE_RIGHT = r"<[^>]*\b(?:text-align:\s*right|align=[\"']?right)[^>]*>(?:\s|<[^>]*>)*"
_END = re.compile(r"[.!?:;…»”\"]$")
_HEADING = re.compile(
    r"\b(?:related|more|photos?|gallery|key|takeaways?|introduction|summary|overview|updates?|watch|videos?|table|contents?|"
    r"background|conclusion|references?|sources?|notes?|about|story|stories|articles?|posts?|topics?|tags?|comments?|"
    r"contact|newsletter|advertisement|breaking|exclusive|opinion|analysis|editorial|interview|reviews?)\b",
    re.IGNORECASE,
)
"""Words of headings that stand alone in bold, as names do."""
_INITIALS = re.compile(
    r"(?P<marks>[a-z]{2,4}(?:\s?[,/]\s?[a-z]{2,4}){0,3});\s*(?:fotos?|bild(?:er)?|photos?)\b", re.IGNORECASE
)
"""Initials and a credit for pictures, as German-language desks sign: `abc, de; Foto: ...`."""

_REPORTER = re.compile(
    r"(?:(?<![가-힣])(?P<name>[가-힣]{2,4}) ?(?:인턴 ?|객원 ?|선임 ?)?(?:기자|특파원|논설위원|칼럼니스트)|"
    r"(?:기자|칼럼니스트) (?P<after>[가-힣]{2,4}))\s{0,2}[(\[]?[\w.-]{1,64}@[\w-]{1,64}\.[a-z]"
)
"""Who signs a Korean text: a name beside the word for reporter, correspondent or columnist, before an address."""


class Signature(msgspec.Struct, frozen=True):
    """Who signed, and the text without that line."""

    names: tuple[str, ...]
    text: str


def find_signature(text: str, markup: str, headline: str) -> Signature | None:
    """A body's text, its markup and the headline -> who signed; None for a text that nobody did."""
    reporters = [found["name"] or found["after"] for found in _REPORTER.finditer(text)]
    if reporters:
        return Signature((reporters[-1],), text)
    paragraphs = text.split("\n\n")
    if len(paragraphs) < _FEWEST_PARAGRAPHS:
        return None
    for index in (*_first_places(paragraphs), len(paragraphs) - 1):
        rest = [*paragraphs[:index], *paragraphs[index + 1 :]]
        names = _names(paragraphs[index], "\n".join([headline, *rest]), markup, first=index < len(paragraphs) - 1)
        if names:
            return Signature(names, "\n\n".join(rest))
    return None


def _first_places(paragraphs: list[str]) -> list[int]:
    """Where a signature before the text may stand: at its top, or below lines that end no sentence."""
    places = [0]
    for index, paragraph in enumerate(paragraphs[:_MOST_DECKS]):
        if len(paragraph) > _LONGEST_DECK_CHARACTERS or _END.search(paragraph):
            break
        places.append(index + 1)
    return places


def _names(line: str, rest: str, markup: str, *, first: bool) -> tuple[str, ...]:
    if not first and (found := _INITIALS.match(line)) and found["marks"].islower():
        marks = re.findall(r"[a-z]+", found["marks"])
        return tuple(mark for mark in marks if not is_agency(mark))
    if len(line) > _LONGEST_CHARACTERS or "\n" in line or _END.search(line) or _HEADING.search(line):
        return ()
    names = tuple(person.name for person in parse_byline(line).people)
    plain = sum(len(name.split()) for name in names) >= len(re.findall(r"[^\W\d_][\w.'’-]*", line)) - len(names)
    if not names or not plain or len(names) > _MOST_NAMES or not all(map(_is_whole_name, names)):
        return ()
    forms = _SET_APART if first else f"(?:{_SET_APART}|{_TO_THE_RIGHT})"
    if not re.search(forms + re.escape(line), markup) or any(name.split()[-1] in rest for name in names):
        return ()
    return () if first and any(_is_common(name, rest) for name in names) else names


def _is_whole_name(name: str) -> bool:
    return look_like_names([name]) and len(name.split()) <= _MOST_WORDS and is_person_name(name)


def _is_common(name: str, rest: str) -> bool:
    """Whether a word with a capital is one that the text writes small."""
    words = [word for word in name.split() if len(word) >= _FEWEST_LETTERS and word[0].isupper()]
    return any(re.search(rf"\b{re.escape(word.lower())}\b", rest) for word in words)
