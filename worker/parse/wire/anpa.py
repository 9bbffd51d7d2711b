"""ANPA 1312: the text message format of North American agencies.

<SYN><SYN><SOH>V4644<US>-----           service level and number, selector code
r e<DC3><DC1> AP-Top-Headlines  02-09 0121    priority, category, slug, date, word count
<STX>^AP-Top-Headlines,0176<            slug and word count; "^" begins, "<" ends a set line
^Police: driver was asleep<             headline
^By JANE DOE<                           byline
   LEEDS (AP) _ Two bridges ...         text, each paragraph indented
<ETX>AP-WF-02-10-16 0423GMT<<EOT>       circuit, date and time
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from worker.clean.text import clean_line
from worker.model import Article
from worker.parse.datelines import set_dateline
from worker.parse.draft import Draft
from worker.parse.notices import embargo_of
from worker.parse.wire import facts
from worker.parse.wire.body import Body
from worker.parse.wire.members import Member
from worker.parse.wire.message import Message, set_transmitted
from worker.parse.wire.story_number import StoryNumber, name_story

_ORIGIN = "anpa1312"
_HEADER = re.compile(r"([A-Z]{1,2}\d{4})")
_NUMBER = re.compile(r"([A-Z]{1,2})(\d{4})")
_SLUG_AND_DAY = re.compile(r"\x11 *(?P<slug>[^\n,]{1,40}?)(?:,[^\n]*)? +(?P<day>\d\d-\d\d) +\d{3,5}\b")
_CIRCUIT = re.compile(r"\W*([A-Z]{2,5}(?:-[A-Z]{1,4})?)-\d\d-\d\d-\d\d\b")
_SLUG = re.compile(r"(?P<slug>[\w'&. -]{1,80}),(?: ?[\w'&. -]{1,30},){0,3} ?\d{1,5}|\*?\d{3,5}")
_EDITORS_NOTE = re.compile(r"(?:Eds?|Editors?|Editor's note|With|Adds|Updates)\b[^.]{0,20}:", re.IGNORECASE)
# Marks of typesetting inside a line: quad left, quad center and the like.
_TYPESETTING = re.compile(r"<[A-Z]{1,3}\d{0,3}>")
_BYLINE = re.compile(r"By (?=[A-Z])")
_HOLD = re.compile(r"\b(?:HOLD FOR RELEASE|EMBARGO(?:ED)?)\b", re.IGNORECASE)
_ALERT_CHARACTERS = 250
"""An alert is one sentence; it is its own headline."""


def read_anpa(message: Message, draft: Draft, member: Member) -> Article:
    """A message -> its article. Raises Rejected `no_article`."""
    header = _HEADER.search(message.head)
    if header is not None:
        draft.set_text("guid", header[1], _ORIGIN)
        # Numbers of messages begin anew every day: alone they name nothing (story_number.py).
        draft.fields["identity_guid"] = False
    level = re.search(r"^([fburdiasczx]) ([a-z])", message.head, re.MULTILINE)
    if level is not None:
        # Flash, bulletin, urgent, rush, daily: the priorities of the standard, as IPTC urgency.
        facts.set_urgency(draft, {"f": 1, "b": 2, "u": 3, "r": 4, "d": 5}.get(level[1]), _ORIGIN)
    set_transmitted(draft, message, _ORIGIN)
    set_lines, paragraphs = _read_lines(message.text)
    _set_head(set_lines, draft)
    _set_alert(paragraphs, draft)
    name_story(draft, _story_number(message, draft), message.text, _ORIGIN)
    return facts.finish_wire(draft, Body("\n\n".join(paragraphs)), _ORIGIN, _ORIGIN, member)


def _story_number(message: Message, draft: Draft) -> StoryNumber | None:
    """The message's number, day and slug by its header, the circuit and the year by its trailer."""
    number, slug, circuit = (
        _NUMBER.search(message.head),
        _SLUG_AND_DAY.search(message.head),
        _CIRCUIT.match(message.trailer),
    )
    sent: datetime | None = draft.fields.get("published_at")
    if number is None or slug is None or circuit is None or sent is None:
        return None
    # The header's day is the service's own, which may be over or not begun where the trailer's clock stands.
    days = (sent.date() + timedelta(days=away) for away in (0, -1, 1))
    day = next((day for day in days if f"{day:%m-%d}" == slug["day"]), None)
    if day is None:
        return None
    return StoryNumber(circuit=circuit[1], service=number[1], number=int(number[2]), day=day, slug=slug["slug"])


def _read_lines(text: str) -> tuple[list[str], list[str]]:
    """(set lines, paragraphs): what begins with "^" or an indent begins anew, other lines go on."""
    pieces: list[list[str]] = []
    complete: list[bool] = []
    opened = False
    for line in _TYPESETTING.sub("", text).split("\n"):
        begins, ends = line.startswith(("^", "\t", "   ")), line.rstrip().endswith("<")
        opened = line.startswith("^") or (opened and not begins)
        for part in line.split("< ^") if line.startswith("^") else [line]:
            plain = clean_line(part.strip().strip("^<="))
            if plain and (begins or not pieces or complete[-1]):
                pieces.append([plain])
                complete.append(opened and ends)
            elif plain:
                pieces[-1].append(plain)
                complete[-1] = opened and ends
        opened = opened and not ends
    joined = [" ".join(piece) for piece in pieces]
    while joined and _CIRCUIT.match(joined[-1]):
        # The trailer, where it stands inside the text.
        joined.pop()
        complete.pop()
    first = complete.index(False) if False in complete else len(complete)
    return joined[:first], joined[first:]


def _set_head(lines: list[str], draft: Draft) -> None:
    for line in lines:
        slug = _SLUG.fullmatch(line)
        if slug is not None:
            draft.set_terms("keywords", [slug["slug"] or ""], _ORIGIN)
        elif _BYLINE.match(line):
            facts.set_byline(draft, line, _ORIGIN)
        elif _EDITORS_NOTE.match(line):
            draft.warn("editors_note")
            if facts.is_correction(line):
                draft.add_correction(line, _ORIGIN)
        elif not _HOLD.search(line):
            draft.set_text("headline", line, _ORIGIN)
        if _HOLD.search(line):
            draft.warn("embargoed")
            draft.set_embargo(embargo_of(line) or "")
        if facts.is_kill(line):
            draft.withdraw(_ORIGIN)


def _set_alert(paragraphs: list[str], draft: Draft) -> None:
    if not paragraphs:
        return
    sentence = set_dateline(draft, paragraphs[0], _ORIGIN)
    if len(paragraphs) == 1 and len(sentence) <= _ALERT_CHARACTERS:
        draft.set_text("headline", sentence, _ORIGIN)
