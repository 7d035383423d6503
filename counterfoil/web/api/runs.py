"""GET /v1/runs."""

from typing import Final

from counterfoil.app.answers import RunRow
from counterfoil.web.api.listing import listing

ROUTES: Final = (
    listing(
        "/v1/runs",
        "runs",
        RunRow,
        "List runs",
        "Pipelines, builds and test suite runs, the latest first.",
    ),
)
