"""What agencies set behind the last sentence: initials of those who wrote, the agency's name, `ENDS`.

jd/tl        (Schluss) ab/cd        Lusa/Fim        /ritzau/        -- BERNAMA        AAP jd        -30-
"""

from __future__ import annotations

import re

from worker.clean.people import is_agency

_LONGEST = 120
_INITIALS = re.compile(
    r"(?:\(?(?:Schluss|Ende|Fin|Fim|Fine)\)?\s)?(?:(?=.*\b[b-df-hj-np-tv-xz]{2,3}\b)[a-z]{2,3}(?: [a-z]{2,3}){1,5}|"
    r"\(?[A-Za-z]{2,5}\\?\s?//?\s?[\w\\/ ]{0,12}\)?)"
)
_END = re.compile(
    r"[\W_]{0,4}(?:30|ENDS?|END ?ITEM|Enditem|ENDE|SCHLUSS|FIN|FIM|FINE|KONIEC|KRAJ)[\W_]{0,4}|[#*_=-]{2,20}"
)
_SIGNED = re.compile(
    r"[\W_]{0,4}(?P<agency>[^\W\d_][\w .-]{1,30}?)"
    r"(?:\s?/\s?(?:Fim|Fin)|[\W_]{1,4}(?:[A-Za-z]{2,3}[ /]?){0,3})?[\W_]{0,4}"
)
_REPORT = re.compile(r"This report by (?P<agency>.{2,40}?) was first published .{3,40}", re.IGNORECASE)


def end_mark(paragraph: str) -> str | None:
    """A paragraph that only marks the end -> the agency it names (empty: none); None for text."""
    if len(paragraph) > _LONGEST:
        return None
    for pattern in (_REPORT, _SIGNED):
        found = pattern.fullmatch(paragraph)
        if found and is_agency(found["agency"].strip()):
            return found["agency"].strip()
    return "" if _INITIALS.fullmatch(paragraph) or _END.fullmatch(paragraph) else None
