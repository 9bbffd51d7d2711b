"""The body of a wire article: from elements of any markup, or from text, to paragraphs and safe HTML."""

from __future__ import annotations

import base64
import re
from html import escape, unescape

import lxml.html
import msgspec
from lxml import etree

from worker.clean.encoding import decode
from worker.clean.html import html_to_text, looks_like_markup, refuse_deep_nesting, sanitize
from worker.clean.text import clean_line, clean_text
from worker.errors import Rejected
from worker.parse.wire.xml_tree import Element, name_of

# Elements that stand on their own lines, of XHTML and NITF 3.
_BLOCKS = frozenset(
    [
        *("address", "article", "aside", "block", "blockquote", "body", "body.content", "bq", "center", "dd", "div"),
        *("dl", "dt", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "hl1", "hl2", "hr", "html"),
        *("li", "main", "nitf-table", "ol", "p", "pre", "section", "table", "tbody", "td", "tfoot", "th"),
        *("thead", "tr", "ul", "credit", "paragraph", "para", "text"),
    ]
)
# What is no part of the text: pictures with their captions, notes to editors, code and page titles.
_SKIPPED = frozenset(
    [
        *("media", "media-caption", "media-producer", "media-reference", "figure", "figcaption", "head", "title"),
        *(
            "script",
            "style",
            "template",
            "noscript",
            "iframe",
            "object",
            "body.head",
            "body.end",
            "time",
            "note",
            "header",
            "nav",
        ),
        *("video", "audio", "picture", "svg"),
    ]
)
# Elements whose name differs in HTML.
_AS_HTML = {
    "hl1": "h2",
    "hl2": "h3",
    "bq": "blockquote",
    "em": "em",
    "nitf-table": "div",
    "para": "p",
    "paragraph": "p",
}
_LINE_BREAK = "br"
_LINES = _BLOCKS | {_LINE_BREAK}
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_HTML_TAG = re.compile(
    r"</?(?:p|br|div|span|h[1-6]|ul|ol|li|b|i|em|strong|a|sup|sub|font|table)\b[^<>]*>", re.IGNORECASE
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_WRAPPED_CHARACTERS = 45
"""Lines of at least this length were broken for their length (wires have 60 to 80 characters)."""

_LONGEST_WRAPPED_CHARACTERS = 100
_SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'”’»)\]]*$")

_SPACES = re.compile(r"[\s\x85]+")
_SPECIAL = re.compile("[&<>]")
_INDENTED = re.compile(r"\n(?=(?:[ \t]{2,}|\u3000{1,4})\S)")


class Body(msgspec.Struct, frozen=True):
    """Paragraphs apart by blank lines, and the same as sanitised HTML where there was markup."""

    text: str = ""
    html: str | None = None


def element_body(root: Element) -> Body:
    """Markup elements (NITF, XHTML or anything like it) -> body; captions and notes are left out.

    An element without any block inside holds plain text.
    """
    if not any(name_of(below).lower() in _LINES for below in root.iterdescendants()):
        return Body(wrapped_text("".join(root.itertext())))
    text: list[str] = []
    markup: list[str] = []
    skipping: Element | None = None
    for event, node in etree.iterwalk(root, events=("start", "end")):
        name = name_of(node).lower()
        if event == "start":
            if skipping is None and node is not root and name in _SKIPPED and not _is_table(node, name):
                skipping = node
            if skipping is None:
                text.append("\n\n" if name in _BLOCKS else "\n" if name == _LINE_BREAK else "")
                markup.append(_opening(node, name))
                _add(text, markup, node.text, keep_lines=name == "pre")
            continue
        if skipping is None:
            text.append("\n\n" if name in _BLOCKS else "")
            markup.append("" if name == _LINE_BREAK else f"</{_AS_HTML.get(name, name)}>")
        if skipping is node:
            skipping = None
        if skipping is None and node is not root:
            _add(text, markup, node.tail, keep_lines=False)
    return Body(clean_text("".join(text)), sanitize("".join(markup)) or None)


def _is_table(node: Element, name: str) -> bool:
    """A figure may frame a table, which is text."""
    return name == "figure" and next(node.iterdescendants("{*}table"), None) is not None


def _opening(node: Element, name: str) -> str:
    attributes = ""
    if node.attrib:
        kept = ((key, node.get(key)) for key in ("href", "src", "alt"))
        attributes = "".join(f' {key}="{escape(value)}"' for key, value in kept if value is not None)
    return f"<{_AS_HTML.get(name, name)}{attributes}>"


def _add(text: list[str], markup: list[str], piece: str | None, *, keep_lines: bool) -> None:
    if piece:
        text.append(piece if keep_lines else _SPACES.sub(" ", piece))
        markup.append(escape(piece, quote=False) if _SPECIAL.search(piece) else piece)


def string_body(value: str) -> Body:
    """Text that may be HTML, or HTML escaped once more -> body.

    Raises Rejected `too_large` for markup nested too deep.
    """
    if not _TAG.search(value):
        plain = unescape(value)
        if plain == value or not _HTML_TAG.search(plain):
            return Body(html_to_text(value) if looks_like_markup(value) else wrapped_text(value))
        value = plain
    refuse_deep_nesting(value)
    parser = lxml.html.HTMLParser(encoding="utf-8")
    try:
        root = lxml.html.document_fromstring(f"<div>{_CONTROLS.sub('', value)}</div>".encode(), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return Body(html_to_text(value))
    return element_body(root)


def base64_text(text: str) -> str:
    """Base64 -> the text it holds, in whatever encoding; what is none stays as it is."""
    try:
        # What is neither UTF-8 nor looks like anything else is most likely western.
        return decode(base64.b64decode("".join(text.split()), validate=True), "windows-1252").text
    except (ValueError, Rejected):
        return text


def plain_line(text: str) -> str:
    """A headline or name that may hold HTML -> without it; brackets that are no HTML stay."""
    return html_to_text(text).replace("\n", " ") if _HTML_TAG.search(text) else text


def wrapped_text(text: str) -> str:
    """Plain text of a wire -> paragraphs: lines broken at a fixed width are joined.

    Paragraphs are apart by blank lines, or begin with an indented line.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    blocks = re.split(r"\n\s*\n", _INDENTED.sub("\n\n", "\n" + lines))
    return clean_text("\n\n".join(_joined(block) for block in blocks))


def _joined(block: str) -> str:
    """Lines of a block in one where they were wrapped; short lines (tables, lists) stay apart.

    Where every line ends a sentence, each is a paragraph.
    """
    lines = [line.strip() for line in block.split("\n") if line.strip()]
    full = lines[:-1]
    if full and all(map(_SENTENCE_END.search, full)) and (len(full) > 1 or len(full[0]) > _LONGEST_WRAPPED_CHARACTERS):
        return "\n\n".join(lines)
    wrapped = sum(
        len(line) >= _WRAPPED_CHARACTERS or after[:1].islower() for line, after in zip(full, lines[1:], strict=True)
    )
    return (" " if wrapped * 2 > len(full) else "\n").join(lines)


def without_headline(body: Body, headline: str | None) -> Body:
    """A body that repeats the headline as its first paragraph, without it (unless nothing else is there)."""
    first, _, rest = body.text.partition("\n\n")
    if headline and rest and clean_line(first).casefold() == clean_line(headline).casefold():
        return msgspec.structs.replace(body, text=rest)
    return body
