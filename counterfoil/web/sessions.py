"""A session in a browser: its cookie, and the token that its forms must send back.

What must hold: another site can make a browser send the cookie, but can neither read it nor
know the CSRF token, so it cannot change anything here.
"""

import hashlib
import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.signin import SESSION_LIFE
from counterfoil.web.site import Site

CSRF_HEADER: Final = "x-counterfoil-csrf"
CSRF_FIELD: Final = "csrf"


def csrf_token(cookie: str) -> str:
    """Derive what the forms of a session carry; it lives and ends with the session."""
    return hmac.new(cookie.encode(), b"counterfoil.csrf.v1", hashlib.sha256).hexdigest()


def csrf_matches(token: str, shown: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(token.encode(), shown.encode("utf-8", "replace"))


def cookie_of(request: Request, site: Site) -> str:
    """Return the session cookie's value, "" when there is none."""
    return request.cookies.get(site.cookie, "")


def set_cookie(response: Response, site: Site, cookie: str) -> None:
    """Give the browser its session.  Lax: a link in a mail may open a page, not post a form."""
    response.set_cookie(
        site.cookie,
        cookie,
        max_age=int(SESSION_LIFE.total_seconds()),
        path="/",
        secure=site.https,
        httponly=True,
        samesite="lax",
    )


def drop_cookie(response: Response, site: Site) -> None:
    """Take the session's cookie away."""
    response.delete_cookie(site.cookie, path="/", secure=site.https, httponly=True, samesite="lax")
