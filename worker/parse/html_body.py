"""The article's text in a page: each block judged by its evidence, other extractors asked where that is not sure.

blocks ──► first look ──► second look ──► own text
                                             │ in doubt, and unlike resiliparse's?
                                             └──► trafilatura's twice ──► judged again ──► the text most like the others
"""

from __future__ import annotations

import math
import re
from collections import Counter
from html import escape

import lxml.html
import msgspec
from lxml import etree

from worker.clean.text import clean_text
from worker.parse import html_weights as weights
from worker.parse.html_blocks import Block, read_blocks
from worker.parse.html_evidence import Evidence, Place, context_evidence, local_evidence, survey
from worker.parse.html_extractors import Opinions
from worker.parse.html_fillers import fillers
from worker.parse.html_repeats import repeated, without_repeats

_CHOSEN = 0.5
"""Chance from which on a block belongs to the article."""
_PROMPTS = (
    ("near_newsletter", "says_signup_only"),
    ("near_share", "says_follow_only"),
    ("near_related", "says_related_only"),
    ("near_consent", "says_legal_only"),
)
"""Short blocks whose place and words say the same are prompts, however much like prose they look."""
_HOPELESS = 0.002
"""Chance of a block that nothing is asked about."""
_AGREED = 0.94
"""Overlap of words from which on resiliparse agrees, and nobody else is asked."""
_AGREED_AT_LAST = 0.97
"""The same for trafilatura, whose text costs more and is worth more: below it all are heard. These two were chosen on
600 pages whose sites the weights had not seen."""
_MANY = 5_000
"""Blocks of a page from which on no other extractor is asked: they need minutes where blocks need seconds."""
_NEARLY_AGREED = 0.8
"""The same where the blocks themselves leave little doubt."""
_LITTLE_DOUBT = 0.12
_NO_DOUBT = 0.05
"""Doubt below which nobody is asked. On 600 pages with gold these two halve the questions and change no mean F1."""
_LEAST_SURE = 150
"""Words of a text below which its blocks alone are never sure."""
_CLOSE = 0.03
"""How much less like the others the own text may be and still win: it keeps paragraphs, links and lists."""
_MOST_COMPARISONS = 300_000_000
"""Characters compared when looking for blocks in another extractor's text; beyond it only whole lines are."""
_WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]|[^\\W_]+")
_NOT_WORD = re.compile(r"\W+")


class Body(msgspec.Struct, frozen=True):
    """The article's text, its markup (unsafe still), how it was found, and its agreement (0 to 1) with others."""

    text: str
    markup: str
    method: str
    agreement: float


def find_body(tree: lxml.html.HtmlElement, markup: str, title: str) -> Body | None:
    """A parsed page, its markup and its title element's text -> the article's text; None where there is none."""
    return choose_body(read_blocks(tree), title, Opinions(tree, markup), weights.FITTED)


def choose_body(blocks: list[Block], title: str, others: Opinions, tables: weights.Tables) -> Body | None:
    """A page's blocks, what other extractors say of it, and weights -> the article's text."""
    place = survey(blocks, title)
    local = local_evidence(blocks, place)
    chances = _settled(blocks, place.words, judge(local, place, tables.own_first, tables.own_second))
    if len(blocks) > _MANY:
        return _body(blocks, chances, "blocks", 1.0) if max(chances) >= _CHOSEN else None
    doubt = _doubt(chances, place.words)
    if doubt < _NO_DOUBT:
        return _body(blocks, chances, "blocks", 1 - doubt)
    own = _bag(_text(blocks, chances))
    agreement = _overlap(own, _bag(without_repeats(others.fast)))
    if agreement > (_AGREED if doubt > _LITTLE_DOUBT else _NEARLY_AGREED):
        return _body(blocks, chances, "blocks", agreement)
    agreement = _overlap(own, _bag(without_repeats(others.full)))
    if agreement > _AGREED_AT_LAST:
        return _body(blocks, chances, "blocks", agreement)
    texts = {"resi": others.fast, "full": others.full, "prec": others.precise}
    texts = {name: without_repeats(text) for name, text in texts.items()}
    joint = judge(with_others(local, blocks, texts), place, tables.joint_first, tables.joint_second)
    both = _settled(blocks, place.words, [(one + other) / 2 for one, other in zip(chances, joint, strict=True)])
    return _most_alike(blocks, {"blocks": chances, "blocks+others": both}, texts)


def _settled(blocks: list[Block], words: list[float], chances: list[float]) -> list[float]:
    """Chances where what no reader would miss has none: a run of paragraphs for the second time, and fillers."""
    chosen = [index for index, chance in enumerate(chances) if chance >= _CHOSEN]
    again = {chosen[at] for at in repeated([blocks[index].text for index in chosen])}
    again |= fillers([index for index in chosen if index not in again], blocks, words)
    return [0.0 if index in again else chance for index, chance in enumerate(chances)]


def _doubt(chances: list[float], words: list[float]) -> float:
    """Words expected to be judged wrong, as a share of the words chosen; 1 for a text too short to be sure of."""
    chosen = sum(count for chance, count in zip(chances, words, strict=True) if chance >= _CHOSEN)
    if chosen < _LEAST_SURE:
        return 1.0
    return sum(count * min(chance, 1 - chance) for chance, count in zip(chances, words, strict=True)) / chosen


def judge(local: list[Evidence], place: Place, first: dict[str, float], second: dict[str, float] | None) -> list[float]:
    """Chance of each block after a first look at each and, with weights for it, a second one among its neighbours."""
    chances = [_chance(evidence, first) for evidence in local]
    if second is None:
        return chances
    return [_chance(evidence, second) for evidence in context_evidence(local, chances, place)]


def _chance(evidence: Evidence, table: dict[str, float]) -> float:
    if not evidence or any(place in evidence and words in evidence for place, words in _PROMPTS):
        return _HOPELESS
    weight_of = table.get
    score = table[weights.BIAS]
    for name, value in evidence.items():
        score += weight_of(name, 0.0) * value
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def with_others(local: list[Evidence], blocks: list[Block], others: dict[str, str]) -> list[Evidence]:
    """Local evidence, and for each block which of the other extractors' texts (by a short name) hold it."""
    keys = [_key(block.text) for block in blocks]
    found = [dict(evidence) for evidence in local]
    for name, text in others.items():
        whole = _key(text)
        lines = None
        if len(whole) * len(keys) > _MOST_COMPARISONS:
            lines = {_key(line) for line in text.split("\n")}
        for evidence, key in zip(found, keys, strict=True):
            if evidence and key in (whole if lines is None else lines):
                evidence[f"in_{name}"] = 1.0
    return found


def _most_alike(blocks: list[Block], judged: dict[str, list[float]], others: dict[str, str]) -> Body | None:
    """Of all candidates the one whose words are most like those of the others.

    Resiliparse only has a voice: it is fast, but never the best. Blocks win where it is close.
    """
    names = {"full": "trafilatura", "prec": "trafilatura-precise"}
    texts = {name: _text(blocks, chances) for name, chances in judged.items()} | others
    bags = {name: _bag(text) for name, text in texts.items() if text}
    if not bags:
        return None
    alike = {name: sum(_overlap(bag, bags[other]) for other in bags if other != name) for name, bag in bags.items()}
    voices = max(1, len(bags) - 1)
    eligible = [name for name in alike if name in judged or name in names]
    if not eligible:
        return None
    best = max(eligible, key=lambda name: alike[name] / voices + (_CLOSE if name in judged else 0))
    agreement = alike[best] / voices
    if best in judged:
        return _body(blocks, judged[best], best, agreement)
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in texts[best].split("\n\n"))
    return Body(texts[best], paragraphs, names[best], agreement)


def _body(blocks: list[Block], chances: list[float], method: str, agreement: float) -> Body:
    chosen = [block for block, chance in zip(blocks, chances, strict=True) if chance >= _CHOSEN]
    return Body(_text(blocks, chances), _markup(chosen), method, agreement)


def _text(blocks: list[Block], chances: list[float]) -> str:
    chosen = (block.text for block, chance in zip(blocks, chances, strict=True) if chance >= _CHOSEN)
    return clean_text("\n\n".join(chosen))


def _markup(blocks: list[Block]) -> str:
    """The chosen blocks as markup: whole elements as they are, list items inside a list."""
    pieces: list[str] = []
    in_list = False
    for block in blocks:
        if in_list != (block.tag == "li"):
            in_list = not in_list
            pieces.append("<ul>" if in_list else "</ul>")
        pieces.append(_element_markup(block))
    return "".join([*pieces, "</ul>" if in_list else ""])


def _element_markup(block: Block) -> str:
    if block.whole and block.tag in ("p", "li", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"):
        return str(etree.tostring(block.element, encoding="unicode", method="html", with_tail=False))
    tag = "li" if block.tag == "li" else "p"
    return f"<{tag}>{escape(block.text)}</{tag}>"


def words_of(text: str) -> list[str]:
    """A text -> its words as they are compared; scripts without spaces give their characters."""
    return _WORD.findall(text.casefold())


def _bag(text: str) -> Counter[str]:
    return Counter(words_of(text))


def _overlap(left: Counter[str], right: Counter[str]) -> float:
    """F1 of two bags of words: 1 for the same words, 0 for none in common."""
    size = left.total() + right.total()
    return 2 * (left & right).total() / size if size else 0.0


def _key(text: str) -> str:
    return _NOT_WORD.sub(" ", text.lower()).strip()
