"""GET /v1/deployments."""

from typing import Final

from counterfoil.app.answers import DeploymentRow
from counterfoil.web.api.listing import listing

ROUTES: Final = (
    listing(
        "/v1/deployments",
        "deployments",
        DeploymentRow,
        "List deployments",
        "What went to which environment, when, and how it ended.",
    ),
)
