"""GET /v1/deployments."""

from typing import Final

from counterfoil.app.answers import DeploymentRow
from counterfoil.app.read import Reader
from counterfoil.web.api.listing import Listing, listing

ROUTES: Final = (
    listing(
        "/v1/deployments",
        Listing[DeploymentRow],
        Reader.deployments,
        Reader.deployment,
        summary="List deployments",
        doc="What went to which environment, when, and how it ended.",
    ),
)
