"""What a grant, a membership or a deputy gives to whom, looked at before it is recorded.

What must hold, by whatever way a role comes: nobody is an auditor and something else; and whoever
gives a role may give roles, be it by a grant, by a place in a team that has one, or by letting
somebody stand in for who has one.  Both are asked while the directory is held still.
"""

from counterfoil.app.actions import Acting
from counterfoil.clock import format_time
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.policy.access import LOG
from counterfoil.policy.separation import Way, Ways, auditing_words, newly_beside, ways_of


def check_grant(acting: Acting, holder: str, role: Way) -> None:
    """Refuse a grant to an actor or a team that makes somebody an auditor and something else.

    Raises:
        RequestError: `role_conflict`.
    """
    before = ways_of(acting.home.access.directory)
    _refuse_auditing(acting, before, before.granting(holder, role), holder)


def check_member(acting: Acting, actor: str, team: Way) -> None:
    """Refuse a membership that gives what may not be, or what the caller may not give.

    Raises:
        RequestError: `not_allowed`, `role_conflict`.
    """
    before = ways_of(acting.home.access.directory)
    if before.gives(team.to, _now(acting)):
        acting.home.access.require(acting.credential, "roles", LOG)
    _refuse_auditing(acting, before, before.joining(actor, team), actor)


def check_deputy(acting: Acting, deputy: str, other: Way) -> None:
    """Refuse a deputy to whom that gives what may not be, or what the caller may not give.

    Raises:
        RequestError: `not_allowed`, `role_conflict`.
    """
    before = ways_of(acting.home.access.directory)
    if before.gives(other.to, _now(acting)):
        acting.home.access.require(acting.credential, "roles", LOG)
    _refuse_auditing(acting, before, before.standing_in(deputy, other), deputy)


def shortfall_of(acting: Acting, role: str, project: str, tier: str, component: str) -> str:
    """Say which verbs of a role a scope never reaches under the policies in force, "" for none."""
    from counterfoil.policy.reach import shortfall  # noqa: PLC0415  heavy, and late

    try:
        policies = acting.home.access.policies()
    except CounterfoilError:
        return ""  # what is in force cannot be read: nothing is given anywhere, and that is said
    return shortfall(policies, role, project=project, tier=tier, component=component)


def _refuse_auditing(acting: Acting, before: Ways, after: Ways, holder: str) -> None:
    directory = acting.home.access.directory
    found = newly_beside(before, after, after.reached(holder), _now(acting))
    if found is not None:
        who, roles = found
        actor = directory.actors.get(who)
        handle = (actor.handle if actor is not None else "") or who
        raise RequestError("role_conflict", auditing_words(handle, roles))


def _now(acting: Acting) -> str:
    return format_time(acting.home.clock.now())
