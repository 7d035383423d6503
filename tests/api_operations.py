"""The calls of the API as the OpenAPI document describes them, for whoever sends them anything."""

import os
from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from counterfoil.web import openapi
from counterfoil.web.api.table import ROUTES

EXAMPLES = int(os.environ.get("COUNTERFOIL_EXAMPLES", "0"))
"""How many requests of each kind a call is sent; 0 for what each test takes as enough."""


def operations() -> dict[str, APIOperation[Any, Any, Any, Any]]:
    """Return the calls by name."""
    document = openapi.document(ROUTES, "http://localhost")
    # A stream does not end, so there is no answer to wait for: tests/web/test_live.py.
    del document["paths"]["/v1/live"]
    found: dict[str, APIOperation[Any, Any, Any, Any]] = {}
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok), result
        found[result.ok().label] = result.ok()
    return found


OPERATIONS = operations()
MODES = [
    (route.name, mode)
    for route in ROUTES
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # What takes nothing cannot be sent anything wrong.
    if route.name in OPERATIONS and (mode.is_positive or route.all_params or route.body)
]


def some(examples: int) -> Callable[[Any], Any]:
    """Return how a test is run: the same requests each time, and no clock."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
