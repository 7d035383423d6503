"""A session in a browser: its cookies, and the token that its forms must send back.

What must hold: another site can make a browser send the cookies, but can neither read them nor
know the CSRF token, so it cannot change anything here.

Two cookies: that of a session; and that of a flow, which is a browser's own secret while it has
gone to fetch a passkey or a provider's answer, so that nobody can hand it an answer of theirs.
Both are Lax: a link in a mail may open a page, and a provider sends the browser back by one; but
no form or script of another site gets them sent.
"""

import hashlib
import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.oidc import FLOW_LIFE
from counterfoil.app.sessions import LIFE, Visitor, device_of, place_of
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
    """Give the browser its session."""
    _set(response, site, site.cookie, cookie, int(LIFE.total_seconds()))


def drop_cookie(response: Response, site: Site) -> None:
    """Take the session's cookie away."""
    _drop(response, site, site.cookie)


def flow_of(request: Request, site: Site) -> str:
    """Return the flow cookie's value, "" when there is none."""
    return request.cookies.get(site.flow_cookie, "")


def set_flow(response: Response, site: Site, flow: str) -> None:
    """Give the browser a secret of its own for what it has gone to fetch."""
    _set(response, site, site.flow_cookie, flow, int(FLOW_LIFE.total_seconds()))


def drop_flow(response: Response, site: Site) -> None:
    """Take the flow's cookie away."""
    _drop(response, site, site.flow_cookie)


def visitor_of(request: Request, site: Site) -> Visitor:
    """Return what a browser says about itself, in words that name neither it nor its address."""
    device = device_of(request.headers.get("user-agent", ""))
    return Visitor(device, place_of(site.address_of(request)))


def _set(response: Response, site: Site, name: str, value: str, life_s: int) -> None:
    response.set_cookie(
        name, value, max_age=life_s, path="/", secure=site.https, httponly=True, samesite="lax"
    )


def _drop(response: Response, site: Site, name: str) -> None:
    response.delete_cookie(name, path="/", secure=site.https, httponly=True, samesite="lax")
