"""GET /v1/changes."""

from typing import Final

from counterfoil.app.answers import ChangeRow
from counterfoil.app.read import Reader
from counterfoil.web.api.listing import Listing, listing

ROUTES: Final = (
    listing(
        "/v1/changes",
        Listing[ChangeRow],
        Reader.changes,
        Reader.change,
        summary="List changes",
        doc="Pull and merge requests with their commits and reviews.",
    ),
)
