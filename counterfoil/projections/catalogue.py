"""Every projection there is: the one place that knows them all."""

from typing import Any

from counterfoil.projections.approvals import APPROVALS
from counterfoil.projections.artifacts import ARTIFACTS
from counterfoil.projections.base import Projection
from counterfoil.projections.changes import CHANGES
from counterfoil.projections.commits import COMMITS
from counterfoil.projections.deployments import DEPLOYMENTS
from counterfoil.projections.environments import ENVIRONMENTS
from counterfoil.projections.releases import RELEASES
from counterfoil.projections.runs import CASES, RUNS
from counterfoil.projections.tests import TESTS

# Raise it when a fold gives other rows for the same log: views.db is then made anew.
FOLDS_VERSION = 3

PROJECTIONS: tuple[Projection[Any], ...] = (
    COMMITS,
    CHANGES,
    ARTIFACTS,
    RUNS,
    CASES,
    TESTS,
    RELEASES,
    APPROVALS,
    DEPLOYMENTS,
    ENVIRONMENTS,
)
