"""mbox (RFC 4155) as a container: one mail behind the other, each after a line that begins with `From `."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from worker.model import Document
from worker.parse.detect import MAIL
from worker.parse.unpacking import PIECE_BYTES, Budget, Part, part_name

_SEPARATOR = re.compile(rb"From .*\d\d?:\d\d")
"""`From ` and a time of day: text that begins a paragraph with the word has none."""
_QUOTED = re.compile(rb"^>+From ")


def open_mbox(document: Document, stream: BinaryIO, _budget: Budget) -> Iterator[Part]:
    """An mbox -> its mails; `member` is the index from 0."""
    box = _Box(stream)
    index = 0
    while box.more:
        name = part_name(document, index)
        mail = box.mail()
        yield Part(
            msgspec.structs.replace(document, member=name, media_type=MAIL, encoding_declared=None),
            mail,
        )
        for _ in mail:
            pass
        index += 1


class _Box:
    """The lines of an mbox; `more` while a mail begins at the place reached."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.more = stream.readline(PIECE_BYTES).startswith(b"From ")

    def mail(self) -> Iterator[bytes]:
        """The lines of one mail, up to the next separator, with quoted `From ` as it was."""
        blank = True
        self.more = False
        while line := self._stream.readline(PIECE_BYTES):
            if blank and _SEPARATOR.match(line):
                self.more = True
                return
            blank = not line.strip()
            yield line[1:] if _QUOTED.match(line) else line
