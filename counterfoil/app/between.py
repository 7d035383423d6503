"""The commits between two, and the changes they came with: what a difference may come from.

By the parents that commits name, where the way from the later one leads to the earlier one: those
the later one has behind it and the earlier one has not, as `git log before..after` says it.  Where
no such way is recorded: what was recorded between them in the same repository.  Which of the two
it is stands in the answer.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from counterfoil.app.chain import Chain
from counterfoil.app.rows import Rows
from counterfoil.projections.changes import CHANGES, ChangeRow
from counterfoil.projections.commits import COMMITS, CommitRow

COMMITS_MAX: Final = 200
WALK_MAX: Final = 400
LINKS_MAX: Final = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommitBetween:
    """A commit: its ref, the first line of its message, who wrote it, the entry that says so."""

    ref: str
    message: str | None
    author: str | None
    entry: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBetween:
    """A change that one of the commits came with, as it stands."""

    ref: str
    title: str | None
    state: str
    entry: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """What lies between two commits.

    Attributes:
        before, after: their refs.
        by: "parents", or "recorded" where no way of parents leads from one to the other.
        commits: the latest first, without `before`, with `after`; at most 200.
        changes: the latest first.
        cut: there may be more.
    """

    before: str
    after: str
    by: str
    commits: tuple[CommitBetween, ...]
    changes: tuple[ChangeBetween, ...]
    cut: bool


def between(
    rows: Rows, project: str, before: str, after: str, *, entries: tuple[int, int], as_of: int
) -> Between:
    """Return the commits after `before` up to `after`.

    Args:
        rows: where they are looked up.
        project: of which log.
        before: the earlier `commit:` ref.
        after: the later one, of the same repository.
        entries: where the two sides stand in the log, for when a commit itself is not recorded.
        as_of: as of which entry.

    Cost: a query for every generation of commits walked, at most 400 commits.
    """
    chain = Chain(rows, project, as_of)
    ours, theirs = set(chain.names(after)) | {after}, set(chain.names(before)) | {before}
    seen, whole = _behind(chain, ours, theirs)
    if theirs & seen:
        known, known_whole = _behind(chain, theirs, set())
        found = chain.commits(sorted(seen - known))
        by, cut = "parents", not (whole and known_whole)
    else:
        low, high = _span(chain, ours, theirs, entries)
        found, cut = _recorded(rows, project, after, (low, high), as_of)
        by = "recorded"
    commits = sorted(found.values(), key=lambda row: (-row.entries[0], row.ref))
    changes, changes_cut = _changes(chain, rows, project, [row.ref for row in commits], as_of)
    return Between(
        before=before,
        after=after,
        by=by,
        commits=tuple(
            CommitBetween(ref=row.ref, message=row.message, author=row.author, entry=row.entries[0])
            for row in commits[:COMMITS_MAX]
        ),
        changes=changes,
        cut=cut or changes_cut or len(commits) > COMMITS_MAX,
    )


def _behind(chain: Chain, start: set[str], stop: set[str]) -> tuple[set[str], bool]:
    """Return `start` and every commit behind it, not beyond `stop`, and whether that is all."""
    seen, edge = set(start), set(start)
    cut = False
    while edge and len(seen) < WALK_MAX:
        links = chain.links(sorted(edge), LINKS_MAX)
        # Runs and changes link to commits too: the links to parents may be the ones left out.
        cut |= len(links) >= LINKS_MAX
        parents = {one.target for one in links if one.role == "parent" and one.source in edge}
        edge = parents - seen - stop
        seen |= parents
    return seen, not edge and not cut


def _span(
    chain: Chain, ours: set[str], theirs: set[str], entries: tuple[int, int]
) -> tuple[int, int]:
    rows = chain.commits(sorted(ours | theirs))
    lows = [row.entries[0] for ref, row in rows.items() if ref in theirs]
    highs = [row.entries[0] for ref, row in rows.items() if ref in ours]
    return min(lows, default=entries[0]), max(highs, default=entries[1])


def _recorded(
    rows: Rows, project: str, after: str, span: tuple[int, int], as_of: int
) -> tuple[dict[str, CommitRow], bool]:
    repository = after.rpartition("@")[0] + "@"
    page = rows.page(
        COMMITS, project, as_of=as_of, cursor=None, limit=WALK_MAX, below=span[1] + 1
    )  # fmt: skip
    later = [row for row in page.rows if row.entries[0] > span[0]]
    found = {row.ref: row for row in later if row.ref.startswith(repository)}
    return found, len(later) == WALK_MAX


def _changes(
    chain: Chain, rows: Rows, project: str, commits: Sequence[str], as_of: int
) -> tuple[tuple[ChangeBetween, ...], bool]:
    """Return the changes that hold one of these commits, and whether there may be more."""
    links = chain.links(commits, LINKS_MAX) if commits else []
    named = {ref for one in links for ref in (one.source, one.target) if ref.startswith("change:")}
    found = rows.some(CHANGES, project, sorted(named), as_of).values()
    wanted = set(commits)
    changes = tuple(
        ChangeBetween(ref=row.ref, title=row.title, state=row.state, entry=row.entries[-1])
        for row in sorted(found, key=lambda row: (-row.entries[-1], row.ref))
        if wanted & _commits_of(row)
    )
    return changes, len(links) >= LINKS_MAX


def _commits_of(row: ChangeRow) -> set[str]:
    merged = {row.merge_commit} if row.merge_commit else set()
    return {*row.commits, *(head.commit for head in row.heads), *merged}
