"""Roles given and taken."""

from typing import Final

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.giving import check_grant, shortfall_of
from counterfoil.app.moments import span_of
from counterfoil.errors import RequestError
from counterfoil.policy.access import ALL
from counterfoil.policy.places import TIERS
from counterfoil.policy.roles import ROLES
from counterfoil.policy.separation import Way

GRANT_BYTES: Final = 6
"""Of the id of a grant, wherever one is made."""


class Granting(Given, frozen=True, kw_only=True):
    """A role for somebody, somewhere, for a time.

    Attributes:
        to: a handle, or `team:NAME`.
        role: one of docs/access.md.
        project, tier, component: where; `*` for everywhere.
        since, until: RFC 3339 or a date.
    """

    to: str
    role: str
    project: str = ALL
    tier: str = ALL
    component: str = ALL
    since: str = ""
    until: str = ""


class Granted(Done, frozen=True, kw_only=True):
    """The grant that was made: its id takes it back."""

    grant: str


class Revoking(Given, frozen=True, kw_only=True):
    """A grant to end."""

    grant: str
    reason: str = ""


def grant(acting: Acting) -> Granted:
    """Give a role.

    Raises:
        RequestError: `actor_unknown`, `usage`, `role_conflict`.
    """
    given: Granting = acting.given
    home = acting.home
    if given.role not in ROLES:
        raise RequestError("usage", f"{given.role[:40]!a} is no role; they are {', '.join(ROLES)}")
    if given.tier not in {ALL, *TIERS}:
        raise RequestError("usage", f"{given.tier[:40]!a} is no tier; they are {', '.join(TIERS)}")
    if given.project != ALL:
        home.require_project(given.project)
    data = span_of(given.since, given.until)
    with home.access.changing():
        holder, subject = _holder(acting, given.to)
        check_grant(acting, holder, Way(given.role, data["since"] or "", data["until"] or ""))
        made = home.randomness.token(GRANT_BYTES).hex()
        entries = acting.enact(
            "role.granted",
            subject,
            {
                "grant": made, "role": given.role, "project": given.project, "tier": given.tier,
                "component": given.component, **data,
            },
        )  # fmt: skip
    where = "" if given.project == ALL else f" in {given.project}"
    lost = shortfall_of(acting, given.role, given.project, given.tier, given.component)
    said = f"{given.to} is {given.role}{where}" + (f"; {lost}" if lost else "")
    return Granted(said=said, entries=entries, grant=made)


def revoke(acting: Acting) -> Done:
    """Take a role back.

    Raises:
        RequestError: `not_found`.
    """
    given: Revoking = acting.given
    access = acting.home.access
    with access.changing() as directory:
        found = directory.grants.get(given.grant)
        if found is None:
            raise RequestError("not_found", f"there is no grant {given.grant[:40]!a}")
        if found.holder.startswith("team:"):
            subject = found.holder
        else:
            actor = directory.actors[found.holder]
            subject = access.account_ref(actor.handle) if actor.handle else found.holder
        data = {"grant": found.id, "role": found.role, "reason": given.reason or None}
        entries = acting.enact("role.revoked", subject, data)
    return Done(said=f"{found.role} taken back", entries=entries)


def _holder(acting: Acting, to: str) -> tuple[str, str]:
    """Return a holder as the directory names it, and as an event does."""
    access = acting.home.access
    if to.startswith("team:"):
        if to not in access.directory.teams:
            raise RequestError("actor_unknown", f"there is no {to[:80]}")
        return to, to
    actor = access.require_actor(to)
    return actor.ref, access.account_ref(to)


ACTIONS: Final = (
    Action(
        name="role-grant", verb="roles", takes=Granting, gives=Granted, run=grant,
        doc="Give somebody a role, somewhere, for a time.",
    ),
    Action(
        name="role-revoke", verb="roles", takes=Revoking, gives=Done, run=revoke,
        doc="Take a role back.",
    ),
)  # fmt: skip
