"""Who is calling: a bearer token or a session cookie, turned into a checked credential.

What must hold: comparing costs the same time however wrong a token is; a wrong token is an
error even where none is needed for reading, so that nobody believes it works; a cookie acts
only with the CSRF token of its session.
"""

from dataclasses import dataclass
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from counterfoil.app.entrance import Entrance
from counterfoil.app.home import Home
from counterfoil.app.log_lines import note_credential
from counterfoil.app.sessions import Session
from counterfoil.errors import RequestError
from counterfoil.policy.access import ANONYMOUS, Credential
from counterfoil.web import sessions
from counterfoil.web.site import Site

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Caller:
    """A checked credential; where a session brought it, that and the CSRF token of its forms."""

    credential: Credential
    csrf: str = ""
    session: Session | None = None


NOBODY: Final = Caller(ANONYMOUS)


class Door:
    """Finds out who calls one home."""

    def __init__(self, home: Home, site: Site, entrance: Entrance) -> None:
        self._home = home
        self._site = site
        self._entrance = entrance

    async def caller(self, request: Request) -> Caller:
        """Return who makes `request`.

        Raises:
            RequestError: `token_invalid`: a token or a scheme this server does not know.
                An unknown or ended session is nobody, not an error: its pages sign in again.
                `csrf`: a session that would change something without its CSRF header.
        """
        shown = request.headers.getlist("authorization")
        if len(shown) > 1:
            raise RequestError("token_invalid", "more than one Authorization header; send one")
        if shown:
            credential = self._bearer(shown[0])
            note_credential(credential.id)
            return Caller(credential)
        caller = await self.visitor(request)
        if caller.csrf and request.method not in _SAFE_METHODS:
            token = request.headers.get(sessions.CSRF_HEADER, "")
            if not sessions.csrf_matches(caller.csrf, token):
                raise RequestError(
                    "csrf",
                    "a session may not do this without its X-Counterfoil-CSRF header; "
                    "reload the page, or use a token",
                )
        return caller

    async def visitor(self, request: Request, *, watching: bool = False) -> Caller:
        """Return whose session the request's cookie names, or nobody.

        Args:
            request: what came.
            watching: it only waits for news, which keeps no session alive.
        """
        cookie = sessions.cookie_of(request, self._site)
        if not cookie:
            return NOBODY
        found = self._entrance.sessions.find
        session = await run_in_threadpool(found, cookie, watching=watching)
        credential = self._entrance.credential(session) if session is not None else None
        if credential is None:
            return NOBODY
        note_credential(credential.id)
        return Caller(credential, sessions.csrf_token(cookie), session)

    def ended(self, request: Request) -> Credential | None:
        """Return whose token a request shows that lets nobody in any more, None for any other."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self._home.tokens.ended(token.strip()) if scheme.lower() == "bearer" else None

    async def still(self, request: Request) -> Credential | None:
        """Return what came with a request that is still being answered, as it is now.

        None for a token that lets nobody in any more.  To ask is no use of it.
        """
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return self._find(authorization)
        return (await self.visitor(request, watching=True)).credential

    def _find(self, authorization: str) -> Credential | None:
        scheme, _, token = authorization.partition(" ")
        shown = token.strip()
        found = self._home.tokens.find(shown) or self._home.jobs.find(shown)
        return found if scheme.lower() == "bearer" else None

    def _bearer(self, authorization: str) -> Credential:
        found = self._find(authorization)
        if found is None:
            raise RequestError(
                "token_invalid", "this token is unknown here, over or revoked; ask for another one"
            )
        self._home.tokens.note_used(found.id)
        return found
