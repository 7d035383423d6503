"""GET /v1/runs."""

from typing import Final

from counterfoil.app.answers import RunRow
from counterfoil.app.read import Reader
from counterfoil.web.api.listing import Listing, listing

ROUTES: Final = (
    listing(
        "/v1/runs",
        Listing[RunRow],
        Reader.runs,
        Reader.run,
        summary="List runs",
        doc="Pipelines, builds and test suite runs, the one last heard of first.",
    ),
)
