"""Lines by which a text on its way to editors is held back or taken back: embargoes and kill notices.

EMBARGOED UNTIL 5 June 2025, 10:00 GMT        Sperrfrist: 5. Juni 2025, 10 Uhr        MANDATORY KILL: Kiln relit
"""

from __future__ import annotations

import re

_LINE_CHARACTERS = 150
_EMBARGO = re.compile(
    r"[\W_]{0,6}(?:strictly |under )?(?:embargo(?:ed)?(?:\s*:| (?=until|till|for release|bis|jusqu|hasta))|"
    r"sperrfrist\b|hold for release\b|not for (?:release|publication) (?=before|until))[\s:]*"
    r"(?:(?:until|till|before|for release|bis|jusqu['’]au|hasta)\b(?: the| el| am)?)?[\s:]*(?P<moment>.*?)[\W_]*",
    re.IGNORECASE,
)
_KILL = re.compile(
    r"\W{0,3}(?:(?:MANDATORY|BULLETIN|ADVISORY)[ :-]{1,3})?(?:KILL|WITHDRAWAL|WITHDRAWN|RETRACTION)"
    r"(?: (?:NOTICE|ADVISORY|ORDER))?\s?[:–—-]\s|\W{0,3}(?:MANDATORY KILL|KILL (?:NOTICE|ADVISORY|ORDER))\b"
)


def embargo_of(line: str) -> str | None:
    """A line that is nothing but an embargo -> its end as written (perhaps empty); None for any other line."""
    found = _EMBARGO.fullmatch(line) if len(line) <= _LINE_CHARACTERS else None
    return found["moment"] if found else None


def is_kill(headline: str) -> bool:
    """Whether a headline announces that a text is taken back."""
    return _KILL.match(headline) is not None
