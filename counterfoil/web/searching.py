"""POST /search/save and /search/remove: saved searches of whoever is signed in.

The forms stand on the two search pages: a search of one project is saved for it, one of every log
for all of them.  They change nothing but that person's own list, with the
CSRF token of the session.
"""

import urllib.parse
from collections.abc import Callable, Coroutine
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app import saved
from counterfoil.errors import RequestError
from counterfoil.policy.access import ANONYMOUS
from counterfoil.web.api.route import Served
from counterfoil.web.page_door import errors_as_pages, refused
from counterfoil.web.pages.search_ask import EVERYWHERE, PATH
from counterfoil.web.signing_in import read_form, require_csrf

_DEFAULT: Final = "default"
Work = Callable[[str, str, dict[str, str]], None]


def mount(served: Served) -> list[StarletteRoute]:
    """Return the two forms' routes as Starlette knows them."""
    home = served.home

    def save(handle: str, project: str, form: dict[str, str]) -> None:
        name, query = form.get("name", ""), form.get("q", "")
        saved.save(home.state, home.clock, handle, project, name, query)

    def remove(handle: str, project: str, form: dict[str, str]) -> None:
        saved.forget(home.state, handle, project, form.get("name", ""))

    return [
        StarletteRoute("/search/save", _answer(served, save), methods=["POST"]),
        StarletteRoute("/search/remove", _answer(served, remove), methods=["POST"]),
    ]


def _answer(served: Served, work: Work) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def do(request: Request) -> Response:
        form = await read_form(request, served)
        require_csrf(request, served, form)
        caller = await served.door.visitor(request)
        project = form.get("project", _DEFAULT)
        await run_in_threadpool(served.home.require_project, project)
        if caller.credential == ANONYMOUS:
            raise RequestError("token_missing", "this session is over; sign in again")
        served.home.access.require(caller.credential, "read", project)
        everywhere = form.get("in", "") == "everywhere"
        within = saved.EVERYWHERE if everywhere else project
        await run_in_threadpool(work, caller.credential.handle, within, form)
        words = {"q": form.get("q", ""), "project": project if project != _DEFAULT else ""}
        query = urllib.parse.urlencode({name: text for name, text in words.items() if text})
        path = EVERYWHERE if everywhere else PATH
        return RedirectResponse(f"{path}?{query}" if query else path, status_code=303)

    async def answer(request: Request) -> Response:
        return await errors_as_pages(
            request,
            lambda: do(request),
            lambda error: refused(request, request.url.path, served, error, _DEFAULT),
        )

    return answer
