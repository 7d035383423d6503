"""Tokens made and revoked."""

from datetime import timedelta
from typing import Final

from counterfoil.app.acting_people import ensure_service, require_holder
from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.tokens import check_scope
from counterfoil.clock import format_time
from counterfoil.errors import RequestError

DAYS_DEFAULT: Final = 90
DAYS_MAX: Final = 366


class Issuing(Given, frozen=True, kw_only=True):
    """A token for a program.

    Attributes:
        name: what people call it.
        holder: the handle of the actor it acts for: a service, an agent, or whoever makes it; a
            service of the token's name where left out.
        projects: where it is good; `*` for everywhere.
        verbs: what it is good for.
        sources: prefixes of the event source it may speak as; none for all.
        days: how long it lasts, 1 to 366.
    """

    name: str
    projects: tuple[str, ...]
    verbs: tuple[str, ...] = ("record", "report")
    holder: str = ""
    sources: tuple[str, ...] = ()
    days: int = DAYS_DEFAULT


class Issued(Done, frozen=True, kw_only=True):
    """The token, shown this once; `id` is its name for ever."""

    id: str
    token: str
    until: str


class Revoking(Given, frozen=True, kw_only=True):
    """A token to end."""

    token: str
    reason: str = ""


def issue(acting: Acting) -> Issued:
    """Make a token and show it.

    If we crash between the event and the digest, the token lets nobody in: make another one.

    Raises:
        RequestError: `usage`, `actor_unknown`, `not_allowed`: for another person.
    """
    given: Issuing = acting.given
    home = acting.home
    check_scope(given.projects, (log.project for log in home.log.projects()), given.verbs)
    if not 1 <= given.days <= DAYS_MAX:
        raise RequestError("usage", f"a token lasts 1 to {DAYS_MAX} days, not {given.days}")
    until = format_time(home.clock.now() + timedelta(days=given.days))
    with home.access.changing():
        holder, made = (given.holder, ()) if given.holder else ensure_service(
            acting, given.name, given.projects
        )  # fmt: skip
        require_holder(acting, holder)
        token, secret = home.tokens.fresh()
        entries = acting.enact(
            "token.issued",
            token,
            {
                "name": given.name, "projects": list(given.projects), "verbs": list(given.verbs),
                "sources": list(given.sources), "until": until,
            },
            ((home.access.account_ref(holder), "holder"),),
        )  # fmt: skip
        home.tokens.keep(token, secret)
        home.access.spread()
    return Issued(
        said=f"{given.name} is {token}, good until {until}: it is shown this once",
        entries=(*made, *entries),
        id=token,
        token=secret,
        until=until,
    )


def revoke(acting: Acting) -> Done:
    """End a token.

    Raises:
        RequestError: `not_found`.
    """
    given: Revoking = acting.given
    home = acting.home
    with home.access.changing() as directory:
        found = directory.tokens.get(given.token)
        if found is None or found.revoked >= 0:
            raise RequestError("not_found", f"no token {given.token[:40]!a} is in use")
        holder = directory.actors[found.holder]
        named = ((home.access.account_ref(holder.handle), "holder"),) if holder.handle else ()
        entries = acting.enact("token.revoked", found.id, {"reason": given.reason or None}, named)
    return Done(said=f"{found.id} ({found.name}) lets nobody in any more", entries=entries)


ACTIONS: Final = (
    Action(
        name="token-issue", verb="tokens", takes=Issuing, gives=Issued, run=issue,
        doc="Make a token for a program: scoped, expiring, shown once.",
    ),
    Action(
        name="token-revoke", verb="tokens", takes=Revoking, gives=Done, run=revoke,
        doc="End a token.",
    ),
)  # fmt: skip
