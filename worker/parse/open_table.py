"""CSV and TSV as containers: a JSON object for each row, its names from the header.

Which columns mean what is the JSON parser's business: a table is a list of objects in another spelling.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal

import msgspec

from worker.clean.encoding import decode
from worker.errors import Rejected
from worker.model import Document
from worker.parse.detect import JSON
from worker.parse.json_article import is_article
from worker.parse.unpacking import PIECE_BYTES, Again, Budget, Part, part_name

_DELIMITERS = ",;\t|"
_FIELD_CHARACTERS = 20_000_000
"""Longest cell that is read; Python's own limit of 131,072 cuts long articles off from their table."""


def open_table(document: Document, stream: BinaryIO, _budget: Budget) -> Iterator[Part]:
    """A table with a header that names a headline (or link) and a body -> its rows; `member` is the row from 0.

    Where the document has a map of fields, it is enough that one of its columns is there.

    Raises Rejected `unsupported_format` for any other table.
    """
    head = stream.read(PIECE_BYTES)
    encoding, doubts = _encoding(head, document.encoding_declared)
    document = msgspec.structs.replace(document, warnings=(*document.warnings, *doubts))
    first = head.decode(encoding, "replace").lstrip("\ufeff").split("\n", 1)[0]
    csv.field_size_limit(_FIELD_CHARACTERS)
    whole = io.BufferedReader(Again(head, stream), PIECE_BYTES)
    text = _text_lines(whole, encoding)
    delimiter = max(_DELIMITERS, key=first.count)
    quoting = _quoting(head, delimiter)
    lines = _Lines(text)
    rows = csv.DictReader(lines, delimiter=delimiter, quoting=quoting)
    try:
        names = [(name or "").strip().lstrip("\ufeff") for name in rows.fieldnames or ()]
        refuse_other_columns(names, document)
        rows.fieldnames = names
        for index, row in enumerate(rows):
            yield _part(document, index, row)
        if quoting != csv.QUOTE_NONE and lines.cut:
            raise Rejected("truncated_container", f"ends inside a quoted cell, in line {rows.line_num}")
    except csv.Error as error:
        raise Rejected("truncated_container", f"damaged at line {rows.line_num}: {error}") from error


def _text_lines(whole: io.BufferedReader[Again], encoding: str) -> Iterable[str]:
    """The lines of a table.

    Encodings of ISO 2022 are in ASCII again at the end of each line (RFC 1468): they are decoded line by line, for
    Python's incremental decoder gives up on a damaged escape sequence ("pending buffer overflow").
    """
    if codecs.lookup(encoding).name.startswith(("iso2022", "hz")):
        return (line.decode(encoding, "replace") for line in whole)
    return io.TextIOWrapper(whole, encoding, errors="replace", newline="")


class _Lines:
    """The lines of a table; behind the last, `cut` says whether it ends inside quotation marks."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = text
        self._quotes = 0
        self._last = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self._quotes += line.count('"')
            self._last = line
            yield line

    @property
    def cut(self) -> bool:
        return self._quotes % 2 == 1 and not self._last.endswith(("\n", "\r"))


def refuse_other_columns(names: list[str], document: Document) -> None:
    """Raises Rejected `unsupported_format` where the columns of a table do not look like articles."""
    if document.fields:
        if not any(path in names or path.partition(".")[0] in names for path in document.fields.values()):
            raise Rejected("unsupported_format", "a table without any of the columns that the source's fields name")
    elif not is_article(dict.fromkeys(names, "x")):
        raise Rejected("unsupported_format", "a table without a column for the body and one for headline or link")


def _encoding(head: bytes, declared: str | None) -> tuple[str, tuple[str, ...]]:
    """The encoding of the whole, judged by its beginning up to the last whole line, and doubts about it."""
    decoded = decode(head[: head.rfind(b"\n") + 1] or head, declared)
    return decoded.encoding.used or "utf-8", decoded.warnings


def _quoting(head: bytes, delimiter: str) -> Literal[0, 3]:
    """Tab-separated files often quote nothing and have quotation marks in their texts."""
    unquoted = delimiter == "\t" and b'\t"' not in head and b'\n"' not in head
    return csv.QUOTE_NONE if unquoted else csv.QUOTE_MINIMAL


def _part(document: Document, index: int, row: dict[str, str | None]) -> Part:
    cells = {name: value for name, value in row.items() if name and isinstance(value, str) and value.strip()}
    name = part_name(document, index)
    template = msgspec.structs.replace(document, member=name, media_type=JSON, encoding_declared=None)
    return Part(template, iter((json.dumps(cells, ensure_ascii=False).encode("utf-8", "replace"),)))
