"""Signing in: one-time links, sessions in state.db, their cookie and their CSRF token.

What must hold: whoever reads state.db, a log file or a browser history cannot sign in with what
stands there (digests only; links are used up); looking at a link does not use it, because mail
and chat programs look at links; a form of another site cannot act with somebody's session.

The link itself is the only secret: whoever opens it first is signed in.  It is made by somebody
who may read the ledger directory, which is more than a session gives.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.home import Home
from counterfoil.clock import format_time
from counterfoil.policy.access import Credential
from counterfoil.web.site import Site

TOKEN_BYTES: Final = 32
# Long enough for "set it up today, look at it tomorrow morning"; a fresh one is one command.
LINK_LIFE: Final = timedelta(hours=24)
SESSION_LIFE: Final = timedelta(days=7)
CSRF_HEADER: Final = "x-counterfoil-csrf"
CSRF_FIELD: Final = "csrf"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A live session: who it is for, and the token its forms must send back."""

    credential: Credential
    csrf: str


def make_link(home: Home, public_url: str, handle: str = "administrator") -> str:
    """Make a one-time sign-in link, good for `LINK_LIFE`, and return its address.

    Args:
        home: the ledger to sign in to; only its state.db is written.
        public_url: where the server is reached, without a slash at the end.
        handle: what the session is called on the pages.
    """
    token = home.randomness.token(TOKEN_BYTES).hex()
    now = home.clock.now()
    home.state.add_link(_digest(token), handle, format_time(now), format_time(now + LINK_LIFE))
    return f"{public_url}/sign-in?token={token}"


def link_works(home: Home, token: str) -> bool:
    """Whether a link's token could still be used; asking does not use it."""
    return home.state.link(_digest(token), format_time(home.clock.now())) is not None


def open_session(home: Home, token: str) -> str | None:
    """Use up a link and start a session.

    Returns:
        The cookie's value; None when the link is unknown, used or over.
    """
    now = home.clock.now()
    link = home.state.use_link(_digest(token), format_time(now))
    if link is None:
        return None
    # A fresh value for every session: nobody can fix it beforehand.
    cookie = home.randomness.token(TOKEN_BYTES).hex()
    expires = format_time(now + SESSION_LIFE)
    home.state.add_session(_digest(cookie), link.handle, format_time(now), expires)
    return cookie


def find_session(home: Home, cookie: str) -> SignedIn | None:
    """Return who a cookie's value signs in, None when it is unknown, ended or over."""
    digest = _digest(cookie)
    session = home.state.session(digest, format_time(home.clock.now()))
    if session is None:
        return None
    # Public and permanent in entries, so it tells sessions apart and nothing more.
    name = f"session:{digest.hex()[:16]}"
    return SignedIn(Credential(name, "session", session.handle), csrf_token(cookie))


def end_session(home: Home, cookie: str) -> None:
    """Sign out on the server's side: the cookie is worth nothing from here on."""
    home.state.end_session(_digest(cookie))


def csrf_token(cookie: str) -> str:
    """Derive what a session's forms carry: another site can send the cookie, but not read this."""
    return hmac.new(cookie.encode(), b"counterfoil.csrf.v1", hashlib.sha256).hexdigest()


def csrf_matches(signed_in: SignedIn, shown: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(signed_in.csrf.encode(), shown.encode("utf-8", "replace"))


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


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
