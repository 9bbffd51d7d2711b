"""Which East Asian encoding bytes are in, by where its everyday characters lie.

Each of these character sets puts its common characters (level 1, kana, Hangul) into a few rows. Text in
the right encoding keeps to them; read in a wrong one it falls all over the table.
"""

from __future__ import annotations

import msgspec


class _Layout(msgspec.Struct, frozen=True):
    """Lead bytes of everyday characters, of kana, and whether trail bytes may be ASCII."""

    codec: str
    common: range
    kana: range = range(0)
    low_trail: int = 0xA1


# JIS X 0208, GB 2312, KS X 1001 and Big5 as laid out in their standards. Ordered by how narrow the
# everyday rows are: where several fit equally, the narrower says more.
_LAYOUTS = (
    _Layout("cp949", range(0xB0, 0xC9)),
    _Layout("euc_jp", range(0xB0, 0xD0), range(0xA4, 0xA6)),
    _Layout("cp932", range(0x88, 0x98), range(0x82, 0x84), low_trail=0x40),
    _Layout("big5hkscs", range(0xA4, 0xC7), low_trail=0x40),
    _Layout("gb18030", range(0xB0, 0xD8)),
)
_PUNCTUATION_ROWS = {
    "cp949": (0xA1, 0xA3),
    "euc_jp": (0xA1, 0xA3),
    "cp932": (0x81,),
    "big5hkscs": (0xA1, 0xA2, 0xA3),
    "gb18030": (0xA1, 0xA3),
}
_SAMPLE_BYTES = 20_000
_CLEARLY = 0.85
"""Share of everyday characters from which an encoding is believed; running text has above 0.9."""

_MARGIN = 0.03
_FEWEST = 3
"""Characters below which nothing is concluded."""


def detect_cjk(content: bytes) -> str | None:
    """Bytes that are no valid UTF-8 -> Python codec of the East Asian encoding they are clearly in, or None."""
    sample = content[:_SAMPLE_BYTES]
    best, best_share = None, 0.0
    for layout in _LAYOUTS:
        share = _share_of_common(sample, layout)
        if share > best_share + (_MARGIN if best else 0.0) and _decodes(content, layout.codec):
            best, best_share = layout.codec, share
    return best if best_share >= _CLEARLY else None


def _share_of_common(sample: bytes, layout: _Layout) -> float:
    """Everyday characters among all two-byte characters but punctuation; 0 where the layout cannot be."""
    common = kana = others = index = 0
    punctuation = _PUNCTUATION_ROWS[layout.codec]
    while index < len(sample) - 1:
        lead, trail = sample[index], sample[index + 1]
        if lead < 0x80 or (layout.codec == "cp932" and 0xA1 <= lead <= 0xDF):
            others += lead >= 0x80
            index += 1
            continue
        index += 2
        if trail < layout.low_trail:
            others += 1
        elif lead in layout.kana:
            kana += 1
        elif lead in layout.common:
            common += 1
        else:
            others += lead not in punctuation
    total = common + kana + others
    if total < _FEWEST or (layout.kana and kana < total * 0.05):
        return 0.0
    return (common + kana) / total


def _decodes(content: bytes, codec: str) -> bool:
    """Whether the bytes are this encoding but for a cut character at the end."""
    try:
        content.decode(codec)
    except UnicodeDecodeError as error:
        return error.start >= len(content) - 3
    return True
