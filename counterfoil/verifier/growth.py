"""How one log grew, as somebody saw it: size and root at each of their looks at it.

What must hold: sizes rise.  Then the looks that agree with a log come first and those that do not
come last, so a few comparisons tell between which two of them the histories part.

Memory: 48 bytes a look, so that a year of one look a minute is 25 MB.  No I/O.
"""

from array import array

from counterfoil.tlog.tree import HASH_SIZE, TreeHead


class Growth:
    """The looks at one log, in the order of their sizes; each has a number, from 0."""

    def __init__(self) -> None:
        self._sizes = array("Q")
        self._indices = array("Q")
        self._roots = bytearray()

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, head: TreeHead, index: int) -> None:
        """Add the next look.

        Args:
            head: what was seen; at least as large as the one before.
            index: of the entry that holds it, from 0.
        """
        assert not len(self) or head.size >= self._sizes[-1], "a log does not shrink"
        self._sizes.append(head.size)
        self._indices.append(index)
        self._roots += head.root

    def head(self, number: int) -> TreeHead:
        """Return what was seen at a look."""
        start = number * HASH_SIZE
        return TreeHead(self._sizes[number], bytes(self._roots[start : start + HASH_SIZE]))

    def index(self, number: int) -> int:
        """Return the entry that holds a look."""
        return self._indices[number]
