"""Every request counted by its route and how long it took; the outermost layer of the server.

What must hold: what is counted and logged of a request is its route's pattern, never its path: a
path holds names, and strangers choose it.
"""

import time
from collections.abc import Sequence
from typing import Final

from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterfoil.app.meters import Meters

NO_ROUTE: Final = "(none)"
_ROUTE: Final = "counterfoil.route"


class Measuring:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what came of it; a fault of ours that passes through is a 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        status, took_s = 500, 0.0

        async def note(message: Message) -> None:
            nonlocal status, took_s
            if message["type"] == "http.response.start":
                status, took_s = message["status"], time.perf_counter() - began_s
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            route = scope.get(_ROUTE, NO_ROUTE)
            self._meters.answered(
                route, scope["method"], status, took_s or time.perf_counter() - began_s
            )


def named(routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """Have every route say which it is before it answers."""
    for route in routes:
        assert isinstance(route, StarletteRoute), "every address of ours is a plain route"
        route.app = _naming(route.app, route.path.replace(":path}", "}"))
    return routes


def _naming(app: ASGIApp, pattern: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_ROUTE] = pattern
        await app(scope, receive, send)

    return answer
