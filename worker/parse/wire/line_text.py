"""Wires sent as lines of text: ANPA 1312 and IPTC 7901 messages, one or many in a transmission."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from worker.clean.encoding import decode
from worker.model import Article, Document, Refusal
from worker.parse.draft import Draft
from worker.parse.wire.anpa import read_anpa
from worker.parse.wire.iptc7901 import read_iptc7901
from worker.parse.wire.members import read_member
from worker.parse.wire.message import split_messages

_ANPA_HEAD = re.compile("[\x11\x13\x1f]")


def parse_line_text(content: bytes, document: Document) -> Iterator[Article | Refusal]:
    """Bytes of one or more messages -> an article or refusal each (member: index from 0 where several).

    Raises Rejected `no_article` for a single message without text, `empty_document`, `binary_content`.
    """
    decoded = decode(content, document.encoding_declared)
    messages = split_messages(decoded.text)
    for index, message in enumerate(messages):
        draft = Draft(document, "text/plain", decoded.encoding)
        draft.warn(*decoded.warnings)
        read = read_anpa if _ANPA_HEAD.search(message.head) else read_iptc7901
        yield read_member(partial(read, message, draft), document, index if len(messages) > 1 else None)
