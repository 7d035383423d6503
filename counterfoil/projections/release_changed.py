"""One release against another: what only one of them has, what is missing in which.  Pure."""

import dataclasses
from typing import Final

from counterfoil.projections.base import kind_of
from counterfoil.projections.chain import Trace
from counterfoil.projections.releases import ReleaseRow

KINDS: Final = ("change", "commit", "artifact", "run")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lacks:
    """How often a rule finds a gap in each of two releases."""

    rule: str
    before: int
    after: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseChange:
    """One release against an earlier one.

    Attributes:
        before, after: the `release:` refs.
        added: changes, commits, artifacts and runs only the later one's chain has, in that order.
        gone: those only the earlier one's has.
        same: how many of them both have.
        gaps: every rule that finds a gap in either, by name.
        cut: a chain was longer than what was followed.
    """

    before: str
    after: str
    added: tuple[str, ...]
    gone: tuple[str, ...]
    same: int
    gaps: tuple[Lacks, ...]
    cut: bool


def release_changed(
    before: ReleaseRow, chain_before: Trace, after: ReleaseRow, chain_after: Trace
) -> ReleaseChange:
    """Compare two releases, each with its chain as of the same moment."""
    had, has = _made_of(before, chain_before), _made_of(after, chain_after)
    rules = sorted({gap.rule for gap in (*chain_before.gaps, *chain_after.gaps)})
    return ReleaseChange(
        before=before.ref,
        after=after.ref,
        added=tuple(ref for ref in has if ref not in had),
        gone=tuple(ref for ref in had if ref not in has),
        same=sum(ref in had for ref in has),
        gaps=tuple(
            Lacks(
                rule=rule,
                before=sum(gap.rule == rule for gap in chain_before.gaps),
                after=sum(gap.rule == rule for gap in chain_after.gaps),
            )
            for rule in rules
        ),
        cut=chain_before.cut or chain_after.cut,
    )


def _made_of(row: ReleaseRow, chain: Trace) -> dict[str, None]:
    refs = dict.fromkeys([*(piece.ref for piece in row.contents), *chain.refs])
    wanted = [ref for ref in refs if kind_of(ref) in KINDS]
    return dict.fromkeys(sorted(wanted, key=lambda ref: KINDS.index(kind_of(ref))))
