"""Every request counted and logged by its route and how long it took; the outermost layer.

What must hold: what is counted and logged of a request is its route's pattern, never its path: a
path holds names, and strangers choose it.
"""

import time
from collections.abc import Sequence
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterfoil.app.log_lines import ASKED, ID_BYTES, Asked, RequestLines
from counterfoil.app.meters import Meters, method_of
from counterfoil.ids import Randomness
from counterfoil.web.static import PREFIX

NO_ROUTE: Final = "(none)"
_ASKED: Final = "counterfoil.asked"


class Measuring:
    """ASGI middleware around everything else.

    Args:
        app: what answers.
        meters: where requests are counted.
        randomness: for the ids of requests.
    """

    def __init__(self, app: ASGIApp, meters: Meters, randomness: Randomness) -> None:
        self._app = app
        self._meters = meters
        self._randomness = randomness
        self._lines = RequestLines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count what came of it; a fault of ours that passes through is a 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        status, took_s = 500, 0.0
        asked = Asked(self._randomness.token(ID_BYTES).hex(), method_of(scope["method"]))
        before = ASKED.set(asked)
        scope[_ASKED] = asked

        async def note(message: Message) -> None:
            nonlocal status, took_s
            if message["type"] == "http.response.start":
                status, took_s = message["status"], time.perf_counter() - began_s
                if not asked.route.startswith(PREFIX):
                    # An asset may be kept for good, and would carry the id of somebody's request.
                    MutableHeaders(scope=message)["x-request-id"] = asked.id
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            asked.route = asked.route or NO_ROUTE
            took_s = took_s or time.perf_counter() - began_s
            self._meters.answered(asked.route, asked.method, status, took_s)
            self._lines.answered(status, took_s, asked)
            ASKED.reset(before)


def named(routes: Sequence[BaseRoute]) -> Sequence[BaseRoute]:
    """Have every route say which it is before it answers."""
    for route in routes:
        assert isinstance(route, StarletteRoute), "every address of ours is a plain route"
        route.app = _naming(route.app, route.path.replace(":path}", "}"))
    return routes


def _naming(app: ASGIApp, pattern: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_ASKED].route = pattern
        await app(scope, receive, send)

    return answer
