"""How deep a check of a log goes, and in which stage of it somebody is.

A check of everything is the rule.  What an operator does often may look at less, as long as the
tree is still bound to a signed root: entries that a kept checkpoint vouches for need not be read
again to know that the log is the one it was, and contents need not all be opened every hour.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from counterfoil.tlog.tile import TILE_WIDTH

Enter = Callable[[str], AbstractContextManager[object]]
"""Called with the name of a stage, it is entered while that stage lasts; stages may nest."""


def unmetered(stage: str) -> AbstractContextManager[object]:
    """Enter a stage that nobody measures."""
    del stage
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of one log is looked at.

    Args:
        start: entries before this index are those of a checkpoint that is trusted: they are not
            read.  Their hashes are, where the root needs them.
        contents_last: how many of the last entries are opened, with all that is kept beside
            them; None for all.  Of the others the tree and the idempotency key are checked.
    """

    start: int = 0
    contents_last: int | None = None

    def first(self, size: int) -> int:
        """Return the first entry that is read: the beginning of a bundle."""
        return min(self.start, size) // TILE_WIDTH * TILE_WIDTH

    def opened(self, size: int) -> int:
        """Return the first entry that is opened: the beginning of a bundle, `size` for none."""
        first = self.first(size)
        if self.contents_last is None:
            return first
        if self.contents_last == 0:
            return size
        return max(first, max(0, size - self.contents_last) // TILE_WIDTH * TILE_WIDTH)


WHOLE = Depth()
"""Everything."""


@dataclass(frozen=True, slots=True)
class Survey:
    """How much of a ledger directory is looked at.

    Args:
        depth: of every log that is not named in `depths`.
        depths: of logs, by project.
        pages: whether SQLite checks every page and index of its files.
        enter: told of the stages.
    """

    depth: Depth = WHOLE
    depths: Mapping[str, Depth] = field(default_factory=dict)
    pages: bool = True
    enter: Enter = unmetered

    def of(self, project: str) -> Depth:
        """Return how much of the log of a project is looked at."""
        return self.depths.get(project, self.depth)


EVERYTHING = Survey()
