"""GET /v1/tests."""

from typing import Final

from counterfoil.app.answers import TestRow
from counterfoil.app.read import Reader
from counterfoil.web.api.listing import Listing, listing

ROUTES: Final = (
    listing(
        "/v1/tests",
        Listing[TestRow],
        Reader.tests,
        Reader.test,
        summary="List tests",
        doc="Every test that was ever seen, the one that last changed colour first.",
    ),
)
