"""Markup: sanitised for `body_html`, and turned into text with its paragraphs.

Both are guarded by `refuse_deep_nesting`: nh3 and lxml take time that grows with the square of depth.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

import lxml.html
import nh3
from lxml import etree

from worker.clean.text import clean_text
from worker.errors import Rejected

MAX_DEPTH = 2_000
"""Open elements inside each other. Real pages stay below 100; nh3 needs 11 s at 50,000, 20 ms here."""

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)\b([^<>]*)>")
_NEVER_NESTED = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "td",
        "tr",
        "th",
        "option",
        "dt",
        "dd",
    ]
)
_MARKUP = re.compile(r"<(?:/?[a-zA-Z][^<>]*|!--)>?|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]{2,31});")
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")
_MOST_ESCAPES = 3
"""How often a text may have been escaped; publishers do it twice."""
_ELEMENT = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_SKIPPED = frozenset(
    [
        "script",
        "style",
        "template",
        "noscript",
        "head",
        "title",
        "svg",
        "annotation",
        "annotation-xml",
        "select",
        "textarea",
        "button",
    ]
)
_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "u",
        "ul",
    ]
)
_ATTRIBUTES = {
    "a": {"href", "title", "hreflang"},
    "img": {"src", "alt", "title", "width", "height"},
    "time": {"datetime"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
    "blockquote": {"cite"},
}


MAX_TAG_WORDS = 5_000
"""Most attributes of one tag: parsers take time that grows with their square (0.35 s in lxml for 20,000)."""
_LONG_TAG = re.compile(r"<[A-Za-z][^<>]{10000,}")


def refuse_deep_nesting(markup: str) -> None:
    """Raises Rejected `too_large` where elements nest deeper than MAX_DEPTH, or a tag has too many attributes."""
    for tag in _LONG_TAG.finditer(markup):
        if len(tag.group().split(None, MAX_TAG_WORDS)) > MAX_TAG_WORDS:
            raise Rejected("too_large", f"a tag with more than {MAX_TAG_WORDS} attributes")
    if markup.count("<") <= MAX_DEPTH:
        return
    depth = 0
    for closing, name, attributes in _TAG.findall(markup):
        if name.lower() in _NEVER_NESTED or attributes.endswith("/"):
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > MAX_DEPTH:
            raise Rejected("too_large", f"elements nest deeper than {MAX_DEPTH}")


def sanitize(markup: str, base: str | None = None) -> str:
    """Any markup -> safe markup: no scripts, no styles, no handlers; links absolute, http(s) or mailto only.

    Relative links are resolved against `base`, or dropped without one. Raises Rejected `too_large`.
    """
    refuse_deep_nesting(markup)
    usable = base if base and base.lower().startswith(("http://", "https://")) else None
    try:
        return _clean(markup, usable)
    except ValueError:
        return _clean(markup, None)


def _clean(markup: str, base: str | None) -> str:
    # Without an attribute no link is relative, so that one cleaner serves all such texts.
    return _cleaner(base if "=" in markup else None).clean(markup).strip()


@lru_cache(maxsize=64)
def _cleaner(base: str | None) -> nh3.Cleaner:
    """Kept, because to make one takes ten times as long as to clean a short text."""
    return nh3.Cleaner(
        tags=set(_TAGS),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        clean_content_tags={
            "script",
            "style",
            "template",
            "noscript",
            "iframe",
            "object",
            "svg",
            "math",
        },
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", base) if base else "deny",
    )


def looks_like_markup(text: str) -> bool:
    """Whether a text field holds HTML: a tag or a character reference."""
    return bool(_MARKUP.search(text))


def plain_text(text: str) -> str:
    """A text that may be markup, escaped or not -> the text; without tags the line breaks are the paragraphs."""
    for _ in range(_MOST_ESCAPES):
        if not looks_like_markup(text):
            break
        try:
            text = html_to_text(text)
        except Rejected:
            # Nested too deep to be parsed; what stands between the tags is still the text.
            text = clean_text(_ELEMENT.sub(" ", text))
    return text


def resolve_references(text: str) -> str:
    """A short text that holds no markup, character references resolved that were escaped once too often."""
    for _ in range(_MOST_ESCAPES):
        if _REFERENCE.search(text) is None:
            break
        text = _REFERENCE.sub(lambda found: unescape(found.group()), text)
    return text


def html_to_text(markup: str) -> str:
    """Markup -> clean text; block elements become paragraphs, <br> a line break.

    Raises Rejected `too_large`.
    """
    if not _ELEMENT.search(markup):
        return clean_text(unescape(markup))
    refuse_deep_nesting(markup)
    # NUL and other controls are no XML characters and would stop lxml.
    prepared = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "", markup)
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        root = lxml.html.document_fromstring(f"<div>{prepared}</div>".encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return clean_text(unescape(_ELEMENT.sub(" ", prepared)))
    return element_text(root)


def element_text(root: lxml.html.HtmlElement) -> str:
    """An element's text, block by block. Iterative: depth costs no stack."""
    pieces: list[str] = []
    skipping: lxml.html.HtmlElement | None = None
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in ("comment", "pi"):
            _add_tail(pieces, node, root, skipping)
            continue
        name = node.tag if isinstance(node.tag, str) else ""
        if event == "start":
            if skipping is None and name in _SKIPPED:
                skipping = node
            if skipping is None:
                pieces.append("\n\n" if name in _BLOCKS else "\n" if name == "br" else "")
                pieces.append(_flat(node.text) if name != "pre" else node.text or "")
            continue
        if skipping is None and name in _BLOCKS:
            pieces.append("\n\n")
        if skipping is node:
            skipping = None
        _add_tail(pieces, node, root, skipping)
    return clean_text("".join(pieces))


def _add_tail(pieces: list[str], node: etree._Element, root: etree._Element, skipping: object) -> None:
    if skipping is None and node is not root:
        pieces.append(_flat(node.tail))


def _flat(text: str | None) -> str:
    """Markup's own line breaks mean a space."""
    return re.sub(r"[\s\x85]+", " ", text or "")
