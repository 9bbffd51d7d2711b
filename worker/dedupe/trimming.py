"""Datelines, credit lines and syndication trailers: left out before texts are compared.

An agency's text comes with another dateline, byline and trailer at each outlet. Only the ends of a text
are looked at, and a line is dropped only where it is nothing but such a line, so that a wrong guess costs a
few words and never a fact of the story.
"""

from __future__ import annotations

import re

HEAD_LINES = 3
TAIL_LINES = 4
END_LINES = 5
"""So many lines at each end are looked at for credits that stand between others: the time of publication comes after
a standfirst, a note on the author after the copyright."""
_LONGEST_CREDIT = 120
_LONGEST_DATELINE = 110
_LONGEST_TRAILER = 160
_SHORTEST_TEASER = 12
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|janv|févr|mars|avr|mai|juin|juil|août|déc|märz|okt|dez|ene|abr"
    r"|ago|dic|gen|giu|lug|set|ott)[^\W\d_]{0,7}\.?"
)
_DATE = rf"(?:{_MONTH} \d{{1,2}}(?:, ?\d{{4}})?|\d{{1,2}}\.? {_MONTH}(?: \d{{4}})?)"
_DATELINE = re.compile(
    rf"\s*(?=[A-ZÀ-Þ])(?P<city>[^\W\d_]+)(?:[ .,'’/-]{{1,2}}[^\W\d_]+){{0,6}}?\.?"
    rf"(?:,? ?(?i:{_DATE}))?[ ,]*(?P<agency>\([^()]{{2,40}}\))?\s*(?:--|[-–—:])\s+"
)
_DATELINE_MARKS = ("- ", "--", "–", "—", ": ")
_BY = re.compile(
    r"[\s(—–-]*(?:by|von|par|por|di|door|av|af|von|reporting by|writing by|editing by|text:|de notre)\s+"
    r"[^\W\d_][\w.'’-]*(?:[\s,/&|]+[^\W\d_][\w.'’-]*){0,7}\W*$",
    re.IGNORECASE,
)
_TIME_WORDS = (
    r"posted|published|updated|last|modified|edited|created|first|on|at|of|the|am|pm|a|m|p|gmt|utc|bst|est|edt|cst|cdt|pst"
    r"|pdt|cet|cest|et|pt|st|nd|rd|th|hrs|uhr|stand|mon|tue|wed|thu|fri|sat|sun|today|yesterday|ist|jst|aest"
    r"|monday|tues(?:day)?|wednesday|thurs(?:day)?|friday|saturday|sunday"
)
_TIME_STAMP = re.compile(rf"(?=.*\d)(?>[\W\d_]|(?<![^\W\d_])(?:{_TIME_WORDS}|{_MONTH})(?![^\W\d_]))++$", re.IGNORECASE)
"""Possessive: a date that is taken for one thing is never taken for another, or hostile lines would take hours."""
_DASH_NAME = re.compile(r"\s*[—–-]+\s*[A-ZÀ-Þ][\w.'’-]*(?:\s+[A-ZÀ-Þ][\w.'’-]*){0,4}\s*$")
_CREDIT_PHRASES = (
    r"(?:additional )?(?:reporting|writing|editing) by ",
    r"copyright\b|\(c\) ?\d{4}|©|all rights reserved",
    r"(?:source|quelle|fuente|fonte|bron|related|mehr zum thema|lire aussi|leia também)\s*:",
    r"read more\b|read the full|read full|continue reading|click here",
    r"(?:this (?:article|story|post) (?:was |has been )?)?(?:first|originally) (?:published|appeared)",
    r"(?:advertisement|recommended for you)\W*$|story continues below",
)
_CREDIT = re.compile(rf"\W*(?:{'|'.join(_CREDIT_PHRASES)})", re.IGNORECASE)
_PUBLISHED = re.compile(
    r"(?=\W*(?:posted|published|updated|last|modified|edited|created|first)\b"
    r"|.*\d ?[:.] ?\d\d(?!\d).*\b(?:19|20)\d\d\b|.*\b(?:19|20)\d\d\b.*\d ?[:.] ?\d\d(?!\d))",
    re.IGNORECASE,
)
"""What tells a time of publication from a row of a table: a word that says so, or a clock time beside a year."""
_BYLINE = re.compile(r"(?:By|Von|Par|Por|Di|Door) [A-ZÀ-Þ][\w.'’-]+(?: [A-ZÀ-Þ][\w.'’-]*){1,4}\W*$")
_FILLER = re.compile(
    r"\s*(?:(?i:recommended for you|story continues below(?: this)?(?: advertisement)?|advertisement)[\s.:…]+)+"
    r"(?=[^\w\s]*[A-ZÀ-Þ\d])"
)
"""What a page prints between its paragraphs: a summary that was cut from the page has it in its first line."""
_CONTRIBUTED = re.compile(r".{2,80}\bcontributed\b.{0,60}(?:report|story|article)", re.IGNORECASE)
_TRAILER_HINTS = (
    "full",
    "original",
    "complete",
    "entire",
    "rest",
    "more",
    "reading",
    "appeared",
    "lesen",
    "lire",
    "leer",
)
_TRAILER = re.compile(
    r"\b(?:(?:click here to )?(?:read|continue|see|view) (?:the )?"
    r"(?:full|original|complete|entire|rest|more|reading)\b[^.\n]{0,60}(?:\.[a-z]{2,10}){0,2}"
    r"|(?:the post .{1,120} )?appeared first on .{2,60}|weiterlesen|lire la suite|leer más)\W*$",
    re.IGNORECASE,
)


def trim(body_text: str) -> str:
    """A body without its dateline, and without credit lines and syndication trailers at its ends."""
    lines = body_text.strip().split("\n")
    first = _first_line(lines)
    lines = _without_credits(lines[first : _last_line(lines, first) + 1])
    lines[0] = _without_filler(lines[0])
    for at in range(min(2, max(1, len(lines) - 1))):
        lines[at] = _without_trailer(_without_dateline(lines[at]))
    lines[-1] = _without_trailer(lines[-1])
    return "\n".join(lines[1:] if _is_teaser(lines) else lines)


def _is_teaser(lines: list[str]) -> bool:
    """Is the first line the beginning of the text, put in front of it?"""
    teaser = lines[0].rstrip(" .…")
    return len(teaser) > _SHORTEST_TEASER and any(line.startswith(teaser) for line in lines[1 : 1 + HEAD_LINES])


def is_credit(line: str) -> bool:
    """Is this line nothing but a byline, a credit, a time or a pointer to other pages?"""
    if len(line) > _LONGEST_CREDIT and not line.startswith("Related"):
        return False
    return any(pattern.match(line) for pattern in (_BY, _DASH_NAME, _CREDIT, _CONTRIBUTED, _TIME_STAMP))


def _without_credits(lines: list[str]) -> list[str]:
    """Lines without the credits near their ends; the first and the last stay."""
    last = len(lines) - 1
    near = [*range(1, min(END_LINES + 1, last)), *range(max(END_LINES + 1, last - END_LINES), last)]
    credits_at = [at for at in near if len(lines[at]) <= _LONGEST_CREDIT and _is_surely_credit(lines[at])]
    return [line for at, line in enumerate(lines) if at not in credits_at] if credits_at else lines


def _is_surely_credit(line: str) -> bool:
    """Is this line a credit even between others, where wrapped sentences and rows of tables stand too?"""
    return bool(
        _CREDIT.match(line)
        or _BYLINE.match(line)
        or ("ontributed" in line and _CONTRIBUTED.match(line))
        or (_TIME_STAMP.match(line) and _PUBLISHED.match(line))
    )


def _first_line(lines: list[str]) -> int:
    at = 0
    for _ in range(HEAD_LINES):
        while at < len(lines) - 1 and not lines[at].strip():
            at += 1
        if at == len(lines) - 1 or not is_credit(lines[at]):
            break
        at += 1
    return at


def _last_line(lines: list[str], first: int) -> int:
    at = len(lines) - 1
    for _ in range(TAIL_LINES):
        while at > first and not lines[at].strip():
            at -= 1
        if at == first or not is_credit(lines[at]):
            break
        at -= 1
    return at


def _without_dateline(line: str) -> str:
    head = line[:_LONGEST_DATELINE]
    if not any(mark in head for mark in _DATELINE_MARKS):
        return line
    found = _DATELINE.match(head)
    if found is None:
        return line
    if found["agency"] is None and not (found["city"].isupper() and len(found["city"]) > 2):
        return line
    return line[found.end() :]


def _without_filler(line: str) -> str:
    found = _FILLER.match(line)
    return line[found.end() :] if found else line


def _without_trailer(line: str) -> str:
    start = max(0, len(line) - _LONGEST_TRAILER)
    tail = line[start:].lower()
    if not any(hint in tail for hint in _TRAILER_HINTS):
        return line
    found = _TRAILER.search(line, start)
    return line[: found.start()] if found else line
