"""A page's text as blocks in document order, each with what its place in the page says about it.

A block is the text of one paragraph-like element, or a run of text between such elements. Marks are
bits: which kinds of place (navigation, comments, caption, article body ...) the tags, classes and ids
around it name, near (its own element and two above) and far (any other above).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import lxml.html
from lxml import etree

from worker.parse.html_words import BLOCK_TAGS, PLACES, SKIPPED_TAGS, read_table

_BLOCK_TAGS = frozenset(BLOCK_TAGS.split())
_SKIPPED_TAGS = frozenset(SKIPPED_TAGS.split())

_PLACES = read_table(PLACES)
PLACE_NAMES = tuple(_PLACES)
_PLACE_WORDS = tuple((1 << bit, re.compile(words)) for bit, words in enumerate(_PLACES.values()))
_TAG_NAMES = (
    *("nav", "aside", "footer", "header", "form", "figure", "figcaption", "table", "article", "main", "section"),
    *("blockquote", "ul", "ol", "li", "dl", "a", "details", "h"),
)
MARK_NAMES = (*PLACE_NAMES, *(f"<{name}>" for name in _TAG_NAMES))
_TAG_BITS = {name: 1 << (len(_PLACES) + bit) for bit, name in enumerate(_TAG_NAMES)}
_TAG_BITS |= {f"h{level}": _TAG_BITS["h"] for level in range(1, 7)}
HIDDEN = 1 << PLACE_NAMES.index("hidden")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SPACE = re.compile(r"[\s\x85]+")
_BREAK = "\x00"
"""Stands for a line break while a block's text is collected; no page that was parsed holds it."""
_MOST_BLOCKS = 200_000
_MARKED_CHARACTERS = 300
"""Characters of class names and ids that are looked at; longer ones are lists of style utilities."""


@dataclass(slots=True)
class Block:
    """One run of text. `element` is the nearest paragraph-like element; `parents` its three ancestors, nearest first.

    `whole` says whether the block is the element's whole content, `link_characters` how many characters
    of `text` stand in links.
    """

    element: lxml.html.HtmlElement
    tag: str
    text: str
    link_characters: int
    near: int
    far: int
    depth: int
    whole: bool = True


@dataclass(slots=True)
class _Open:
    """An element whose end has not come: marks of itself, of the two above, of all others above."""

    element: lxml.html.HtmlElement
    marks: tuple[int, int, int]
    far: int
    depth: int
    blocks_before: int


@dataclass(slots=True)
class _Walk:
    blocks: list[Block] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    link_characters: int = 0
    links_open: int = 0
    skipping: lxml.html.HtmlElement | None = None
    seen_marks: dict[str, int] = field(default_factory=dict)

    def add_text(self, text: str | None) -> None:
        if text:
            self.pieces.append(text)
            if self.links_open:
                self.link_characters += len(text.strip())

    def close_block(self) -> None:
        """What was collected becomes a block of the innermost open element."""
        if not self.pieces:
            return
        text = "\n".join(filter(None, (_SPACE.sub(" ", line).strip() for line in "".join(self.pieces).split(_BREAK))))
        if text and len(self.blocks) < _MOST_BLOCKS:
            inner = self.open[-1]
            near = inner.marks[0] | inner.marks[1] | inner.marks[2]
            tag = str(inner.element.tag)
            self.blocks.append(
                Block(inner.element, tag, text, min(self.link_characters, len(text)), near, inner.far, inner.depth)
            )
        self.pieces.clear()
        self.link_characters = 0

    def enter(self, element: lxml.html.HtmlElement) -> None:
        self.close_block()
        outer = self.open[-1] if self.open else None
        mark = self.mark_of(element)
        if outer is None or element.tag == "body":
            self.open.append(_Open(element, (0, 0, 0), 0, 0, len(self.blocks)))
            return
        marks = (mark, outer.marks[0], outer.marks[1])
        self.open.append(_Open(element, marks, outer.far | outer.marks[2], outer.depth + 1, len(self.blocks)))

    def leave(self) -> None:
        self.close_block()
        closed = self.open.pop()
        inside = len(self.blocks) - closed.blocks_before
        if inside > 1:
            for block in self.blocks[closed.blocks_before :]:
                if block.element is closed.element:
                    block.whole = False

    def start(self, node: lxml.html.HtmlElement) -> None:
        tag = node.tag
        if self.skipping is not None:
            return
        if tag in _SKIPPED_TAGS:
            self.skipping = node
            return
        if tag in _BLOCK_TAGS or not self.open:
            self.enter(node)
        elif tag == "a":
            self.links_open += 1
        elif tag == "br":
            self.pieces.append(_BREAK)
        self.add_text(node.text)

    def end(self, node: lxml.html.HtmlElement) -> None:
        if self.skipping is not None:
            if self.skipping is not node:
                return
            self.skipping = None
        elif self.open and node is self.open[-1].element:
            self.leave()
        elif node.tag == "a":
            self.links_open -= 1
        if self.open:
            self.add_text(node.tail)

    def mark_of(self, element: lxml.html.HtmlElement) -> int:
        get = element.get
        names = f"{get('class', '')} {get('id', '')} {get('role', '')} {get('itemprop', '')}".strip()
        marks = self.seen_marks.get(names)
        if marks is None:
            marks = self.seen_marks[names] = marks_of(names)
        style = get("style")
        if get("hidden") is not None or (style and _HIDDEN_STYLE.search(style)):
            marks |= HIDDEN
        return marks | _TAG_BITS.get(element.tag, 0)


def marks_of(names: str) -> int:
    """Class names, ids, roles -> the places they name, as bits in the order of MARK_NAMES."""
    marks = 0
    for name in names[:_MARKED_CHARACTERS].split():
        marks |= _marks_of_name(name)
    return marks


@lru_cache(maxsize=50_000)
def _marks_of_name(name: str) -> int:
    """Pages of a site share their class names, so most were looked at before."""
    words = _CAMEL.sub("-", name).lower()
    return sum(bit for bit, pattern in _PLACE_WORDS if pattern.search(words))


def read_blocks(tree: lxml.html.HtmlElement) -> list[Block]:
    """A parsed page -> its blocks (at most 200,000). Iterative: depth costs no stack."""
    walk = _Walk()
    for event, node in etree.iterwalk(tree, events=("start", "end")):
        if event == "start":
            walk.start(node)
        else:
            walk.end(node)
    return walk.blocks
