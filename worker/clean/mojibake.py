"""Text that was decoded in a wrong encoding and saved again ("cafÃ©"): repaired where ftfy is certain."""

from __future__ import annotations

import re

import ftfy
from ftfy.badness import is_bad
from ftfy.fixes import decode_inconsistent_utf8

# What UTF-8 looks like read as Latin-1 or a Windows code page: lead bytes C2 to EF, then bytes 80 to BF.
_AFTER_LEAD = "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122"
_SUSPECT = re.compile(
    f"[\u00c2-\u00c5\u00ce-\u00d1\u00d7\u00d8\u00e2][{_AFTER_LEAD}]|[\u00e0-\u00ef][{_AFTER_LEAD}]{{2}}"
    "|[\u0102\u0106\u010e\u0110\u0139\u013d\u0143][^\x00-\x7f]"
    f"|[\u0420\u0421][{_AFTER_LEAD}\u0402-\u040f\u0452-\u045f]"
)
_RUNS = re.compile("[^\x00-\x7f]{2,}")
"""What _SUSPECT can be found in: two characters beyond ASCII in a row. Found ten times as fast."""
_PIECES = re.compile(r"[^\n>]*[\n>]|[^\n>]+\Z")
_OPEN, _LOST_CLOSE, _KEPT_CLOSE = "\u00e2\u20ac\u0153", "\u00e2\u20ac\ufffd", "\u00e2\u20ac\x9d"
"""A curly quotation doubly encoded: byte 9D of its end is undefined in Windows-1252, and often lost on the way."""
_MOST_TIMES = 3
"""How often a text may have been encoded once more."""
_MOST_CHARACTERS = 2_000_000
"""Longer texts are left alone: ftfy takes a second for a million characters."""

_OPTIONS = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    restore_byte_a0=True,
    replace_lossy_sequences=False,
    decode_inconsistent_utf8=False,
    fix_c1_controls=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
)


def repair_mojibake(text: str) -> str:
    """Text -> the text with every piece that is certainly doubly encoded repaired; others are left alone.

    A piece is a line, in markup what stands between two tags. It is repaired as a whole or not at all, and only where
    the result is valid and no longer damaged.
    """
    if len(text) > _MOST_CHARACTERS or not _is_suspect(text):
        return text
    return "".join(map(_repair_piece, _PIECES.findall(text)))


def is_damaged(text: str) -> bool:
    """Whether a text still looks doubly encoded somewhere."""
    if len(text) > _MOST_CHARACTERS or not _is_suspect(text):
        return False
    return any(_is_suspect(piece) and is_bad(piece) for piece in _PIECES.findall(text))


def _is_suspect(text: str) -> bool:
    return not text.isascii() and _SUSPECT.search(" ".join(_RUNS.findall(text))) is not None


def _repair_piece(piece: str) -> str:
    if not _is_suspect(piece) or not is_bad(piece):
        return piece
    prepared = piece.replace(_LOST_CLOSE, _KEPT_CLOSE) if _OPEN in piece else piece
    repaired = ftfy.fix_encoding(prepared, _OPTIONS)
    if "\ufffd" not in repaired and not is_bad(repaired):
        return repaired
    return _repair_parts(piece)


def _repair_parts(piece: str) -> str:
    """A piece in which sound and doubly encoded characters stand side by side."""
    repaired = piece
    for _ in range(_MOST_TIMES):
        again = decode_inconsistent_utf8(repaired)
        if again == repaired:
            break
        repaired = again
    lost = repaired.count("\ufffd") > piece.count("\ufffd")
    return piece if lost or is_bad(repaired) else repaired
