"""What every way of proving who one is shares on the web: bodies, cookies, refusals counted.

What must hold: an answer is taken from our own page alone (Origin has to be there and ours); after
it the browser goes to a path of this server and nowhere else; whatever was refused is counted.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app.refusals import Attempt
from counterfoil.app.sessions import COOKIE_BYTES, Opened
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.access import ANONYMOUS, LOG, Credential
from counterfoil.web import sessions
from counterfoil.web.api.errors import problem
from counterfoil.web.api.route import Served
from counterfoil.web.page_door import error_page
from counterfoil.web.security import media_type, read_body, same_origin

JSON_MAX_BYTES: Final = 128 * 1024
JSON_TYPE: Final = "application/json"
# A path of ours: no second slash or backslash at its start, which would name another host, and no
# character that a browser drops or turns into one.
_LOCAL: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%?-][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
_LOCAL_MAX: Final = 2_000
_COUNTED: Final = frozenset(
    {"sign_in_refused", "step_up_needed", "csrf", "token_missing", "not_allowed"}
)

Shape = TypeVar("Shape")
Work = Callable[[Request, Served], Awaitable[Response]]
Answer = Callable[[Request], Awaitable[Response]]


def local_path(text: str) -> str:
    r"""Return a path of this server to go on at, "/" for anything else.

    >>> local_path("/runs?as_of=3"), local_path("//attacker.example"), local_path("/\\x")
    ('/runs?as_of=3', '/', '/')
    """
    return text if len(text) <= _LOCAL_MAX and _LOCAL.fullmatch(text) else "/"


def require_own_page(request: Request, served: Served) -> None:
    """Refuse what no page of ours sent: a browser names the page's origin with every such call.

    Raises:
        RequestError: `csrf`.
    """
    if not request.headers.get("origin") or not same_origin(request, served.site):
        raise RequestError("csrf", "this was not sent by a page of this server; open it here")


async def read_json(request: Request, served: Served, shape: type[Shape]) -> Shape:
    """Return the JSON body that a script of ours sent.

    Raises:
        RequestError: `csrf`, `content_type`, `body_too_large`, `request_timeout`, `json_broken`.
    """
    require_own_page(request, served)
    if media_type(request) != JSON_TYPE:
        raise RequestError("content_type", f"this call takes {JSON_TYPE}")
    body = await read_body(request, JSON_MAX_BYTES, served.pace)
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("json_broken", "this is not what the page sends; reload it") from error


def mounted(
    served: Served, pages: Sequence[tuple[str, str, Work]], calls: Sequence[tuple[str, Work]]
) -> list[StarletteRoute]:
    """Return handlers as Starlette knows them, each with its refusals counted and answered.

    Args:
        served: what they share.
        pages: method, path and handler; refusals are pages.
        calls: path and handler of what scripts post; refusals are problem documents.
    """
    return [
        *(
            StarletteRoute(path, _counted(served, work, as_page=True), methods=[method])
            for method, path, work in pages
        ),
        *(
            StarletteRoute(path, _counted(served, work, as_page=False), methods=["POST"])
            for path, work in calls
        ),
    ]


def _counted(served: Served, work: Work, *, as_page: bool) -> Answer:

    async def answer(request: Request) -> Response:
        try:
            return await work(request, served)
        except CounterfoilError as error:
            await count(request, served, error)
            return error_page(request, error) if as_page else problem(error)

    return answer


async def count(request: Request, served: Served, error: CounterfoilError) -> None:
    """Count a refusal: of whom, what for, from where."""
    if error.code in _COUNTED:
        caller = await served.door.visitor(request)
        refused(request, served, error, caller.credential)


def refused(
    request: Request, served: Served, error: CounterfoilError, credential: Credential = ANONYMOUS
) -> None:
    """Count a refusal of somebody who is known, or of a stranger."""
    reason = str(error.facts.get("reason", ""))
    # The route and our own words: strangers must not choose what the log says.
    route = f"{request.method} {_route_of(request)}"
    attempt = Attempt(
        source=f"{route} {reason}".strip(),
        reason=error.code,
        why=reason,
        tried=route,
        address=served.site.address_of(request),
    )
    served.home.recorder.refuse(LOG, attempt, credential)


def _route_of(request: Request) -> str:
    """Return the path without what stands in it of the request's own."""
    name = request.path_params.get("name")
    path = request.url.path
    return path if name is None else path.replace(f"/{name}", "/NAME", 1)


def ensure_flow(request: Request, served: Served) -> str:
    """Return the browser's flow secret, or a fresh one for `keep_flow` to give it."""
    known = sessions.flow_of(request, served.site)
    return known or served.home.randomness.token(COOKIE_BYTES).hex()


def keep_flow(response: Response, request: Request, served: Served, flow: str) -> Response:
    """Give the browser its flow secret, unless it has it."""
    if sessions.flow_of(request, served.site) != flow:
        sessions.set_flow(response, served.site, flow)
    return response


def let_in(
    request: Request, served: Served, opened: Opened, back: str, *, as_page: bool
) -> Response:
    """Answer with a session's cookie and where to go on."""
    path = local_path(back)
    response: Response = (
        RedirectResponse(path, status_code=303) if as_page else JSONResponse({"next": path})
    )
    sessions.set_cookie(response, served.site, opened.cookie)
    if sessions.flow_of(request, served.site):
        sessions.drop_flow(response, served.site)
    return response


def json_text(text: str) -> Response:
    """Answer with JSON that is written already."""
    return Response(text, media_type=JSON_TYPE)
