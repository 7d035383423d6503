"""The door of the pages: a session that may read, a project that exists, a moment that was.

Handlers are plain functions that block: they run in a thread.  Errors come back as pages.  Pages
only read: what changes something goes through a form (`acting`, `searching`) or the API, which ask
for the CSRF token.
"""

import dataclasses
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.access import ANONYMOUS
from counterfoil.web import pages
from counterfoil.web.api.errors import internal, status_of
from counterfoil.web.api.route import Served
from counterfoil.web.context import Context, Typed
from counterfoil.web.counting import DEFAULT_PROJECT, count
from counterfoil.web.identity import Caller

_LOG: Final = logging.getLogger("counterfoil.web")


def mount(page: pages.PageRoute, served: Served) -> StarletteRoute:
    """Return a page as Starlette knows it."""

    async def answer(request: Request) -> Response:
        return await errors_as_pages(
            request,
            lambda: _answer(request, page, served),
            lambda error: refused(request, page.path, served, error, _project_of(request, page)),
        )

    return StarletteRoute(page.path, answer, methods=["GET"])


async def errors_as_pages(
    request: Request,
    work: Callable[[], Coroutine[Any, Any, Response]],
    note: Callable[[CounterfoilError], Coroutine[Any, Any, None]],
) -> Response:
    """Answer with what `work` returns, or with a page about its error, once it is noted."""
    try:
        try:
            return await work()
        except CounterfoilError as error:
            await note(error)
            return error_page(request, error)
    except Exception:  # noqa: BLE001  the last line: nothing of ours reaches a reader raw
        _LOG.exception("a page failed")
        return error_page(request, internal())


async def refused(
    request: Request, path: str, served: Served, error: CounterfoilError, project: str
) -> None:
    """Count a page or form that was refused to whoever the request's session is."""
    caller = await served.door.visitor(request)
    count(
        served, request, error, caller.credential,
        method=request.method, path=path, project=project,
    )  # fmt: skip


def error_page(request: Request, error: CounterfoilError) -> Response:
    """Return an error as a page."""
    return pages.error_page(request, status_of(error), error.code, error.message)


async def _answer(request: Request, page: pages.PageRoute, served: Served) -> Response:
    caller = await served.door.visitor(request)
    if caller.credential == ANONYMOUS:
        return RedirectResponse("/sign-in", status_code=303)
    return await shown(request, page, served, caller)


async def shown(
    request: Request,
    page: pages.PageRoute,
    served: Served,
    caller: Caller,
    typed: Typed | None = None,
) -> Response:
    """Return a page as `caller` may see it; with `typed`, a form of it that was refused."""
    context = await run_in_threadpool(_context, request, page, served, caller)
    if typed is not None:
        context = dataclasses.replace(context, typed=typed)
    return await run_in_threadpool(page.handler, request, context)


def _project_of(request: Request, page: pages.PageRoute) -> str:
    return page.log or request.query_params.get("project") or DEFAULT_PROJECT


def _context(request: Request, page: pages.PageRoute, served: Served, caller: Caller) -> Context:
    around = request.query_params.get("project") or DEFAULT_PROJECT
    served.home.require_project(around)
    project = page.log or around
    served.home.access.require(caller.credential, "read", project)
    moment = request.query_params.get("as_of")
    if moment is not None and len(moment) > 64:
        raise RequestError("query_invalid", "as_of is an entry number or an RFC 3339 time")
    return Context(
        home=served.home,
        credential=caller.credential,
        csrf=caller.csrf,
        project=project,
        as_of=served.home.reader.position(project, moment) if moment else None,
        public_url=served.site.public_url,
        around=around if page.log else "",
        told=served.told.take(caller.credential.id, request.query_params.get("told", "")),
    )
