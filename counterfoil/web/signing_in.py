"""/sign-in and /sign-out: pages around `app.signin`.

GET shows what the link would do and changes nothing; the form's POST uses the link up.
"""

import urllib.parse
from typing import Final, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app import signin
from counterfoil.errors import RequestError
from counterfoil.web import sessions
from counterfoil.web.api.route import Served
from counterfoil.web.pages.render import render
from counterfoil.web.security import media_type, read_body, same_origin

FORM_MAX_BYTES: Final = 64 * 1024
FORM_TYPE: Final = "application/x-www-form-urlencoded"

# What the page says: no link yet; use this link?; it is used or over; no session is safe here.
State = Literal["needed", "confirm", "over", "nowhere"]


def mount(served: Served) -> list[StarletteRoute]:
    """Return the pages as Starlette knows them."""
    site, home = served.site, served.home

    async def get_sign_in(request: Request) -> Response:
        token = request.query_params.get("token", "")
        if not site.can_sign_in:
            return _page(request, "nowhere", status=403)
        if token:
            works = await run_in_threadpool(signin.link_works, home.state, home.clock, token)
            return _page(request, "confirm", token) if works else _page(request, "over", status=403)
        if (await served.door.visitor(request)).csrf:
            return RedirectResponse("/", status_code=303)
        return _page(request, "needed")

    def _page(request: Request, state: State, token: str = "", status: int = 200) -> Response:
        return render(
            request,
            "sign_in.html",
            status=status,
            state=state,
            token=token,
            handle=signin.HANDLE,
            host=site.host,
            public_url=site.public_url,
        )

    async def post_sign_in(request: Request) -> Response:
        form = await read_form(request, served)
        _require_same_origin(request, served)
        if not site.can_sign_in:
            return _page(request, "nowhere", status=403)
        token = form.get("token", "")
        opened = await run_in_threadpool(
            signin.open_session, home.state, home.clock, home.randomness, token
        )
        if opened is None:
            return _page(request, "over", status=403)
        response = RedirectResponse("/", status_code=303)
        sessions.set_cookie(response, site, opened.cookie)
        return response

    async def post_sign_out(request: Request) -> Response:
        form = await read_form(request, served)
        cookie = sessions.cookie_of(request, site)
        require_csrf(request, served, form)
        await run_in_threadpool(signin.end_session, home.state, cookie)
        response = RedirectResponse("/sign-in", status_code=303)
        sessions.drop_cookie(response, site)
        return response

    return [
        StarletteRoute("/sign-in", get_sign_in, methods=["GET"]),
        StarletteRoute("/sign-in", post_sign_in, methods=["POST"]),
        StarletteRoute("/sign-out", post_sign_out, methods=["POST"]),
    ]


async def read_form(request: Request, served: Served) -> dict[str, str]:
    """Return the fields of a posted form; of a repeated field the last one.

    Raises:
        RequestError: `content_type`, `body_too_large`, `request_timeout`.
    """
    if media_type(request) != FORM_TYPE:
        raise RequestError("content_type", f"a form is {FORM_TYPE}")
    body = await read_body(request, FORM_MAX_BYTES, served.pace)
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


def _require_same_origin(request: Request, served: Served) -> None:
    if not same_origin(request, served.site):
        raise RequestError("csrf", "this form was sent by another site; open the page here")
