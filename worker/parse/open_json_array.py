"""Large JSON arrays as containers: a JSON document for each object.

Only the ends of values are looked for here; what an object means is the JSON parser's business. So memory is that
of one object, and a bad one costs itself. Small arrays are read at once (worker/parse/json_article.py).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from worker.errors import Rejected
from worker.model import Document
from worker.parse.detect import JSON
from worker.parse.json_article import is_listed_article, load_json
from worker.parse.unpacking import PIECE_BYTES, Budget, Part, part_name

LARGE_BYTES = 1_000_000
"""From this size on an array is a container."""

_MOST_FACTS = 100
"""Texts of an object that are kept to tell whether it is an article itself."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LIST_OF_OBJECTS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")
_BETWEEN = re.compile(rb"[\s,:]*+")
_SCALAR = re.compile(rb'[^\s,:"\[\]{}]++')
# A string (group 1 where it has no end yet), a bracket that opens, or one that closes (group 2).
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|(\\?\Z))|[\[{]|([\]}])', re.DOTALL)


def is_large_list(head: bytes, document: Document) -> bool:
    """Whether JSON that begins so is at least `LARGE_BYTES` long and a list of articles, or an object with one."""
    if len(head) < LARGE_BYTES:
        return False
    values = _Values(io.BytesIO(head), len(head))
    try:
        return next(_objects(values, document), None) is not None
    except Rejected as error:
        # An object longer than what is looked at here.
        return error.code == "truncated_container" and _LIST_OF_OBJECTS.match(head) is not None


def open_json_array(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
    """A list of articles, or an object with such lists -> a JSON document for each; `member` is the index from 0.

    Raises Rejected `truncated_container` where it ends early or goes on behind its end, and `too_large` at a value of
    more than `member_bytes`: what came before was given.
    """
    values = _Values(stream, budget.limits.member_bytes)
    index = 0
    try:
        for content in _objects(values, document):
            name = part_name(document, index)
            template = msgspec.structs.replace(document, member=name, media_type=JSON, encoding_declared=None)
            yield Part(template, iter((content,)))
            index += 1
        values.end()
    except Rejected as error:
        raise Rejected(error.code, f"after {index} objects: {error.detail}") from error


class _Values:
    """The values of JSON one after another, read as far as they are asked for; white space and commas pass by."""

    def __init__(self, stream: BinaryIO, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._rest = stream.read(PIECE_BYTES).removeprefix(_BYTE_ORDER_MARK)
        self._at = 0

    def next(self) -> bytes:
        """The first byte of what comes next; empty at the end."""
        while True:
            found = _BETWEEN.match(self._rest, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._rest) or not self._read():
                return self._rest[self._at : self._at + 1]

    def end(self) -> None:
        """Raises Rejected `truncated_container` where something comes behind the end."""
        if self.next():
            raise Rejected("truncated_container", "the list has ended, but not the file")

    def enter(self) -> None:
        """Step over the bracket that comes next."""
        self._at += 1

    def take(self) -> bytes:
        """The whole value that comes next. Raises Rejected `truncated_container`, `too_large`."""
        if self.next() not in (b'"', b"[", b"{"):
            return self._scalar()
        depth, at = 0, self._at
        while True:
            for mark in _MARK.finditer(self._rest, at):
                if mark[1] is not None:
                    break
                at = mark.end()
                depth += -1 if mark[2] else mark[0][0] != ord('"')
                if depth <= 0:
                    content, self._at = self._rest[self._at : at], at
                    return content
            at -= self._at
            self._read_on()

    def _scalar(self) -> bytes:
        """A number or a word."""
        while True:
            found = _SCALAR.match(self._rest, self._at)
            if found is None:
                raise Rejected("truncated_container", "ends inside the list, or closes what was not opened")
            if found.end() < len(self._rest):
                self._at = found.end()
                return found[0]
            self._read_on()

    def _read_on(self) -> None:
        if len(self._rest) - self._at > self._most_bytes:
            raise Rejected("too_large", f"a value of more than {self._most_bytes} bytes")
        if not self._read():
            raise Rejected("truncated_container", "ends inside a value")

    def _read(self) -> bool:
        """More bytes: as many as are held, so that a long value is not looked through again and again."""
        self._rest = self._rest[self._at :]
        self._at = 0
        piece = self._stream.read(max(PIECE_BYTES, len(self._rest)))
        self._rest += piece
        return bool(piece)


def _objects(values: _Values, document: Document) -> Iterator[bytes]:
    """The objects of a list, or of the lists in an object, whose first object is an article.

    None where the object is one itself by the texts before its first list: that list belongs to it.
    """
    outer = values.next()
    values.enter()
    if outer == b"[":
        yield from _list(values, document, alone=True)
        return
    facts: list[bytes] = []
    while (mark := values.next()) != b"}":
        if mark != b'"':
            raise Rejected("truncated_container", "ends inside an object, or a name is missing")
        name = values.take()
        kind = values.next()
        if kind == b"[":
            if _is_article(b"{%s}" % b",".join(facts), document):
                return
            values.enter()
            yield from _list(values, document, alone=False)
            continue
        value = values.take()
        if kind == b'"' and len(facts) < _MOST_FACTS:
            facts.append(name + b":" + value)
    values.enter()


def _list(values: _Values, document: Document, *, alone: bool) -> Iterator[bytes]:
    """The objects of a list up to its end; none where the first is no article.

    Raises Rejected `unsupported_format` for the latter where the list is `alone`.
    """
    wanted: bool | None = None
    while (first := values.next()) != b"]":
        content = values.take()
        if first == b"{":
            if wanted is None:
                wanted = _is_article(content, document)
                if alone and not wanted:
                    raise Rejected("unsupported_format", "JSON, but the first object of its list is no article")
            if wanted:
                yield content
    values.enter()


def _is_article(content: bytes, document: Document) -> bool:
    try:
        value, _ = load_json(content, document)
    except Rejected:
        return False
    return isinstance(value, dict) and is_listed_article(value, document.fields)
