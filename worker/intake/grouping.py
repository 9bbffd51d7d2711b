"""Which documents travel together: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def group(items: Iterable[T], *, most: int, most_bytes: int, size_bytes: Callable[[T], int]) -> Iterator[tuple[T, ...]]:
    """Consecutive groups of at most `most` items and `most_bytes` bytes; one larger item goes alone.

    Lazy: no more than one group and the item after it is held.
    """
    current: list[T] = []
    total = 0
    for item in items:
        size = size_bytes(item)
        if current and (len(current) >= most or total + size > most_bytes):
            yield tuple(current)
            current, total = [], 0
        current.append(item)
        total += size
        if len(current) >= most or total >= most_bytes:
            yield tuple(current)
            current, total = [], 0
    if current:
        yield tuple(current)
