"""Every call of the API, in the order the documentation shows them."""

from typing import Final

from counterfoil.web.api import (
    actions,
    blobs,
    changed,
    changes,
    deployments,
    entries,
    events,
    exchange,
    health,
    live,
    log,
    metrics,
    prove,
    releases,
    reports,
    runs,
    search,
    tests,
    trace,
    webhooks,
)  # fmt: skip
from counterfoil.web.api.route import Route

ROUTES: Final[tuple[Route, ...]] = (
    *events.ROUTES,
    *reports.ROUTES,
    *webhooks.ROUTES,
    *actions.ROUTES,
    *exchange.ROUTES,
    *entries.ROUTES,
    *blobs.ROUTES,
    *runs.ROUTES,
    *tests.ROUTES,
    *changes.ROUTES,
    *releases.ROUTES,
    *deployments.ROUTES,
    *trace.ROUTES,
    *search.ROUTES,
    *changed.ROUTES,
    *prove.ROUTES,
    *live.ROUTES,
    *log.ROUTES,
    *health.ROUTES,
    *metrics.ROUTES,
)
