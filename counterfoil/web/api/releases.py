"""GET /v1/releases."""

from typing import Final

from counterfoil.app.answers import ReleaseRow
from counterfoil.web.api.listing import listing

ROUTES: Final = (
    listing(
        "/v1/releases",
        "releases",
        ReleaseRow,
        "List releases",
        "What was released, from what, and where it went.",
    ),
)
