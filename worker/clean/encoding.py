"""Bytes -> text: choose the character encoding that decodes without damage.

A byte order mark is believed; valid UTF-8 is UTF-8 whatever was declared (other encodings hardly ever
produce it by chance); then what HTTP or the document declares, if it decodes cleanly and does not look
wrong beside what is detected; then what is detected. UTF-8 with a few broken sequences is decoded with
U+FFFD and a warning; text that had been decoded wrongly before it was sent is repaired.
"""

from __future__ import annotations

import codecs
import re

import msgspec
from w3lib.encoding import html_body_declared_encoding, read_bom, resolve_encoding

from worker.clean.encoding_detect import (
    common_cyrillic,
    damage,
    detect_encoding,
    detect_with_language,
    is_east_asian,
    is_other_latin,
    mixes_alphabets,
    shouts,
)
from worker.clean.mojibake import is_damaged, repair_mojibake
from worker.errors import Rejected
from worker.model import Encoding

_ISO_2022 = (
    (b"\x1b$B", "iso2022_jp_2"),
    (b"\x1b$@", "iso2022_jp_2"),
    (b"\x1b$)C", "iso2022_kr"),
)
_HZ = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e])+~\}")
_WESTERN = frozenset(("cp1252", "iso8859-15"))
_PAIRED = re.compile(rb"[\x80-\xff]{2}")
_REPLACEMENT = "\ufffd"
_ASCII = re.compile("[\x00-\x7f]")
_NOISE = 0.02
"""Share of undecodable bytes up to which they are damage rather than another encoding."""

ZERO_BYTE_IN = 50
"""Of so many bytes of UTF-16 at least one is zero: that of a space, a digit or a full stop."""

_CLEARLY_DAMAGED = 3
"""Places that look wrong from which a declaration is doubted; one or two happen in sound text."""

_C1_CONTROLS = re.compile("[\x80-\x84\x86-\x9f]")
# Codecs that turn bytes into something else than text, or that can hide markup from a byte search.
_UNSAFE_CODECS = {
    "utf-7",
    "punycode",
    "idna",
    "unicode_escape",
    "raw_unicode_escape",
    "undefined",
}
# Wide encodings say nothing about a document that could be read byte by byte to find the declaration.
_WIDE = ("utf-16", "utf-32")


class Decoded(msgspec.Struct, frozen=True):
    """Decoded text with the encodings declared, detected and used, and doubts as warning codes."""

    text: str
    encoding: Encoding
    warnings: tuple[str, ...] = ()


def decode(content: bytes, declared: str | None = None) -> Decoded:
    """Bytes, and the encoding HTTP or a container declared for them -> text.

    The declaration inside an XML or HTML document is looked up here. Raises Rejected
    `empty_document` or `binary_content`.
    """
    if not content.strip(b"\x00 \t\r\n\x0b\x0c\xef\xbb\xbf\xff\xfe"):
        raise Rejected("empty_document")
    return _repaired(_by_mark(content, declared) or _by_bytes(content, declared))


def _by_bytes(content: bytes, declared: str | None) -> Decoded:
    """Not UTF-16 and not UTF-32: the most certain reading first."""
    if b"\x00" in content:
        raise Rejected("binary_content", "NUL bytes in what is neither UTF-16 nor UTF-32")
    inside = html_body_declared_encoding(content[:4096])
    labels = tuple(label for label in (declared, inside) if label and not label.lower().startswith(_WIDE))
    said = labels[0] if labels else declared
    return (
        _seven_bit(content, said)
        or _valid_utf8(content, said)
        or _as_declared(content, labels)
        or _mostly_utf8(content, said)
        or _detected(content, said)
    )


def _repaired(decoded: Decoded) -> Decoded:
    text = repair_mojibake(decoded.text)
    if text == decoded.text:
        doubts = ("mojibake_suspected",) if is_damaged(text) else ()
        return msgspec.structs.replace(decoded, warnings=(*decoded.warnings, *doubts)) if doubts else decoded
    doubts = ("mojibake_repaired", *(("mojibake_suspected",) if is_damaged(text) else ()))
    return Decoded(text, decoded.encoding, (*decoded.warnings, *doubts))


def _by_mark(content: bytes, declared: str | None) -> Decoded | None:
    """By byte order mark, or by the zero bytes that ASCII characters leave in UTF-16 and UTF-32."""
    name, mark = read_bom(content)
    body, found = content[len(mark or b"") :], name
    if name is None:
        if b"\x00" not in content[:512]:
            return None
        found = _zero_pattern(content[:512]) or _one_sided(content, declared)
        if found is None:
            return None
    text = body.decode(found or "utf-8", "replace")
    bad = text.count(_REPLACEMENT)
    if name is None and bad > len(text) // 100:
        return None
    warnings = ("malformed_characters",) if bad else ()
    if "\x00" in text:
        text, warnings = text.replace("\x00", ""), (*warnings, "nul_removed")
    return Decoded(text, Encoding(declared=declared, detected=found, used=found), warnings)


def _zero_pattern(head: bytes) -> str | None:
    """Encoding by where the zero bytes lie; None where they lie anywhere."""
    quads = len(head) // 4
    zeros = [head[i : quads * 4 : 4].count(0) for i in range(4)]
    if quads < 2:
        return None
    most = quads * 0.7
    if min(zeros[1:]) >= most > zeros[0]:
        return "utf-32-le"
    if min(zeros[:3]) >= most > zeros[3]:
        return "utf-32-be"
    if min(zeros[1], zeros[3]) >= most and max(zeros[0], zeros[2]) < quads * 0.1:
        return "utf-16-le"
    if min(zeros[0], zeros[2]) >= most and max(zeros[1], zeros[3]) < quads * 0.1:
        return "utf-16-be"
    return None


def _one_sided(content: bytes, declared: str | None) -> str | None:
    """UTF-16 of another alphabet than ASCII's: zero bytes on one side only, or declared, and a sound text by it."""
    even, odd = content[::2].count(0), content[1::2].count(0)
    said = resolve_encoding(declared) if declared else None
    found = "utf-16-le" if odd > even else "utf-16-be"
    if said != found and (min(even, odd) or max(even, odd) * ZERO_BYTE_IN < len(content)):
        return None
    text = _strict(content[: len(content) // 2 * 2], found)
    sound = text is not None and sum(sign.isprintable() or sign.isspace() for sign in text) >= len(text) * 0.98
    return found if sound else None


def _seven_bit(content: bytes, declared: str | None) -> Decoded | None:
    if not content.isascii():
        return None
    for escape, name in _ISO_2022:
        if escape in content and (text := _strict(content, name)) is not None:
            return Decoded(text, Encoding(declared=declared, detected=name, used=name))
    if ((declared or "").lower() in ("hz", "hz-gb-2312") or _HZ.search(content)) and (
        text := _strict(content, "hz")
    ) is not None:
        return Decoded(text, Encoding(declared=declared, used="hz"))
    return Decoded(
        content.decode("ascii"),
        Encoding(declared=declared, detected="ascii", used="ascii"),
    )


def _valid_utf8(content: bytes, declared: str | None) -> Decoded | None:
    text = _strict(content, "utf-8")
    if text is None:
        return None
    wrong = declared is not None and resolve_encoding(declared) not in (
        None,
        "utf-8",
        "utf-8-sig",
    )
    warnings = ("encoding_declared_wrong",) if wrong else ()
    return Decoded(text, Encoding(declared=declared, detected="utf-8", used="utf-8"), warnings)


def _as_declared(content: bytes, labels: tuple[str, ...]) -> Decoded | None:
    for label in labels:
        name = resolve_encoding(label) or _codec(label)
        if name is None or name in _UNSAFE_CODECS or name == "utf-8":
            continue
        text = _strict(content, name)
        if text is not None and not _C1_CONTROLS.search(text):
            detected, language = detect_with_language(content)
            if detected and _looks_better(content, detected, text):
                return None
            if detected and detected != name and name in _WESTERN and _is_other_latin(content, detected, language):
                return None
            return Decoded(text, Encoding(declared=labels[0], detected=detected, used=name))
    return None


def _is_other_latin(content: bytes, detected: str, language: str | None) -> bool:
    """Whether what was declared western, as programs do by default, is in another alphabet of Latin letters."""
    text = _strict(content, detected)
    return text is not None and not _C1_CONTROLS.search(text) and is_other_latin(text, language)


def _looks_better(content: bytes, detected: str, as_declared: str) -> bool:
    """Whether the detected encoding gives sound text where the declared one gives damage."""
    wrong, loud = damage(as_declared), shouts(as_declared)
    if wrong < _CLEARLY_DAMAGED and not loud:
        return False
    text = _strict(content, detected)
    if text is None or not loud:
        return text is not None and damage(text) * 3 <= wrong
    return not shouts(text) and common_cyrillic(text) > common_cyrillic(as_declared)


def _mostly_utf8(content: bytes, declared: str | None) -> Decoded | None:
    """UTF-8 with a few broken sequences.

    Ten whole characters for each broken one; or, where UTF-8 is declared, so few broken ones in so much
    ASCII that no other encoding can be told from them.
    """
    text = content.decode("utf-8", "replace")
    broken = text.count(_REPLACEMENT)
    whole = len(text) - len(_ASCII.findall(text)) - broken
    if not whole and not _PAIRED.search(content):
        # Single bytes between ASCII are characters of an encoding of single bytes.
        return None
    said_utf8 = resolve_encoding(declared) == "utf-8" if declared else False
    if whole < broken * (1 if said_utf8 else 10) and not (said_utf8 and _is_noise(content, broken)):
        return None
    return Decoded(
        text,
        Encoding(declared=declared, detected="utf-8", used="utf-8"),
        ("malformed_characters",),
    )


def _is_noise(content: bytes, broken: int) -> bool:
    return broken < len(content) * _NOISE and not is_east_asian(detect_encoding(content))


def _detected(content: bytes, declared: str | None) -> Decoded:
    name = detect_encoding(content)
    text = _strict(content, name) if name else None
    if text is not None and (mixes_alphabets(text) or _C1_CONTROLS.search(text)):
        # A few accents or quotation marks in English or French tell a detector little.
        western = _strict(content, "cp1252")
        if western is not None and not damage(western):
            name, text = "cp1252", western
    doubts: tuple[str, ...] = ("encoding_detected",)
    if declared is not None:
        doubts += ("encoding_declared_wrong",)
    if text is None:
        # Every byte means something in windows-1252 but five: the last resort that loses least.
        name = name or "windows-1252"
        text = content.decode(name, "replace")
        if text.count(_REPLACEMENT) > len(text) // 10:
            raise Rejected("binary_content")
        doubts += ("malformed_characters",)
    return Decoded(text, Encoding(declared=declared, detected=name, used=name), doubts)


def _codec(label: str) -> str | None:
    """A label only Python knows -> codec name; None for what is no encoding of text."""
    try:
        "".encode(label)
        return codecs.lookup(label).name
    except (LookupError, ValueError):
        return None


def _strict(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except (UnicodeError, LookupError):
        return None
