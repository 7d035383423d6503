"""/openapi.json and /docs: what this server serves, out of the route table.

Open to everyone: they say what the program can do, nothing about what is recorded.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from counterfoil.errors import CODES
from counterfoil.web import openapi
from counterfoil.web.api.route import Raw, Route
from counterfoil.web.pages.render import render
from counterfoil.web.site import Site

_CACHE: Final = {"cache-control": "public, max-age=60"}


def mount(routes: Sequence[Route], site: Site) -> list[StarletteRoute]:
    """Return both as Starlette knows them."""
    document = msgspec.json.encode(openapi.document(routes, site.public_url))
    shown = [_shown(route) for route in routes]
    errors = [
        {"code": code, "status": status, "meaning": meaning}
        for code, (_, status, meaning) in sorted(CODES.items())
    ]

    async def get_openapi(_request: Request) -> Response:
        return Response(document, headers=_CACHE, media_type="application/json")

    async def get_docs(request: Request) -> Response:
        return render(request, "docs.html", routes=shown, errors=errors)

    return [
        StarletteRoute("/openapi.json", get_openapi, methods=["GET"]),
        StarletteRoute("/docs", get_docs, methods=["GET"]),
    ]


def _shown(route: Route) -> dict[str, Any]:
    answer = route.answer.media_type if isinstance(route.answer, Raw) else "application/json"
    return {
        "anchor": openapi.operation_id(route),
        "name": route.name,
        "summary": route.summary,
        "doc": route.doc.replace("`", ""),
        "who": f"needs {route.verb}" if route.verb else "open",
        "answers": f"{route.status} {answer}",
        "takes": f"{', '.join(route.body.media)}; {route.body.doc}" if route.body else "",
        "params": route.all_params,
        "errors": route.all_errors,
    }
