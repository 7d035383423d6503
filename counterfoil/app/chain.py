"""What a trace asks, answered from views.db as of one entry."""

from collections.abc import Mapping, Sequence

from counterfoil.app.rows import Rows
from counterfoil.projections.approvals import APPROVALS, ApprovalRow
from counterfoil.projections.artifacts import ARTIFACTS, ArtifactRow
from counterfoil.projections.changes import CHANGES, ChangeRow
from counterfoil.projections.commits import COMMITS, CommitRow
from counterfoil.projections.deployments import DEPLOYMENTS, DeploymentRow
from counterfoil.projections.environments import ENVIRONMENTS, EnvironmentRow
from counterfoil.projections.mentions import Arrival, Link, SequenceGap
from counterfoil.projections.releases import RELEASES, ReleaseRow
from counterfoil.projections.runs import RUNS, RunRow

NAMES_MAX = 100
_DIGITS_MIN = 7


class Chain:
    """`projections.chain.Facts` of one project as of one entry; see there."""

    def __init__(self, rows: Rows, project: str, as_of: int | None) -> None:
        self._rows = rows
        self._project = project
        self._as_of = as_of

    def names(self, commit: str) -> Sequence[str]:
        """Return refs of commits of the same repository that share its first seven digits."""
        repository, _, digits = commit.rpartition("@")
        start = f"{repository}@{digits[:_DIGITS_MIN]}"
        return self._rows.names(self._project, start, self._as_of, NAMES_MAX)

    def links(self, refs: Sequence[str], limit: int) -> Sequence[Link]:
        """Return up to `limit` links from or to any of `refs`, oldest first."""
        return self._rows.links(self._project, refs, self._as_of, limit)

    def mentioned(self, refs: Sequence[str]) -> bool:
        """Say whether any entry names one of `refs`."""
        return bool(self._rows.mentioned(self._project, refs, self._as_of))

    def commits(self, refs: Sequence[str]) -> Mapping[str, CommitRow]:
        """Return commits by ref."""
        return self._rows.some(COMMITS, self._project, refs, self._as_of)

    def changes(self, refs: Sequence[str]) -> Mapping[str, ChangeRow]:
        """Return changes by ref."""
        return self._rows.some(CHANGES, self._project, refs, self._as_of)

    def artifacts(self, refs: Sequence[str]) -> Mapping[str, ArtifactRow]:
        """Return artifacts by ref."""
        return self._rows.some(ARTIFACTS, self._project, refs, self._as_of)

    def runs(self, refs: Sequence[str]) -> Mapping[str, RunRow]:
        """Return runs by ref."""
        return self._rows.some(RUNS, self._project, refs, self._as_of)

    def case_counts(self, runs: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Return cases by outcome for each run."""
        return self._rows.case_counts(self._project, runs, self._as_of)

    def releases(self, refs: Sequence[str]) -> Mapping[str, ReleaseRow]:
        """Return releases by ref."""
        return self._rows.some(RELEASES, self._project, refs, self._as_of)

    def approvals(self, refs: Sequence[str]) -> Mapping[str, ApprovalRow]:
        """Return approvals by ref."""
        return self._rows.some(APPROVALS, self._project, refs, self._as_of)

    def deployments(self, refs: Sequence[str]) -> Mapping[str, DeploymentRow]:
        """Return deployments by ref."""
        return self._rows.some(DEPLOYMENTS, self._project, refs, self._as_of)

    def environments(self, refs: Sequence[str]) -> Mapping[str, EnvironmentRow]:
        """Return environments by ref."""
        return self._rows.some(ENVIRONMENTS, self._project, refs, self._as_of)

    def arrivals(self, entries: Sequence[int]) -> Sequence[Arrival]:
        """Return how these entries arrived, ascending."""
        return self._rows.arrivals(self._project, entries)

    def sequence_gaps(self, entries: Sequence[int]) -> Sequence[SequenceGap]:
        """Return the numbers skipped by the producers that numbered these entries."""
        numbered = self._rows.numbering(self._project, entries)
        return self._rows.sequence_gaps(self._project, self._as_of, numbered)
