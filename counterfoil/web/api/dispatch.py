"""From a request to its route's handler, and from what it returns to an answer.

The order is the same for every call: who is it, may they, which project, are the parameters
sound, then the handler.  Refused writes and refused strangers are counted events (one per
project, source, reason and minute): an attempt is evidence too.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app.naming import check_project
from counterfoil.app.prepare import May
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.access import ANONYMOUS, Credential
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.web.api.errors import internal, problem
from counterfoil.web.api.route import Call, Param, Route, Served
from counterfoil.web.counting import DEFAULT_PROJECT, count
from counterfoil.web.identity import NOBODY

_LOG: Final = logging.getLogger("counterfoil.web")

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def mount(route: Route, served: Served) -> StarletteRoute:
    """Return the route as Starlette knows it."""
    return StarletteRoute(route.path, endpoint(route, served), methods=[route.method])


def endpoint(route: Route, served: Served) -> Endpoint:
    """Return the function that answers one route's requests."""
    encoder = msgspec.json.Encoder()

    async def answer(request: Request) -> Response:
        caller = NOBODY
        project = ""
        try:
            if route.verb is not None:
                caller = await served.door.caller(request)
            project = project_of(request, route, served)
            if route.verb:
                require(served.home.access.decide, caller.credential, route.verb, project)
            values = read_params(request, route)
            result = await route.handler(Call(served, request, caller.credential, project, values))
        except CounterfoilError as error:
            count(
                served, request, error, caller.credential,
                method=route.method, path=route.public_path, project=project,
            )  # fmt: skip
            return problem(error)
        except ClientDisconnect:
            # Nobody listens any more; the body was incomplete, so nothing was recorded.
            return Response(status_code=400)
        except Exception:  # noqa: BLE001  the last line: nothing of ours reaches a caller raw
            _LOG.exception("a call failed")
            return problem(internal())
        if isinstance(result, Response):
            return result
        return Response(
            encoder.encode(result), status_code=route.status, media_type="application/json"
        )

    return answer


def require(may: May, credential: Credential, verb: str, project: str) -> None:
    """Refuse what may not be.

    Raises:
        RequestError: `token_missing` for a stranger, `not_allowed` for anybody else.
    """
    decision = may(credential, verb, project)
    if not decision.allowed:
        code = "token_missing" if credential == ANONYMOUS else "not_allowed"
        raise RequestError(
            code, f"{'; '.join(decision.reasons)}; bring `Authorization: Bearer TOKEN` or sign in"
        )


def project_of(request: Request, route: Route, served: Served) -> str:
    """Return the project a request is about: of `?project=`, or of its path under /log/.

    Raises:
        RequestError: `project_invalid`, `project_unknown`.
    """
    named = request.path_params.get("project") or request.query_params.get("project")
    project = named if named is not None else DEFAULT_PROJECT
    # The aggregate log belongs to no project: it has addresses under /log/, and nothing else.
    if project in served.projects or (project == AGGREGATE and "project" in request.path_params):
        return project
    if route.takes_project or "project" in request.path_params:
        check_project(project)
        raise RequestError("project_unknown", f"this ledger has no log for project {project!r}")
    return DEFAULT_PROJECT


def read_params(request: Request, route: Route) -> dict[str, str | int]:
    """Read and check the parameters of a request.

    Raises:
        RequestError: `query_invalid`: unknown, repeated, absent or malformed;
            `not_found` for a malformed part of the path.
    """
    known = {param.name: param for param in route.all_params if param.where == "query"}
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        # A misspelt `as-of` must not silently answer for now.
        if route.takes_project and name not in known:
            raise RequestError("query_invalid", f"there is no parameter {name[:64]!r} here")
        if names.count(name) > 1:
            raise RequestError("query_invalid", f"{name[:64]!r} is given twice")
    values: dict[str, str | int] = {}
    for param in route.all_params:
        text = _text_of(request, param)
        if text is not None:
            try:
                values[param.name] = param.read(text)
            except RequestError as error:
                if param.where == "path":
                    raise RequestError("not_found", error.message) from error
                raise
        elif param.required:
            raise RequestError("query_invalid", f"{param.name} is missing: {param.doc}")
    return values


def _text_of(request: Request, param: Param) -> str | None:
    if param.where == "path":
        return str(request.path_params[param.name])
    if param.where == "header":
        return request.headers.get(param.name)
    return request.query_params.get(param.name)
