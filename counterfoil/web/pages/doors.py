"""The pages around the pages: errors, and the choice of light or dark."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from counterfoil.web.context import Context
from counterfoil.web.pages.render import THEME_COOKIE, render

_YEAR_S: Final = 365 * 86400
_THEMES: Final = frozenset({"light", "dark"})

_TITLES: Final = {
    400: "This request does not add up",
    401: "Sign in first",
    403: "This is not allowed",
    404: "Nothing of that name is recorded",
    405: "This page does not take that",
    421: "This server has another name",
    500: "Two things that must agree do not",
    503: "Not available right now",
}
_NEXT: Final = {
    401: "Open the sign-in link this server printed when it started.",
    404: "Check the address, or go back to now: what you look for may have been recorded later "
    "than the moment you were looking at.",
    503: "Nothing was recorded twice and nothing is lost. Try again in a moment.",
}


def error_page(request: Request | None, status: int, code: str, message: str) -> Response:
    """Say what is wrong, with what, and what to do next; the code is small, at the end.

    Args:
        request: for the stored theme; None where there is none.
        status: HTTP status.
        code: stable code of `errors.CODES`.
        message: one line for a person.
    """
    return render(
        request,
        "error.html",
        status=status,
        title=_TITLES.get(status, "This did not work"),
        message=message,
        next_step=_NEXT.get(status, ""),
        code=code,
        code_status=status,
    )


def theme_page(request: Request, context: Context) -> Response:
    r"""Answer GET /theme?choice=light|dark&back=PATH: keep the choice, go back.

    It changes nothing but a colour, so a link may do it.  Only paths of this server are gone
    back to: `//host` and `/\\host` are other servers.
    """
    del context
    choice = request.query_params.get("choice", "")
    back = request.query_params.get("back", "/")
    local = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    response = RedirectResponse(back if local else "/", status_code=303)
    if choice in _THEMES:
        response.set_cookie(
            THEME_COOKIE,
            choice,
            max_age=_YEAR_S,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
    else:
        response.delete_cookie(THEME_COOKIE, path="/")
    return response
