"""What speaks for a block being a paragraph of the article, and what against: named evidence, each 0 to 1.

The weights of each piece of evidence are in `html_weights`; this module knows no weights.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

import lxml.html
import msgspec

from worker.parse.html_blocks import MARK_NAMES, Block
from worker.parse.html_words import JUDGED_TAGS, PHRASES, read_table

Evidence = dict[str, float]

_WORD = re.compile(r"\w+")
# Scripts without spaces: two characters are about a word.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_UNSPACED_RUN = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+")
_SENTENCE_END = re.compile(r"[.!?…。！？][”\"'’»)」]*$")
_OTHER_END = re.compile(r"[:;”\"'’»\])]$")
_STOP = re.compile(r"[.!?]\s|。")
_LOOKED_AT = 200
"""Characters of a block that the phrases below are looked for in."""

_PHRASES = {name: re.compile(words) for name, words in read_table(PHRASES).items()}
_KNOWN_TAGS = frozenset(JUDGED_TAGS.split())
_CONTAINERS = frozenset(["div", "section", "article", "td", "body", "main", "aside"])
_LENGTHS = (2, 4, 8, 15, 25, 40, 80)
_LEAST_LINKED = 4
"""Words below which a block that is all link is no part of an article: menus are made of such blocks."""
_LONG = 8
"""Words from which on a block without many links counts as prose."""


class Place(msgspec.Struct, frozen=True):
    """What is known of a page's blocks as a whole, by block number; elements are named by numbers of their own."""

    words: list[float]
    parents: list[tuple[int, int]]
    prose_of: dict[int, float]
    prose_below: dict[int, float]
    count_of: dict[int, int]
    copies: dict[str, int]
    position: list[float]
    first_heading: int
    title: str


def count_words(text: str) -> float:
    """Words of a text; scripts without spaces count half a word a character."""
    if text.isascii():
        return float(len(_WORD.findall(text)))
    unspaced = len(_UNSPACED.findall(text))
    return len(_WORD.findall(_UNSPACED_RUN.sub(" ", text) if unspaced else text)) + unspaced / 2


def survey(blocks: list[Block], title: str) -> Place:
    """Blocks of a page and its title element's text -> the facts that need all blocks."""
    words = [count_words(block.text) for block in blocks]
    numbers: dict[lxml.html.HtmlElement, int] = {}
    parents = [_parents(block, numbers) for block in blocks]
    own: defaultdict[int, float] = defaultdict(float)
    below: defaultdict[int, float] = defaultdict(float)
    count: Counter[int] = Counter()
    for block, length, (parent, grandparent) in zip(blocks, words, parents, strict=True):
        if length >= _LONG and block.link_characters < len(block.text) / 2:
            prose = length * (1 - block.link_characters / len(block.text))
            own[parent] += prose
            below[grandparent] += prose
            count[parent] += 1
    whole = sum(own.values()) or 1.0
    return Place(
        words=words,
        parents=parents,
        prose_of={key: value / whole for key, value in own.items()},
        prose_below={key: value / whole for key, value in below.items()},
        count_of=dict(count),
        copies=Counter(block.text for block in blocks),
        position=_positions(words),
        first_heading=next((index for index, block in enumerate(blocks) if block.tag == "h1"), -1),
        title=title,
    )


def local_evidence(blocks: list[Block], place: Place) -> list[Evidence]:
    """For each block, what itself and its place in the page say; nothing for a few words that are all link."""
    most, most_below = max(place.prose_of.values(), default=1.0), max(place.prose_below.values(), default=1.0)
    return [
        {name: value for part in _parts(index, block, place, most, most_below) for name, value in part.items()}
        if place.words[index] >= _LEAST_LINKED or block.link_characters < len(block.text) * 0.9
        else {}
        for index, block in enumerate(blocks)
    ]


def _parts(index: int, block: Block, place: Place, most: float, most_below: float) -> Iterator[Evidence]:
    length = place.words[index]
    yield _of_form(block, length)
    yield dict.fromkeys(_marks(block.near, "near"), 1.0) | dict.fromkeys(_marks(block.far, "far"), 1.0)
    yield _of_phrases(block.text, length)
    yield {
        "repeated": float(place.copies[block.text] > 1),
        "before_heading": float(index < place.first_heading),
        "position": place.position[index],
        "in_title": float(block.text in place.title),
    }
    parent, grandparent = place.parents[index]
    share, share_below = place.prose_of.get(parent, 0.0), place.prose_below.get(grandparent, 0.0)
    yield {
        "parent_share": share,
        "grandparent_share": share_below,
        "parent_count": min(20, place.count_of.get(parent, 0)) / 20,
        "parent_most": float(share >= most * 0.99),
        "parent_ratio": share / most,
        "grandparent_ratio": share_below / most_below,
    }


def _of_form(block: Block, length: float) -> Evidence:
    text = block.text
    links = block.link_characters / len(text)
    found = {
        "length": min(math.log1p(length), 5) / 5,
        "links": links,
        "links_no": float(links == 0),
        "links_third": float(links > 1 / 3),
        "links_all": float(links > 0.9),
        "commas": min(5, text.count(",") + text.count("，") + text.count("、")) / 5,
        "stops": min(5, len(_STOP.findall(text))) / 5,
        "upper": float(text == text.upper() != text.lower()),
        "lower_start": float(text[:1].islower()),
        "mixed": float(not block.whole),
        "lines": float("\n" in text),
        "depth": min(block.depth, 30) / 30,
        f"tag_{block.tag if block.tag in _KNOWN_TAGS else 'other'}": 1.0,
    }
    if _SENTENCE_END.search(text[-8:]):
        found["end_sentence"] = 1.0
    elif _OTHER_END.search(text[-1:]):
        found["end_other"] = 1.0
    found.update({f"words_{least}": 1.0 for least in _LENGTHS if length >= least})
    return found


def _of_phrases(text: str, length: float) -> Evidence:
    looked_at = text[:_LOOKED_AT].lower()
    found = [name for name, pattern in _PHRASES.items() if pattern.search(looked_at)]
    named = [f"says_{name}" for name in found]
    return dict.fromkeys(named if length >= 25 else [*named, *(f"{name}_only" for name in named)], 1.0)


def _marks(mask: int, where: str) -> list[str]:
    names = []
    while mask:
        low = mask & -mask
        names.append(f"{where}_{MARK_NAMES[low.bit_length() - 1]}")
        mask ^= low
    return names


def _parents(block: Block, numbers: dict[lxml.html.HtmlElement, int]) -> tuple[int, int]:
    """Numbers of the elements that hold the block and its neighbours: the container and the one around it."""
    element = block.element
    parent = element if block.tag in _CONTAINERS and not block.whole else element.getparent()
    parent = element if parent is None else parent
    grandparent = parent.getparent()
    grandparent = parent if grandparent is None else grandparent
    return numbers.setdefault(parent, len(numbers)), numbers.setdefault(grandparent, len(numbers))


def _positions(words: list[float]) -> list[float]:
    """For each block the share of the page's words that stand before it."""
    whole, before, found = sum(words) or 1.0, 0.0, []
    for count in words:
        found.append(before / whole)
        before += count
    return found


def context_evidence(local: list[Evidence], chances: list[float], place: Place) -> Iterator[Evidence]:
    """Local evidence, and what the neighbours' first chances (0 to 1) say of each block; one at a time, for memory."""
    mass = [chance * length for chance, length in zip(chances, place.words, strict=True)]
    whole = sum(mass) or 1.0
    parent_mass, parent_words = _sums(mass, place, 0)
    grand_mass, grand_words = _sums(mass, place, 1)
    most, most_below = max(parent_mass.values(), default=0.0) or 1.0, max(grand_mass.values(), default=0.0) or 1.0
    good = [i for i, chance in enumerate(chances) if chance > 0.6 and place.words[i] >= _LONG]
    first, last = (good[0], good[-1]) if good else (0, -1)
    before = 0.0
    for index, evidence in enumerate(local):
        parent, grandparent = place.parents[index]
        own, length = mass[index], place.words[index]
        before += own
        if not evidence:
            yield {}
            continue
        yield {
            **evidence,
            "first_chance": math.log((chances[index] + 1e-3) / (1 - chances[index] + 1e-3)) / 7,
            "parent_mass": (parent_mass[parent] - own) / whole,
            "parent_density": (parent_mass[parent] - own + 0.3) / (parent_words[parent] - length + 1),
            "grandparent_mass": (grand_mass[grandparent] - own) / whole,
            "grandparent_density": (grand_mass[grandparent] - own + 0.3) / (grand_words[grandparent] - length + 1),
            "parent_mass_ratio": parent_mass[parent] / most,
            "grandparent_mass_ratio": grand_mass[grandparent] / most_below,
            "between": float(first <= index <= last),
            "before_first": min(10, max(0, first - index)) / 10,
            "after_last": min(10, max(0, index - last)) / 10,
            "mass_so_far": before / whole,
            **_neighbours(index, chances, mass),
            **_long_neighbours(index, chances, place.words),
        }


def _sums(mass: list[float], place: Place, which: int) -> tuple[dict[int, float], dict[int, float]]:
    masses: defaultdict[int, float] = defaultdict(float)
    words: defaultdict[int, float] = defaultdict(float)
    for own, length, holders in zip(mass, place.words, place.parents, strict=True):
        masses[holders[which]] += own
        words[holders[which]] += length
    return masses, words


def _neighbours(index: int, chances: list[float], mass: list[float]) -> Evidence:
    found = {}
    for step in (-3, -2, -1, 1, 2, 3):
        there = 0 <= index + step < len(chances)
        found[f"chance_{step:+d}"] = chances[index + step] if there else 0.0
        if abs(step) == 1:
            found[f"mass_{step:+d}"] = min(mass[index + step], 40) / 40 if there else 0.0
    return found


def _long_neighbours(index: int, chances: list[float], words: list[float]) -> Evidence:
    """Mean chance of the two nearest longer blocks before and after."""
    before = [chances[i] for i in range(index - 1, max(-1, index - 40), -1) if words[i] >= _LONG][:2]
    after = [chances[i] for i in range(index + 1, min(len(words), index + 40)) if words[i] >= _LONG][:2]
    return {"long_before": sum(before) / 2, "long_after": sum(after) / 2}
