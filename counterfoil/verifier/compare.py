"""Two trees side by side: where do their entries differ?

It descends only where subtrees differ, so finding one altered entry among millions reads a
handful of tiles of each tree.
"""

from collections.abc import Iterator

from counterfoil.errors import EvidenceError
from counterfoil.tlog.proof import Node

MAX_RANGES = 100


def differences(size: int, ours: Node, theirs: Node) -> list[tuple[int, int]]:
    """Return the ranges of entries (first, last) in which two trees of `size` leaves differ.

    A subtree one of them cannot give counts as different.  At most `MAX_RANGES` ranges come
    back; the last one then reaches to the end of the tree.
    """
    ranges: list[tuple[int, int]] = []
    for first, last in _descend(size, ours, theirs):
        if ranges and ranges[-1][1] + 1 == first:
            ranges[-1] = (ranges[-1][0], last)
        elif len(ranges) == MAX_RANGES:
            return [*ranges[:-1], (ranges[-1][0], size - 1)]
        else:
            ranges.append((first, last))
    return ranges


def path_spans(index: int, size: int) -> list[tuple[int, int]]:
    """Return the range of entries (first, last) under each hash of an inclusion path, in order.

    >>> path_spans(4, 7)
    [(5, 5), (6, 6), (0, 3)]
    """
    spans = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < middle:
            spans.append((middle, end - 1))
            end = middle
        else:
            spans.append((start, middle - 1))
            start = middle
    spans.reverse()
    return spans


def _descend(size: int, ours: Node, theirs: Node) -> Iterator[tuple[int, int]]:
    start = 0
    stack: list[tuple[int, int]] = []
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            stack.append((level, start >> level))
            start += 1 << level
    stack.reverse()
    while stack:
        level, n = stack.pop()
        try:
            if ours(level, n) == theirs(level, n):
                continue
        except EvidenceError:
            yield n << level, ((n + 1) << level) - 1
            continue
        if level == 0:
            yield n, n
        else:
            stack += [(level - 1, 2 * n + 1), (level - 1, 2 * n)]
