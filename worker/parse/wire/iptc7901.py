"""IPTC 7901: the text message format of European agencies.

<SOH>eca0003 3 i 380  dpa 0045          source and number, priority, category, word count, more
Switzerland/migration/UN/               keywords
<STX>1ST LEAD                           markers of versions
Switzerland joins list of countries     headline; the head ends with "="
By dpa correspondents =
Geneva (dpa) - Switzerland is ...       text
<ETX>212322 GMT Nov 18                  day, hour and minute, month, year
"""

from __future__ import annotations

import re
from datetime import datetime

from worker.clean.people import BYLINE_PREFIX
from worker.model import Article
from worker.parse.datelines import set_dateline, split_dateline
from worker.parse.draft import Draft
from worker.parse.end_marks import end_mark
from worker.parse.notices import embargo_of
from worker.parse.wire import facts
from worker.parse.wire.body import Body, wrapped_text
from worker.parse.wire.members import Member
from worker.parse.wire.message import Message, set_transmitted
from worker.parse.wire.story_number import StoryNumber, name_story

_ORIGIN = "iptc7901"
HEADER = re.compile(r"([a-z]{2,4}) ?(\d{2,6}) ([1-9]) ([a-z]{1,4}) +(\d{1,5})\b", re.IGNORECASE)
_MOST_HEAD_LINES = 14
_WRAPPED_CHARACTERS = 55
"""A headline line of at least this length goes on in the next (lines have at most 69 characters)."""

_MARKER = re.compile(
    r"(?:\d(?:ST|ND|RD|TH) )?(?:NEW )?(?:LEAD|NET|TAKE|UPDATE|REFILE|REPETITION|CORRECTION|CORRECTED|KILL|"
    r"URGENT|ALERT|FLASH|EMBARGO|EILMELDUNG|BERICHTIGUNG|ZUSAMMENFASSUNG|ROUNDUP|EXTRA|WRAP|"
    r"KORR|WDH|ADVISORY|WITHDRAWAL|WITHDRAWN|ZURÜCKGEZOGEN|ANNULATION|ANNULÉE?|ANULADO|SPERRFRIST)\b[\w .:/()-]*",
)
_MARKER_WORDS = 3
"""A longer marker says what was done."""
_NOT_FOR_PUBLICATION = re.compile(
    r"\b(?:is|are) not (?:intended )?for publication|nicht (?:zur|für die) Veröffentlichung", re.IGNORECASE
)
_RULE = re.compile(r"#.*|[*_=# -]{3,}")


def read_iptc7901(message: Message, draft: Draft, member: Member) -> Article:
    """A message -> its article. Raises Rejected `no_article`."""
    header = HEADER.search(message.head)
    if header is not None:
        draft.set_text("guid", f"{header[1]}{header[2]}", _ORIGIN)
        # Numbers of messages begin anew every day: alone they name nothing (story_number.py).
        draft.fields["identity_guid"] = False
        facts.set_urgency(draft, header[3], _ORIGIN)
    set_transmitted(draft, message, _ORIGIN)
    above, lines, text = _split_head(message)
    draft.set_terms("keywords", (word for line in above for word in line.split("/")), _ORIGIN)
    _set_head(lines, draft)
    sent: datetime | None = draft.fields.get("published_at")
    if header is not None and sent is not None:
        own = StoryNumber(service=header[1], number=int(header[2]), day=sent.date(), slug=" ".join(above))
        name_story(draft, own, text, _ORIGIN)
    paragraphs = _paragraphs(text)
    set_dateline(draft, paragraphs[0], _ORIGIN)
    return facts.finish_wire(draft, Body("\n\n".join(paragraphs)), _ORIGIN, _ORIGIN, member)


def _split_head(message: Message) -> tuple[list[str], list[str], str]:
    """(keyword lines, lines of the head, text): the head ends with "=", or at the first blank line."""
    above = [line.strip() for line in message.head.split("\n")[1:] if line.strip()]
    lines = message.text.strip("\n").split("\n")
    while lines and (not lines[0].strip() or ("/" in lines[0] and lines[0].strip().endswith("/"))):
        above += [line.strip() for line in lines[:1] if line.strip()]
        del lines[0]
    ends = [index for index, line in enumerate(lines[:_MOST_HEAD_LINES]) if line.rstrip().endswith("=")]
    blank = next((index for index, line in enumerate(lines) if not line.strip()), len(lines))
    begins = next((index for index, line in enumerate(lines[1:4], 1) if split_dateline(line)), 1)
    end = ends[0] + 1 if ends else blank if blank <= 4 and blank < len(lines) else begins
    head = [line.strip().removesuffix("=").strip() for line in lines[:end]]
    return above, [line for line in head if line], "\n".join(lines[end:])


def _set_head(lines: list[str], draft: Draft) -> None:
    headlines: list[str] = []
    for line in lines:
        if BYLINE_PREFIX.match(line) and headlines:
            facts.set_byline(draft, line, _ORIGIN)
        elif (embargo := embargo_of(line)) is not None:
            draft.warn("embargoed")
            draft.set_embargo(embargo)
        elif _MARKER.fullmatch(line) or (line.startswith("(") and line.endswith(")")):
            _note_marker(line, draft)
        else:
            headlines.append(line)
    headline = headlines.pop() if headlines else ""
    while headlines and len(headlines[-1]) >= _WRAPPED_CHARACTERS:
        headline = f"{headlines.pop()} {headline}"
    draft.set_text("headline", headline, _ORIGIN)


def _note_marker(line: str, draft: Draft) -> None:
    if facts.is_kill(line):
        draft.withdraw(_ORIGIN)
    if re.search(r"CORRECT|BERICHTIGUNG|\bKORR\b", line):
        draft.add_correction(line.strip("()") if len(line.split()) > _MARKER_WORDS else None, _ORIGIN)
    if "EMBARGO" in line or "SPERRFRIST" in line:
        draft.warn("embargoed")


def _paragraphs(text: str) -> list[str]:
    """Text without what is meant for editors: notes behind the story, initials of those who wrote it."""
    lines = _before_notes(text).split("\n")
    while lines and (not re.search(r"\w", lines[-1]) or end_mark(lines[-1].strip()) is not None):
        lines.pop()
    return wrapped_text("\n".join(lines)).split("\n\n")


def _before_notes(text: str) -> str:
    """What stands before notes that are not for publication, and before their headings and rules."""
    note = _NOT_FOR_PUBLICATION.search(text)
    if note is None:
        return text
    lines = text[: note.start()].split("\n")[:-1]
    while lines and (not lines[-1].strip() or _RULE.fullmatch(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines)
