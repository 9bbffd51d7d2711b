"""What statistics say about the encoding of bytes, and how damaged a decoded text looks.

Detection is chardet's: over languages, alphabets and lengths it was right more often than
charset_normalizer and uchardet, and than the three voting (docs/decisions.md).
"""

from __future__ import annotations

import codecs
import re

import chardet
from chardet import EncodingEra
from ftfy.badness import badness
from w3lib.encoding import resolve_encoding

from worker.clean.language import identify

_SAMPLE_BYTES = 65_536
"""How much the detector sees: enough to be sure of any language, and bounded for large documents."""

# Languages in Latin letters some of which windows-1252 lacks.
_BEYOND_WESTERN = frozenset(
    ["pl", "cs", "sk", "sl", "hr", "bs", "hu", "ro", "lt", "lv", "et", "tr", "az", "mt", "eo", "vi", "cy"]
)
_SURE_LANGUAGE = 0.75
# Before Windows; a few accents look like theirs by chance.
_OLD_CODE_PAGES = frozenset(
    ["cp437", "cp850", "cp852", "cp857", "cp858", "cp860", "cp861", "cp862", "cp863", "cp865", "cp775", "mac-latin2"]
)
_TELL_LITTLE = 3
_HIGH = re.compile(rb"[\x80-\xff]")
# A declaration would be believed by the detector, which is asked for a second opinion.
_DECLARATION = re.compile(rb"(?:encoding|charset)\s*=\s*[\"']?[\w.:-]+", re.IGNORECASE)
_ERAS = EncodingEra.ALL & ~EncodingEra.MAINFRAME
"""EBCDIC is left out: no news arrives in it, and noise often looks like it."""

_EAST_ASIAN = frozenset(
    [
        "big5",
        "big5hkscs",
        "cp932",
        "cp949",
        "euc_jis_2004",
        "euc_jisx0213",
        "euc_jp",
        "euc_kr",
        "gb18030",
        "gb2312",
        "gbk",
        "johab",
        "shift_jis",
        "shift_jis_2004",
        "shift_jisx0213",
    ]
)
# Words of nothing but accented Latin letters, and capitals inside Cyrillic words: one alphabet read as another.
_IMPOSSIBLE = re.compile(
    "[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]{4,}|[\u0430-\u045f][\u0400-\u042f]{2,}[\u0430-\u045f]?"
)
# Greek to Arabic beside Latin inside a word.
_MIXED = re.compile("[A-Za-z][\u0370-\u06ff]|[\u0370-\u06ff][A-Za-z]")
_COMMON = re.compile("[оеаинтс]", re.IGNORECASE)
_CAPITALS, _SMALL = re.compile("[\u0410-\u042f]"), re.compile("[\u0430-\u044f]")


def detect_encoding(content: bytes) -> str | None:
    """Bytes that are neither ASCII nor UTF-8 -> Python codec they are most likely in; None: no text."""
    return detect_with_language(content)[0]


def detect_with_language(content: bytes) -> tuple[str | None, str | None]:
    """Bytes that are neither ASCII nor UTF-8 -> (Python codec, ISO 639-1 code of the language) most likely theirs."""
    found = chardet.detect(_DECLARATION.sub(b"", _sample(content)), encoding_era=_ERAS)
    name, language = found["encoding"], found["language"]
    try:
        # As browsers do: what is called Latin-1 is windows-1252, GB 2312 is GB 18030, and so on.
        codec = resolve_encoding(name) or codecs.lookup(name).name if name else None
    except LookupError:
        return None, None
    if codec in _OLD_CODE_PAGES and len(_HIGH.findall(content)) <= _TELL_LITTLE:
        return "cp1252", language
    return codec, language


def is_other_latin(text: str, language: str | None) -> bool:
    """Whether a text is in a language that windows-1252 cannot write, as the statistics of its bytes say, too."""
    if language not in _BEYOND_WESTERN:
        return False
    found, confidence = identify(text)
    return found == language and confidence >= _SURE_LANGUAGE


def is_east_asian(codec: str | None) -> bool:
    """Whether a codec writes Chinese, Japanese or Korean in several bytes a character."""
    return codec is not None and codec.replace("-", "_") in _EAST_ASIAN


def damage(text: str) -> int:
    """How many places of a text look as if it was decoded wrongly; 0 for sound text."""
    sample = text[:_SAMPLE_BYTES]
    return int(badness(sample)) + len(_IMPOSSIBLE.findall(sample))


def mixes_alphabets(text: str) -> bool:
    """Whether letters of two alphabets stand in one word, as where Latin text was decoded as another alphabet's."""
    return _MIXED.search(text[:_SAMPLE_BYTES]) is not None


def shouts(text: str) -> bool:
    """Whether most Cyrillic letters are capitals: KOI8 has them where windows-1251 has small ones, and the reverse."""
    sample = text[:_SAMPLE_BYTES]
    return len(_CAPITALS.findall(sample)) > len(_SMALL.findall(sample))


def common_cyrillic(text: str) -> int:
    """How many letters are among the seven that make up half of every Russian text."""
    return len(_COMMON.findall(text[:_SAMPLE_BYTES]))


def _sample(content: bytes) -> bytes:
    """The lines of a long document that are not plain ASCII: the others tell nothing."""
    if len(content) <= _SAMPLE_BYTES:
        return content
    return b"\n".join(line for line in content.split(b"\n") if not line.isascii())[:_SAMPLE_BYTES]
