"""Which stored cell is to blame when something does not open?

A piece opens only if its bytes, the salt and its owner's key are all right.  Several pieces of
one entry share the salt and the keys, and a person's key opens pieces of many entries, so what
does open clears cells of suspicion.  What is left is named; where two cells stay possible, both
are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from counterfoil.verifier.report import Findings

MAX_PENDING = 200


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that was tried, and the cells that all have to be right for it to work.

    Args:
        ok: whether it worked.
        cells: returns the names of the cells: most are never asked for.
        message: what did not work.
    """

    ok: bool
    cells: Callable[[], frozenset[str]]
    message: str


@dataclass(slots=True)
class _Pending:
    """Failures that may be the fault of one person's key."""

    first: int
    last: int
    count: int
    kept: list[tuple[int, frozenset[str], str]]


class Suspects:
    """Collects observations entry by entry; keys of people are judged at the end.

    Args:
        findings: where findings go.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._proven: set[str] = set()
        self._pending: dict[str, _Pending] = {}

    def judge(self, index: int, observations: Iterable[Observation], shared: set[str]) -> None:
        """Name what is to blame in one entry.

        Args:
            index: the entry.
            observations: all that was tried for it.
            shared: those of the cells that other entries depend on too: keys of people; each is
                in the cells of an observation.
        """
        tried = list(observations)
        failed = [one for one in tried if not one.ok]
        if not failed:
            self._proven |= shared
            return
        cleared = frozenset[str]().union(*(one.cells() for one in tried if one.ok))
        self._proven |= cleared & shared
        common = frozenset.intersection(*(one.cells() for one in failed)) - cleared
        if common:
            self._blame(index, common, failed[0].message, shared)
            return
        for one in failed:
            self._blame(index, one.cells() - cleared or one.cells(), one.message, shared)

    def finish(self) -> None:
        """Report what waited for word about keys of people."""
        for key, pending in sorted(self._pending.items()):
            if key not in self._proven and pending.count > 1:
                message = f"opens none of the {pending.count} entries that need it"
                self._findings.add("damaged", key, message, pending.first, pending.last)
                continue
            for index, cells, message in pending.kept:
                left = cells - {key} if key in self._proven else cells
                self._findings.add("damaged", " or ".join(sorted(left)), message, index)

    def _blame(self, index: int, cells: frozenset[str], message: str, shared: set[str]) -> None:
        keys = sorted(cells & shared)
        if not keys:
            self._findings.add("damaged", " or ".join(sorted(cells)), message, index)
            return
        pending = self._pending.setdefault(keys[0], _Pending(index, index, 0, []))
        pending.last = index
        pending.count += 1
        if len(pending.kept) < MAX_PENDING:
            pending.kept.append((index, cells, message))
