"""JSON of agencies: ninjs and its relatives, dpa digitalwires; alone or many in one answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from worker.model import Article, Document, Encoding, Refusal
from worker.parse.draft import Draft
from worker.parse.wire import digitalwires, ninjs
from worker.parse.wire.members import read_member


def find_wire(value: Any) -> list[dict[str, Any]]:
    """JSON -> the wire objects in it; empty where it is something else."""
    if isinstance(value, dict) and digitalwires.is_entry(value):
        return [value]
    nodes = value.get("entries") if isinstance(value, dict) else value
    if (
        isinstance(nodes, list)
        and nodes
        and all(isinstance(node, dict) and digitalwires.is_entry(node) for node in nodes)
    ):
        return nodes
    return list(ninjs.find_items(value))


def read_wire(nodes: list[dict[str, Any]], document: Document, encoding: Encoding) -> Iterator[Article | Refusal]:
    """Wire objects -> an article or refusal each (member: index from 0 where there are several).

    Raises Rejected `no_article` for a single object that is none.
    """
    for index, node in enumerate(nodes):
        draft = Draft(document, "application/json", encoding)
        read = digitalwires.read_entry if digitalwires.is_entry(node) else ninjs.read_item
        yield read_member(partial(read, node, draft), document, index if len(nodes) > 1 else None)
