"""Plain-text articles: headline, deck, byline, dateline, paragraphs, credit line, syndication trailer.

Floods close two bridges          headline: the first line
Council says repairs take a week  deck: a line under it that is no sentence, or ends in a trailer
                                  ("Read Full Article at Example.com" names where it comes from)
By Jane Doe and Tom Lee           byline
LEEDS, Jan 5 (Reuters) - Two ...  dateline
...                               body
Ann Roe contributed to this report for Example News     credit line
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.clean.encoding import decode
from worker.clean.people import BYLINE_PREFIX, Byline, parse_byline
from worker.clean.text import clean_line, clean_text
from worker.model import Article, Document
from worker.parse.corrections import read_notice
from worker.parse.credits import credit_line, split_trailer
from worker.parse.datelines import set_dateline, split_dateline
from worker.parse.draft import Draft
from worker.parse.end_marks import end_mark
from worker.parse.notices import embargo_of, is_kill
from worker.parse.text_labels import take_labels

_HEADLINE_CHARACTERS = 300
"""A first line longer than this is a paragraph, not a headline."""

_DECK_CHARACTERS = 400
_BYLINE_CHARACTERS = 150
_WRAPPED_CHARACTERS = 100
"""Lines up to this length may be one paragraph broken by an editor at a fixed width."""

_BYLINE_WITHIN = 4
"""How many paragraphs after the headline are looked at for a byline."""

_EMBARGO_WITHIN_LINES = 5
_SENTENCE_END = re.compile(r"[.!?…。!?؟।:][\"'”’»)\]]*$")


def parse_plain_text(content: bytes, document: Document) -> Iterator[Article]:
    """Text bytes -> one article. Raises Rejected `empty_document`, `binary_content`, `no_article`."""
    decoded = decode(content, document.encoding_declared)
    draft = Draft(document, "text/plain", decoded.encoding)
    draft.warn(*decoded.warnings)
    if document.http is not None:
        draft.set_link("url", document.http.url, "url")
    yield read_text(decoded.text, draft)


def read_text(text: str, draft: Draft) -> Article:
    """Text of an article -> the article; `draft` may hold fields that are known already."""
    below = take_labels(clean_text(text), draft)
    if "headline" in draft.fields:
        return read_body(below, draft, "plain_text")
    head, body = _paragraphs(_without_embargo(below, draft))
    if head and len(head[0]) <= _HEADLINE_CHARACTERS:
        draft.set_text("headline", head.pop(0), "text")
    paragraphs = head + body
    _take_deck(draft, paragraphs, under_headline=bool(head) and bool(body))
    _take_byline(draft, paragraphs)
    _take_endings(draft, paragraphs)
    return _finish(draft, paragraphs, "plain_text")


def read_body(text: str, draft: Draft, parser: str) -> Article:
    """Text below a headline that `draft` holds already -> the article; the headline is not repeated in it."""
    head, body = _paragraphs(_without_embargo(clean_text(text), draft))
    headline = clean_line(draft.fields.get("headline", "")).casefold()
    if not any(_byline(line) or clean_line(line).casefold() == headline for line in head):
        head = _unwrap("\n".join(head))
    paragraphs = head + body
    if len(paragraphs) > 1 and clean_line(paragraphs[0]).casefold() == headline:
        del paragraphs[0]
    _take_byline(draft, paragraphs)
    _take_endings(draft, paragraphs)
    return _finish(draft, paragraphs, parser)


def _finish(draft: Draft, paragraphs: list[str], parser: str) -> Article:
    _take_dateline(draft, paragraphs)
    draft.set_text("body_text", "\n\n".join(paragraphs), "text")
    if is_kill(draft.fields.get("headline", "")):
        draft.withdraw("headline")
    return draft.finish(parser, "rules")


def _without_embargo(text: str, draft: Draft) -> str:
    """The text without a line of embargo near its beginning, which becomes a warning."""
    lines = text.split("\n")
    for index, line in enumerate(lines[:_EMBARGO_WITHIN_LINES]):
        moment = embargo_of(line)
        if moment is not None and len(lines) > 1:
            draft.warn("embargoed")
            draft.set_embargo(moment)
            return "\n".join(lines[:index] + lines[index + 1 :]).strip("\n")
    return text


def _paragraphs(text: str) -> tuple[list[str], list[str]]:
    """Clean text -> (lines of the head, paragraphs after it).

    Where blank lines separate paragraphs the first block is the head, line by line; where there are
    none, each line is a paragraph and the first alone is the head.
    """
    blocks = text.split("\n\n")
    if len(blocks) == 1:
        lines = [line for line in text.split("\n") if line]
        return lines[:1], lines[1:]
    first = blocks[0].split("\n")
    head = first if len(first) <= 4 and len(first[0]) <= _HEADLINE_CHARACTERS else _unwrap(blocks[0])
    return head, [paragraph for block in blocks[1:] for paragraph in _unwrap(block)]


def _unwrap(block: str) -> list[str]:
    """A block of lines -> one paragraph where its lines were wrapped, else a paragraph for each line."""
    lines = block.split("\n")
    full = lines[:-1]
    complete = sum(bool(_SENTENCE_END.search(line)) for line in full)
    if full and max(map(len, full)) <= _WRAPPED_CHARACTERS and complete <= len(full) // 2:
        return [" ".join(lines)]
    return lines


def _take_deck(draft: Draft, paragraphs: list[str], *, under_headline: bool) -> None:
    """The paragraph after the headline, if it is a deck and there is a body besides it."""
    if len(paragraphs) < 2 or "headline" not in draft.fields or _byline(paragraphs[0]):
        return
    candidate, origin = split_trailer(paragraphs[0])
    if not candidate or len(candidate) > _DECK_CHARACTERS:
        return
    unfinished = not _SENTENCE_END.search(candidate) and split_dateline(candidate) is None
    if origin is None and not under_headline and not (unfinished and len(candidate) <= _DECK_CHARACTERS // 2):
        return
    draft.set_text("subheadline", candidate, "text")
    draft.set_text("syndicated_from", origin, "text")
    del paragraphs[0]


def _take_byline(draft: Draft, paragraphs: list[str]) -> None:
    for index, paragraph in enumerate(paragraphs[:_BYLINE_WITHIN]):
        byline = _byline(paragraph)
        if byline is not None:
            draft.set_text("byline", paragraph, "text")
            draft.add_people(byline, "text")
            del paragraphs[index]
            return


def _byline(paragraph: str) -> Byline | None:
    """What a paragraph names, if it is nothing but a byline."""
    prefix = BYLINE_PREFIX.match(paragraph)
    if prefix is None or len(paragraph) > _BYLINE_CHARACTERS or re.search(r"[.!?。]$", paragraph):
        return None
    first = paragraph[prefix.end() :].lstrip()[:1]
    if first.islower():
        return None
    byline = parse_byline(paragraph)
    return byline if byline.people or byline.provider else None


def _take_endings(draft: Draft, paragraphs: list[str]) -> None:
    """Credit lines and trailers after the last paragraph, from the end upwards; notices of corrections stay."""
    notices: list[str] = []
    while len(paragraphs) > 1 and read_notice(paragraphs[-1]):
        notices.insert(0, paragraphs.pop())
    _take_credits(draft, paragraphs)
    paragraphs += notices


def _take_credits(draft: Draft, paragraphs: list[str]) -> None:
    while paragraphs and (len(paragraphs) > 1 or "headline" in draft.fields):
        credit = credit_line(paragraphs[-1])
        if credit is not None:
            draft.add_people(credit.byline, "text")
            draft.set_text("source_name", credit.source, "text")
            paragraphs.pop()
            continue
        mark = end_mark(paragraphs[-1])
        if mark is not None and len(paragraphs) > 1:
            draft.set_text("provider", mark, "text")
            paragraphs.pop()
            continue
        rest, origin = split_trailer(paragraphs[-1])
        if origin is None:
            return
        draft.set_text("syndicated_from", origin, "text")
        if rest:
            paragraphs[-1] = rest
            return
        paragraphs.pop()


def _take_dateline(draft: Draft, paragraphs: list[str]) -> None:
    if paragraphs:
        paragraphs[0] = set_dateline(draft, paragraphs[0], "text")
