"""Everything on record around one thing: the rows its links lead to, within bounds.

Links are walked in both directions, from the thing asked for, along the roles that make a chain
from commit to production.  Hubs (environments, repositories, branches, actors, tests) are never
entered: everything meets there.  A commit's parents are not followed, another release is not
entered from a release, approvals lead nowhere further, and a deployment only to what went out
with the release: each keeps the chain that of one thing.

Pure: what is on record is asked of a `Facts`; `app.chain` answers from views.db.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from counterfoil.events.refs import joins
from counterfoil.projections.approvals import ApprovalRow
from counterfoil.projections.artifacts import ArtifactRow
from counterfoil.projections.base import kind_of
from counterfoil.projections.changes import ChangeRow
from counterfoil.projections.commits import CommitRow
from counterfoil.projections.deployments import DeploymentRow
from counterfoil.projections.environments import EnvironmentRow
from counterfoil.projections.mentions import Arrival, Link, SequenceGap
from counterfoil.projections.releases import ReleaseRow
from counterfoil.projections.runs import RunRow

REFS_MAX = 400
LINKS_MAX = 500
LANES = ("Commits", "Change", "Review", "Build", "Runs", "Approval", "Deployment")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One fact of the chain.

    Attributes:
        lane: one of `LANES`.
        ref: what it is about.
        entry: number of the entry that says so, from 0.
        time: when, by the sender's word.
        recordedtime: when the server recorded it.
        end: when it ended, for things that last; else None.
        end_entry: number of the entry that says it ended, or None.
        actor: the pseudonym of who did it, or None.
        sentence: what was done to what, past tense, without the actor.
        label: a few words for a drawing.
        outcome: "passed", "failed", "error", "skipped", "cancelled"; "running", "queued" or
            "planned" of what has not ended; or None.
        demo: an entry it rests on is of the demonstration data.
    """

    lane: str
    ref: str
    entry: int
    time: str
    recordedtime: str = ""
    end: str | None = None
    end_entry: int | None = None
    actor: str | None = None
    sentence: str
    label: str
    outcome: str | None = None
    demo: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that is missing.

    Attributes:
        rule: name of the rule that found it; docs/gaps.md explains each.
        what: what is missing, one sentence.
        why: whom or what that leaves out, one sentence; "" where `what` says it all.
        entries: numbers of the entries it rests on, ascending.
        lane: the lane it belongs to.
        ref: the thing that lacks something.
        demo: an entry it rests on is of the demonstration data.
    """

    rule: str
    what: str
    why: str
    entries: tuple[int, ...]
    lane: str
    ref: str
    demo: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The chain of one ref as of one moment.

    Attributes:
        ref: what was asked for.
        known: the log holds an entry that names it.
        steps: by time.
        gaps: in the order of the lanes.
        refs: every ref of the chain.
        cut: the walk stopped at a limit, so the chain may be longer than shown.
    """

    ref: str
    known: bool
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]
    refs: tuple[str, ...]
    cut: bool


class Facts(Protocol):
    """What is on record, as of one moment.  Absent rows are left out of the answers."""

    def names(self, commit: str) -> Sequence[str]:
        """Return refs of commits of the same repository that share its first digits."""
        ...

    def links(self, refs: Sequence[str], limit: int) -> Sequence[Link]:
        """Return up to `limit` links from or to any of `refs`, the oldest of them."""
        ...

    def mentioned(self, refs: Sequence[str]) -> bool:
        """Say whether any entry names one of `refs`."""
        ...

    def commits(self, refs: Sequence[str]) -> Mapping[str, CommitRow]:
        """Return commits by ref."""
        ...

    def changes(self, refs: Sequence[str]) -> Mapping[str, ChangeRow]:
        """Return changes by ref."""
        ...

    def artifacts(self, refs: Sequence[str]) -> Mapping[str, ArtifactRow]:
        """Return artifacts by ref."""
        ...

    def runs(self, refs: Sequence[str]) -> Mapping[str, RunRow]:
        """Return runs by ref."""
        ...

    def case_counts(self, runs: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Return cases by outcome for each run."""
        ...

    def releases(self, refs: Sequence[str]) -> Mapping[str, ReleaseRow]:
        """Return releases by ref."""
        ...

    def approvals(self, refs: Sequence[str]) -> Mapping[str, ApprovalRow]:
        """Return approvals by ref."""
        ...

    def deployments(self, refs: Sequence[str]) -> Mapping[str, DeploymentRow]:
        """Return deployments by ref."""
        ...

    def environments(self, refs: Sequence[str]) -> Mapping[str, EnvironmentRow]:
        """Return environments by ref."""
        ...

    def arrivals(self, entries: Sequence[int]) -> Sequence[Arrival]:
        """Return how these entries arrived, ascending."""
        ...

    def sequence_gaps(self, entries: Sequence[int]) -> Sequence[SequenceGap]:
        """Return the numbers skipped by the producers that numbered these entries."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """The chain of one thing, as rows.

    Attributes:
        ref: what was asked for.
        refs: every ref of the chain under its fullest name, in the order it was reached.
        alias: any name of a commit of the chain -> its fullest name.
        links: the links walked.
        cut: a limit was met.
        commits, changes, artifacts, runs, releases, approvals, deployments, environments: rows.
        counts: cases by outcome, by run.
    """

    ref: str
    refs: tuple[str, ...]
    alias: Mapping[str, str]
    links: tuple[Link, ...]
    cut: bool
    commits: Mapping[str, CommitRow]
    changes: Mapping[str, ChangeRow]
    artifacts: Mapping[str, ArtifactRow]
    runs: Mapping[str, RunRow]
    releases: Mapping[str, ReleaseRow]
    approvals: Mapping[str, ApprovalRow]
    deployments: Mapping[str, DeploymentRow]
    environments: Mapping[str, EnvironmentRow]
    counts: Mapping[str, Mapping[str, int]]

    def full(self, ref: str) -> str:
        """Return the fullest name of a ref."""
        return self.alias.get(ref, ref)

    def same(self, a: str | None, b: str | None) -> bool:
        """Say whether two refs name one thing; None names nothing."""
        return a is not None and b is not None and self.full(a) == self.full(b)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Return the refs of a kind in the chain."""
        return tuple(ref for ref in self.refs if kind_of(ref) == kind)


# (kind here, role, kind there): walked from source to target.
_FORWARD = frozenset({
    ("commit", "tested-by", "run"),
    ("change", "contains", "commit"),
    ("change", "merged-as", "commit"),
    ("change", "tested-by", "run"),
    ("artifact", "built-from", "commit"),
    ("artifact", "built-from", "change"),
    ("artifact", "tested-by", "run"),
    ("artifact", "part-of", "run"),
    ("run", "output", "artifact"),
    ("run", "part-of", "run"),
    ("release", "contains", "artifact"),
    ("release", "contains", "commit"),
    ("release", "contains", "change"),
    ("release", "built-from", "artifact"),
    ("release", "built-from", "commit"),
    ("release", "built-from", "change"),
    ("release", "tested-by", "run"),
})  # fmt: skip
# (kind here, role, kind there): walked from target to source.
_BACK = frozenset({
    ("commit", "input", "run"),
    ("commit", "built-from", "artifact"),
    ("commit", "contains", "change"),
    ("commit", "merged-as", "change"),
    ("commit", "contains", "release"),
    ("commit", "built-from", "release"),
    ("commit", "deploys", "deployment"),
    ("commit", "approves", "approval"),
    ("change", "input", "run"),
    ("change", "built-from", "artifact"),
    ("change", "contains", "release"),
    ("change", "built-from", "release"),
    ("change", "approves", "approval"),
    ("artifact", "output", "run"),
    ("artifact", "input", "run"),
    ("artifact", "contains", "release"),
    ("artifact", "built-from", "release"),
    ("artifact", "deploys", "deployment"),
    ("artifact", "approves", "approval"),
    ("run", "part-of", "run"),
    ("run", "part-of", "artifact"),
    ("run", "caused-by", "deployment"),
    ("release", "approves", "approval"),
    ("release", "deploys", "deployment"),
})  # fmt: skip
# What a thing is for: walked only from the thing asked for, or from what built an artifact.
_PURPOSE = frozenset({
    ("run", "input", "commit"),
    ("run", "input", "artifact"),
    ("run", "input", "change"),
    ("deployment", "deploys", "release"),
    ("deployment", "deploys", "artifact"),
    ("deployment", "deploys", "commit"),
    ("deployment", "caused-by", "run"),
    ("approval", "approves", "release"),
    ("approval", "approves", "artifact"),
    ("approval", "approves", "change"),
    ("approval", "approves", "commit"),
})  # fmt: skip
_ENDS = frozenset({"approval", "deployment"})


def fullest_names(commit: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """Return every candidate that names the same commit, and no other one.

    A short name that two longer ones begin with names neither: it joins only by itself.

    >>> a, b = "commit:x/y@aaaaaaa1", "commit:x/y@aaaaaaa2"
    >>> fullest_names(a, [a, b, "commit:x/y@aaaaaaa"])
    ('commit:x/y@aaaaaaa1',)
    >>> fullest_names(a, [a, "commit:x/y@aaaaaaa"])
    ('commit:x/y@aaaaaaa', 'commit:x/y@aaaaaaa1')
    """
    known = sorted({commit, *candidates})
    joined = [one for one in known if joins(one, commit)]
    longer = [one for one in joined if len(one) > len(commit)]
    if any(not joins(a, b) for a in longer for b in longer):
        joined = [one for one in joined if len(one) <= len(commit)]
    return tuple(
        one
        for one in joined
        if one == commit or all(joins(other, commit) for other in known if joins(other, one))
    )


def walk(ref: str, facts: Facts) -> Known:
    """Return the chain of `ref`.

    Cost: a query for each ref reached, at most `REFS_MAX`, and one for each noun.
    """
    alias: dict[str, str] = {}
    names: dict[str, tuple[str, ...]] = {}

    def settle(one: str) -> str:
        if one not in alias:
            found = fullest_names(one, facts.names(one)) if kind_of(one) == "commit" else (one,)
            full = max(found, key=len)
            alias.update(dict.fromkeys(found, full))
            names[full] = found
        return alias[one]

    start = settle(ref)
    # Everything a deployment or an approval is about is asked for with it.
    wanted = {start}
    reached: dict[str, str] = {start: ""}
    links: dict[Link, None] = {}
    waiting = deque([start])
    cut = False
    while waiting:
        here = waiting.popleft()
        if _ends(here, reached[here], start):
            continue
        stated = facts.links(names[here], LINKS_MAX)
        cut = cut or len(stated) >= LINKS_MAX
        for link in sorted(stated, key=dataclasses.astuple):
            forward = link.source in names[here]
            there = settle(link.target if forward else link.source)
            if not _leads(here, there, link.role, reached[here], wanted, start, forward=forward):
                continue
            links[link] = None
            if there in reached:
                continue
            if len(reached) >= REFS_MAX:
                cut = True
                continue
            reached[there] = kind_of(here)
            if here == start and kind_of(start) in _ENDS:
                wanted.add(there)
            waiting.append(there)
    return _rows(ref, tuple(reached), alias, names, tuple(links), facts, cut=cut)


def _ends(here: str, came_from: str, start: str) -> bool:
    """Say whether the chain goes no further: at approvals, and at deployments of other things.

    What went out with a release is part of its chain, also where only the deployment says so.
    """
    if here == start or kind_of(here) not in _ENDS:
        return False
    return not (kind_of(here) == "deployment" and came_from == "release")


def _leads(
    here: str, there: str, role: str, came_from: str, wanted: set[str], start: str, *,
    forward: bool,
) -> bool:  # fmt: skip
    """Say whether the chain goes on from `here` to `there`."""
    step = (kind_of(here), role, kind_of(there))
    if forward and step in _PURPOSE:
        with_release = kind_of(here) == "deployment" and kind_of(there) in {"artifact", "commit"}
        build = kind_of(here) == "run" and came_from == "artifact"
        return here in wanted or with_release or build
    if step not in (_FORWARD if forward else _BACK):
        return False
    if kind_of(there) == "release":
        return there in wanted or kind_of(start) not in {"release", *_ENDS}
    if kind_of(here) == "release" and here not in wanted:
        return kind_of(there) in _ENDS
    return True


def _rows(
    ref: str, refs: tuple[str, ...], alias: Mapping[str, str],
    names: Mapping[str, tuple[str, ...]], links: tuple[Link, ...], facts: Facts, *, cut: bool,
) -> Known:  # fmt: skip
    kinds: dict[str, list[str]] = {}
    for one in refs:
        kinds.setdefault(kind_of(one), []).append(one)
    releases = facts.releases(kinds.get("release", []))
    deployments = {
        one: row
        for one, row in facts.deployments(kinds.get("deployment", [])).items()
        if one == ref or not _of_another_release(row, kinds.get("release", []))
    }
    dropped = set(kinds.get("deployment", [])) - set(deployments) - {ref}
    all_names = [name for one in kinds.get("commit", []) for name in names[one]]
    commits: dict[str, CommitRow] = {}
    for row in facts.commits(all_names).values():
        full = alias[row.ref]
        known = commits.get(full)
        if known is None or (row.pushed and known.pushed and row.pushed.entry < known.pushed.entry):
            commits[full] = row
    runs = facts.runs(kinds.get("run", []))
    environments = dict.fromkeys(row.environment for row in deployments.values())
    for release in releases.values():
        environments.update(dict.fromkeys(step.environment for step in release.deliveries))
    return Known(
        ref=alias[ref],
        refs=tuple(one for one in refs if one not in dropped),
        alias=alias,
        links=links,
        cut=cut,
        commits=commits,
        changes=facts.changes(kinds.get("change", [])),
        artifacts=facts.artifacts(kinds.get("artifact", [])),
        runs=runs,
        releases=releases,
        approvals=facts.approvals(kinds.get("approval", [])),
        deployments=deployments,
        environments=facts.environments([one for one in environments if one is not None]),
        counts=facts.case_counts(list(runs)),
    )


def _of_another_release(row: DeploymentRow, releases: Sequence[str]) -> bool:
    """Say whether a deployment carries a release, and none of this chain."""
    carried = [piece.ref for piece in row.contents if kind_of(piece.ref) == "release"]
    return bool(carried) and not set(carried) & set(releases)
