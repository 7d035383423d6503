"""GET /v1/releases."""

from typing import Final

from counterfoil.app.answers import ReleaseRow
from counterfoil.app.read import Reader
from counterfoil.web.api.listing import Listing, listing

ROUTES: Final = (
    listing(
        "/v1/releases",
        Listing[ReleaseRow],
        Reader.releases,
        Reader.release,
        summary="List releases",
        doc="What was released, out of what, and where it went.",
    ),
)
