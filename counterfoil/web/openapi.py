"""OpenAPI 3.1 out of the route table: nothing is written down twice.

Answers are the handlers' own Structs; errors are the codes a route names, so a client sees which
codes may come with which status.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from counterfoil import __version__
from counterfoil.errors import CODES
from counterfoil.web.api.errors import MEDIA_TYPE, Problem
from counterfoil.web.api.events import EVENT_SCHEMA
from counterfoil.web.api.route import Raw, Route

_REF: Final = "#/components/schemas/{name}"
# What any call may answer: the door's own codes, and faults.
EVERYWHERE: Final = ("host_refused", "headers_too_large", "internal", "storage")


def document(routes: Sequence[Route], public_url: str) -> dict[str, Any]:
    """Return the OpenAPI document of `routes`, served at `public_url`."""
    types = [route.answer for route in routes if not isinstance(route.answer, Raw)]
    answers, components = msgspec.json.schema_components([*types, Problem], ref_template=_REF)
    schemas = dict(zip([str(kind) for kind in types], answers, strict=False))
    paths: dict[str, Any] = {}
    for route in routes:
        operations = paths.setdefault(route.public_path, {})
        operations[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Counterfoil",
            "version": __version__,
            "description": "Who did what in QA and release, and proof that nobody rewrote it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Event": EVENT_SCHEMA},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "counterfoil",
                    "description": "of a signed-in browser; `__Host-counterfoil` on https",
                },
            },
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": [
            {
                "name": param.name,
                "in": param.where,
                "required": param.required or param.where == "path",
                "description": param.doc,
                "schema": param.schema(),
            }
            for param in route.all_params
        ],
        "responses": _responses(route, schemas),
    }
    if route.doc:
        operation["description"] = route.doc
    if route.verb is not None:
        operation["security"] = [{"token": []}, {"session": []}]
    elif "token_missing" in route.errors:
        operation["security"] = [{}, {"token": []}]
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "description": route.body.doc,
            "content": {name: {"schema": schema} for name, schema in route.body.media.items()},
        }
    return operation


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    if isinstance(route.answer, Raw):
        content: dict[str, Any] = {route.answer.media_type: {}}
        responses[str(route.status)] = {"description": route.answer.doc, "content": content}
    else:
        schema = schemas[str(route.answer)]
        responses[str(route.status)] = {
            "description": route.summary,
            "content": {"application/json": {"schema": schema}},
        }
    for status, raw in route.also.items():
        responses[str(status)] = {"description": raw.doc, "content": {raw.media_type: {}}}
    by_status: dict[int, list[str]] = {}
    for code in sorted({*route.all_errors, *EVERYWHERE}):
        by_status.setdefault(CODES[code][1], []).append(code)
    for status, codes in sorted(by_status.items()):
        said = responses.setdefault(str(status), {"description": "", "content": {}})
        said["description"] = "; ".join(
            filter(None, [said["description"], *(f"`{code}`: {CODES[code][2]}" for code in codes)])
        )
        said["content"][MEDIA_TYPE] = {
            "schema": {
                "allOf": [{"$ref": _REF.format(name="Problem")}],
                "properties": {"code": {"enum": codes}},
            }
        }
    return responses


def operation_id(route: Route) -> str:
    """Return the name of an operation, unique among the routes."""
    words = route.public_path.replace("{", "by_").replace("}", "")
    return "_".join([route.method.lower(), *filter(None, words.replace("-", "_").split("/"))])
