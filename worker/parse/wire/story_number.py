"""Which story a message of lines is, and which one a kill notice takes back.

A message has the number of its service, which counts anew every day. So a number names a story only together with
the service and the day; and because nobody tells where a service's day ends, with the slug, which a kill repeats.
A kill is a message with a number of its own: which story it means is the number that its text quotes.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

import msgspec

from worker.clean.text import clean_line
from worker.parse.draft import Draft


class StoryNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A message's place in its service.

    `circuit` tells apart services of the same letter, `service` is written with the number (`V4644`), `day` is the
    service's own day as far as the message tells it.
    """

    circuit: str = ""
    service: str
    number: int
    day: date
    slug: str

    @property
    def guid(self) -> str:
        parts = (
            self.circuit,
            f"{self.day:%Y-%m-%d}",
            f"{self.service}{self.number}",
            clean_line(self.slug).strip("/ "),
        )
        return ":".join(filter(None, parts)).casefold()


def name_story(draft: Draft, own: StoryNumber | None, text: str, origin: str) -> None:
    """Set the guid of a message, or of the story that it takes back, where the message tells it whole.

    Otherwise its guid is what it was, and identifies nothing.
    """
    story = _taken_back(own, text) if own is not None and draft.fields.get("withdrawn") else own
    if story is not None and story.slug.strip():
        draft.fields.pop("guid", None)
        draft.fields.pop("identity_guid", None)
        draft.set_text("guid", story.guid, origin)


def _taken_back(own: StoryNumber, text: str) -> StoryNumber | None:
    """The one other number that the text quotes; a number that was not reached today is yesterday's."""
    quoted = re.findall(rf"\b{re.escape(own.service)} ?(\d{{1,6}})\b", text, re.IGNORECASE)
    numbers = set(map(int, quoted)) - {own.number}
    if len(numbers) != 1:
        return None
    (number,) = numbers
    day = own.day if number < own.number else own.day - timedelta(days=1)
    return msgspec.structs.replace(own, number=number, day=day)
