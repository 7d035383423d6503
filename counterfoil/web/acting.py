"""POST /act/NAME: the forms of the pages that do something to the ledger.

What must hold: a form acts only with the CSRF token of its session, and as nobody but that
session; what it did is said on the page it leads back to, by GET, so that a reload does nothing
twice; what was refused comes back as the same page with the error beside the form and every field
as it was typed; a form leads back to a page about access, and nowhere else.
"""

import urllib.parse
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app.actions import act
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.access import ANONYMOUS, LOG
from counterfoil.web import pages
from counterfoil.web.api.route import Served
from counterfoil.web.context import Came, Typed
from counterfoil.web.page_door import error_page, errors_as_pages, refused, shown
from counterfoil.web.pages.forms import BACK, FORM
from counterfoil.web.sessions import CSRF_FIELD
from counterfoil.web.signing_in import read_form, require_csrf

HOME: Final = "/admin"
_PATH: Final = "/act/{name}"
# Of the form itself; everything else is a field of the action.
_OWN: Final = frozenset({CSRF_FIELD, BACK, FORM})
# Actions whose page goes on from what they were given.
_GOES_ON: Final = frozenset({"policy-preview", "trust-add", "directory-diff", "retention-preview"})
# As many as a policy set may have, or a directory file of 1 MB, escaped in the worst case.
LIMIT_BYTES: Final = 4 * 1024 * 1024
# What a page's address says once and a form does not lead back to.
_PASSING: Final = frozenset({"told", "as_of"})


def mount(served: Served) -> list[StarletteRoute]:
    """Return the forms' route as Starlette knows it."""
    backs = {page.path: page for page in pages.ROUTES if page.log == LOG}

    async def do(request: Request) -> Response:
        form = await read_form(request, served, LIMIT_BYTES)
        require_csrf(request, served, form)
        caller = await served.door.visitor(request)
        if caller.credential == ANONYMOUS:
            raise RequestError("token_missing", "this session is over; sign in again")
        path, query = _back(form.get(BACK, ""), frozenset(backs))
        # A browser ends the lines of a text by CR LF, whatever they ended by before (HTML, forms).
        given = {
            name: text.replace("\r\n", "\n") for name, text in form.items() if name not in _OWN
        }
        name = request.path_params["name"]
        try:
            done = await run_in_threadpool(
                act, served.home, caller.credential, name, given, "web", words=True
            )
        except RequestError as error:
            await note(request, error)
            typed = Typed(form.get(FORM, ""), given, error)
            page = _page_of(request, path, query)
            try:
                return await shown(page, backs[path], served, caller, typed)
            except RequestError:
                # Whoever may not see the page is told what came of the form.
                return error_page(request, error)
        told = served.told.keep(
            caller.credential.id, Came(name, given if name in _GOES_ON else {}, done)
        )
        address = urllib.parse.urlencode([*query, ("told", told)])
        return RedirectResponse(f"{path}?{address}", status_code=303)

    async def note(request: Request, error: CounterfoilError) -> None:
        await refused(request, _PATH, served, error, LOG)

    async def answer(request: Request) -> Response:
        return await errors_as_pages(
            request, lambda: do(request), lambda error: note(request, error)
        )

    return [StarletteRoute(_PATH, answer, methods=["POST"])]


def _back(stated: str, known: frozenset[str]) -> tuple[str, list[tuple[str, str]]]:
    """Return the path and query a form leads back to: one of our pages, never another server."""
    path, _, query = stated.partition("?")
    if path not in known:
        return HOME, []
    pairs = urllib.parse.parse_qsl(query.partition("#")[0])
    return path, [(name, text) for name, text in pairs if name not in _PASSING]


def _page_of(request: Request, path: str, query: list[tuple[str, str]]) -> Request:
    """Return the request for the page a form stands on, as the same reader would make it."""
    return Request(
        {
            **request.scope,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": urllib.parse.urlencode(query).encode(),
            "path_params": {},
        }
    )
