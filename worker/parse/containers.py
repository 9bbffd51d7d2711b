"""Containers: documents that hold documents. Each member becomes a document of its own.

A new container is one function and one line in `OPENERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from worker.model import Document
from worker.parse.detect import JSON, JSON_LINES, detect_media_type

Opener = Callable[[Document, bytes], Iterator[Document]]


def open_container(document: Document, content: bytes) -> Iterator[Document] | None:
    """A document and its bytes -> its members, each with its bytes in `content`; None for no container.

    A member of a container that is itself one is opened by calling this again.
    """
    name = document.origin if document.member is None else None
    opener = OPENERS.get(detect_media_type(content, document.media_type, name))
    return opener(document, content) if opener is not None else None


def open_json_lines(document: Document, content: bytes) -> Iterator[Document]:
    """JSONL -> a JSON document for each line that is not blank; `member` is the line's index from 0."""
    for index, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n")):
        stripped = line.strip()
        if stripped:
            yield msgspec.structs.replace(
                document,
                content=stripped,
                content_ref=None,
                size_bytes=len(stripped),
                member=index,
                media_type=JSON,
                encoding_declared=None,
            )


OPENERS: dict[str, Opener] = {JSON_LINES: open_json_lines}
