"""/step-up: who is signed in shows a passkey again, for what matters."""

import urllib.parse

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app.sessions import Session
from counterfoil.errors import RequestError
from counterfoil.web import sessions
from counterfoil.web.api.route import Served
from counterfoil.web.pages.damaged import alarms_for, build_damaged
from counterfoil.web.pages.render import render
from counterfoil.web.proving import json_text, let_in, local_path, mounted, read_json


class _Ask(msgspec.Struct):
    pass


class _Answer(msgspec.Struct):
    credential: msgspec.Raw


def mount(served: Served) -> list[StarletteRoute]:
    """Return the page and its calls as Starlette knows them."""
    return mounted(
        served,
        pages=(("GET", "/step-up", _get_step_up),),
        calls=(("/step-up/ask", _ask_step_up), ("/step-up", _post_step_up)),
    )


async def _get_step_up(request: Request, served: Served) -> Response:
    caller = await served.door.visitor(request)
    if caller.session is None:
        return RedirectResponse("/sign-in", status_code=303)
    back = local_path(request.query_params.get("next", "/"))
    alarms = await run_in_threadpool(alarms_for, served.home, caller.credential)
    return render(
        request,
        "step_up.html",
        damaged=build_damaged(alarms, served.home.clock.now()),
        back=back,
        answer="/step-up?" + urllib.parse.urlencode({"next": back}),
        handle=caller.credential.handle,
        csrf=caller.csrf,
        usable=bool(served.entrance.keyring.passkeys_of(caller.session.actor)),
    )


async def _ask_step_up(request: Request, served: Served) -> Response:
    await read_json(request, served, _Ask)
    session = await require_session(request, served)
    cookie = sessions.cookie_of(request, served.site)
    return json_text(await run_in_threadpool(served.entrance.ask_step_up, session, cookie))


async def _post_step_up(request: Request, served: Served) -> Response:
    answer = await read_json(request, served, _Answer)
    session = await require_session(request, served)
    cookie = sessions.cookie_of(request, served.site)
    opened = await run_in_threadpool(
        served.entrance.step_up, bytes(answer.credential), session, cookie
    )
    return let_in(request, served, opened, request.query_params.get("next", "/"), as_page=False)


async def require_session(request: Request, served: Served) -> Session:
    """Return who is signed in, having shown the session's CSRF token in its header.

    Raises:
        RequestError: `token_missing`, `csrf`.
    """
    caller = await served.door.visitor(request)
    if caller.session is None:
        raise RequestError("token_missing", "this session is over; sign in again")
    shown = request.headers.get(sessions.CSRF_HEADER, "")
    if not sessions.csrf_matches(caller.csrf, shown):
        raise RequestError("csrf", "this page belongs to another session; reload it")
    return caller.session
