"""GET /v1/changes."""

from typing import Final

from counterfoil.app.answers import ChangeRow
from counterfoil.web.api.listing import listing

ROUTES: Final = (
    listing(
        "/v1/changes",
        "changes",
        ChangeRow,
        "List changes",
        "Pull and merge requests with their commits and reviews.",
    ),
)
