"""Text as a record holds it: NFC, no control characters, plain spaces, paragraphs apart by a blank line.

Both functions are idempotent: cleaning clean text changes nothing.
"""

from __future__ import annotations

import re
import unicodedata

# Line ends of every system: CR, CRLF, NEL, VT, FF and Unicode's line separator. U+2029 ends a paragraph.
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028]")
# What no store and no reader wants: C0/C1 controls but tab and newline, surrogates, noncharacters,
# soft hyphen, zero-width space, word joiner and byte order mark. The joiners U+200C and U+200D stay:
# Persian, Indic scripts and emoji need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]"
)
_SPACES = re.compile(r"[^\S\n]+")
_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_UNCLEAN_ASCII = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]|  | \n|\n |\n\n\n|\A\s|\s\Z")
"""What there is to do in a text of ASCII alone. Most need nothing, and one search is a tenth of the steps."""


def clean_text(text: str) -> str:
    """Any text -> NFC text; paragraphs are separated by one blank line, line breaks inside them kept."""
    if text.isascii() and _UNCLEAN_ASCII.search(text) is None:
        return text
    text = _LINE_END.sub("\n", text.replace("\u2029", "\n\n"))
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    lines = (line.strip() for line in _SPACES.sub(" ", text).split("\n"))
    return _PARAGRAPH_BREAK.sub("\n\n", "\n".join(lines)).strip()


def clean_line(text: str) -> str:
    """Any text -> one line of NFC text, runs of white space as one space."""
    return " ".join(clean_text(text).split())
