"""The article's text in a page: each block judged by its evidence, other extractors asked where that is not sure.

blocks ──► first look ──► second look ──► own text
                                             │ unlike resiliparse's?
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
from worker.parse.html_extractors import resiliparse_text, trafilatura_text

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
_AGREED = 0.92
"""Overlap of words from which on two extractors agree: asking more of them then changes nothing."""
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
    blocks = read_blocks(tree)
    place = survey(blocks, title)
    local = local_evidence(blocks, place)
    chances = _judge(local, place, weights.OWN_FIRST, weights.OWN_SECOND)
    own, fast = _text(blocks, chances), resiliparse_text(markup)
    agreement = _overlap(_bag(own), _bag(fast))
    if agreement > _AGREED:
        return _body(blocks, chances, "blocks", agreement)
    full = trafilatura_text(tree)
    agreement = _overlap(_bag(own), _bag(full))
    if agreement > _AGREED:
        return _body(blocks, chances, "blocks", agreement)
    others = {"resi": fast, "full": full, "prec": trafilatura_text(tree, precise=True)}
    joint = _judge(_with_others(local, blocks, others), place, weights.JOINT_FIRST, weights.JOINT_SECOND)
    both = [(one + other) / 2 for one, other in zip(chances, joint, strict=True)]
    return _most_alike(blocks, {"blocks": chances, "blocks+others": both}, others)


def _judge(local: list[Evidence], place: Place, first: dict[str, float], second: dict[str, float]) -> list[float]:
    """Chance of each block, after a first look at each and a second one at each among its neighbours."""
    chances = [_chance(evidence, first) for evidence in local]
    return [_chance(evidence, second) for evidence in context_evidence(local, chances, place)]


def _chance(evidence: Evidence, table: dict[str, float]) -> float:
    if not evidence or any(place in evidence and words in evidence for place, words in _PROMPTS):
        return _HOPELESS
    weight_of = table.get
    score = table[weights.BIAS] + sum(weight_of(name, 0.0) * value for name, value in evidence.items())
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def _with_others(local: list[Evidence], blocks: list[Block], others: dict[str, str]) -> list[Evidence]:
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


def _bag(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.casefold()))


def _overlap(left: Counter[str], right: Counter[str]) -> float:
    """F1 of two bags of words: 1 for the same words, 0 for none in common."""
    size = left.total() + right.total()
    return 2 * (left & right).total() / size if size else 0.0


def _key(text: str) -> str:
    return _NOT_WORD.sub(" ", text.lower()).strip()
