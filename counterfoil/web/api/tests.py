"""GET /v1/tests."""

from typing import Final

from counterfoil.app.answers import TestRow
from counterfoil.web.api.listing import listing

ROUTES: Final = (
    listing(
        "/v1/tests",
        "tests",
        TestRow,
        "List tests",
        "Every test that was ever seen, with how it last ended.",
    ),
)
