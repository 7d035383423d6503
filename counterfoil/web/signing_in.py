"""/sign-in, /step-up and /sign-out: pages and calls around `app.entrance`.

A GET shows what could be done and changes nothing but a browser's own flow; what signs in, or
proves more, is sent by the page's form or script.
"""

import urllib.parse
from typing import Final, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app import signin
from counterfoil.app.entrance import Linked
from counterfoil.app.oidc import PATH as OIDC_PATH
from counterfoil.errors import RequestError
from counterfoil.web import sessions
from counterfoil.web.api.route import Served
from counterfoil.web.pages.render import render
from counterfoil.web.proving import (
    ensure_flow,
    json_text,
    keep_flow,
    let_in,
    local_path,
    mounted,
    read_json,
    refused,
)
from counterfoil.web.security import media_type, read_body, same_origin

FORM_MAX_BYTES: Final = 64 * 1024
FORM_TYPE: Final = "application/x-www-form-urlencoded"

# What the page says: how to sign in; use this link?; it is used or over; it was refused (why);
# no session is safe here.
State = Literal["needed", "confirm", "over", "refused", "nowhere"]


class _Ask(msgspec.Struct):
    next: str = "/"


class _Answer(msgspec.Struct):
    credential: msgspec.Raw


def mount(served: Served) -> list[StarletteRoute]:
    """Return the pages and calls as Starlette knows them."""
    return mounted(
        served,
        pages=(
            ("GET", "/sign-in", _get_sign_in),
            ("POST", "/sign-in", _post_sign_in),
            ("GET", f"{OIDC_PATH}/{{name}}/begin", _begin_provider),
            ("GET", f"{OIDC_PATH}/{{name}}", _finish_provider),
            ("POST", "/sign-out", _post_sign_out),
        ),
        calls=(
            ("/sign-in/passkey/ask", _ask_passkey),
            ("/sign-in/passkey", _post_passkey),
        ),
    )


async def _get_sign_in(request: Request, served: Served) -> Response:
    token = request.query_params.get("token", "")
    if not served.site.can_sign_in:
        return _page(request, served, "nowhere", status=403)
    if token:
        link = await run_in_threadpool(signin.link_of, served.home.state, served.home.clock, token)
        if link is None:
            return _page(request, served, "over", status=403)
        return _page(request, served, "confirm", token=token, handle=link.handle)
    if (await served.door.visitor(request)).csrf:
        return RedirectResponse(_next(request), status_code=303)
    return _page(request, served, "needed")


async def _post_sign_in(request: Request, served: Served) -> Response:
    form = await read_form(request, served)
    _require_same_origin(request, served)
    if not served.site.can_sign_in:
        return _page(request, served, "nowhere", status=403)
    visitor = sessions.visitor_of(request, served.site)
    try:
        opened = await run_in_threadpool(served.entrance.use_link, form.get("token", ""), visitor)
    except RequestError as error:
        return _refused(request, served, error)
    if opened is None:
        return _page(request, served, "over", status=403)
    return let_in(request, served, opened, "/", as_page=True)


async def _ask_passkey(request: Request, served: Served) -> Response:
    asked = await read_json(request, served, _Ask)
    flow = ensure_flow(request, served)
    options = await run_in_threadpool(served.entrance.ask_passkey, flow, local_path(asked.next))
    return keep_flow(json_text(options), request, served, flow)


async def _post_passkey(request: Request, served: Served) -> Response:
    answer = await read_json(request, served, _Answer)
    flow, visitor = (
        sessions.flow_of(request, served.site),
        sessions.visitor_of(request, served.site),
    )
    signed = await run_in_threadpool(
        served.entrance.sign_in, bytes(answer.credential), flow, visitor
    )
    return let_in(request, served, signed.opened, signed.back, as_page=False)


async def _begin_provider(request: Request, served: Served) -> Response:
    # A page of another site must not begin it: who is signed in there may be somebody else.
    if not served.site.can_sign_in or not same_origin(request, served.site):
        return RedirectResponse("/sign-in", status_code=303)
    flow, name = ensure_flow(request, served), request.path_params["name"]
    address = await run_in_threadpool(served.entrance.begin_provider, name, flow, _next(request))
    response = RedirectResponse(address, status_code=303)
    return keep_flow(response, request, served, flow)


async def _finish_provider(request: Request, served: Served) -> Response:
    caller = await served.door.visitor(request)
    try:
        done = await run_in_threadpool(
            served.entrance.finish_provider,
            request.path_params["name"],
            dict(request.query_params),
            sessions.flow_of(request, served.site),
            caller.session,
            sessions.visitor_of(request, served.site),
        )
    except RequestError as error:
        return _refused(request, served, error)
    if isinstance(done, Linked):
        return RedirectResponse("/account", status_code=303)
    return let_in(request, served, done.opened, done.back, as_page=True)


async def _post_sign_out(request: Request, served: Served) -> Response:
    form = await read_form(request, served)
    cookie = sessions.cookie_of(request, served.site)
    require_csrf(request, served, form)
    caller = await served.door.visitor(request)
    if caller.session is not None:
        await run_in_threadpool(served.entrance.sign_out, caller.session, cookie)
    response = RedirectResponse("/sign-in", status_code=303)
    sessions.drop_cookie(response, served.site)
    return response


async def read_form(
    request: Request, served: Served, limit_bytes: int = FORM_MAX_BYTES
) -> dict[str, str]:
    """Return the fields of a posted form; of a repeated field the last one.

    Raises:
        RequestError: `content_type`, `body_too_large`, `request_timeout`.
    """
    if media_type(request) != FORM_TYPE:
        raise RequestError("content_type", f"a form is {FORM_TYPE}")
    body = await read_body(request, limit_bytes, served.pace)
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def require_csrf(request: Request, served: Served, form: dict[str, str]) -> None:
    """Refuse a form that does not show the token of the session it came with.

    Raises:
        RequestError: `csrf`.
    """
    _require_same_origin(request, served)
    cookie = sessions.cookie_of(request, served.site)
    shown = request.headers.get(sessions.CSRF_HEADER) or form.get(sessions.CSRF_FIELD, "")
    if not cookie or not sessions.csrf_matches(sessions.csrf_token(cookie), shown):
        raise RequestError("csrf", "this form belongs to another session; reload the page")


def _page(
    request: Request,
    served: Served,
    state: State,
    *,
    token: str = "",
    handle: str = "",
    why: str = "",
    status: int = 200,
) -> Response:
    back = _next(request)
    return render(
        request,
        "sign_in.html",
        status=status,
        state=state,
        token=token,
        handle=handle,
        why=why,
        host=served.site.host,
        public_url=served.site.public_url,
        back=back,
        back_query="" if back == "/" else "?" + urllib.parse.urlencode({"next": back}),
        passkeys=served.entrance.keyring.party is not None,
        providers=served.entrance.oidc.providers,
        enrolled=served.home.access.directory.anybody_enrolled(),
    )


def _refused(request: Request, served: Served, error: RequestError) -> Response:
    """Say on the sign-in page why it did not work; anything but that is an error of its own."""
    if error.code != "sign_in_refused":
        raise error
    refused(request, served, error)
    return _page(request, served, "refused", why=error.message, status=403)


def _next(request: Request) -> str:
    return local_path(request.query_params.get("next", "/"))


def _require_same_origin(request: Request, served: Served) -> None:
    if not same_origin(request, served.site):
        raise RequestError("csrf", "this form was sent by another site; open the page here")
