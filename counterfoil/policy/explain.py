"""Why an answer is what it is, and what would make it another: `admin access explain`.

What would make it pass is found by asking the engine: the same request with one more role, one
more team, a fresh verification, or two of these, and only what the engine then allows is said.  So
the advice is true under any policies, however they are written.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

import msgspec

from counterfoil.policy.denial import where
from counterfoil.policy.engine import decide
from counterfoil.policy.policy_set import Policy, PolicySet
from counterfoil.policy.request import TEAM, Request
from counterfoil.policy.roles import ROLES, conflicts
from counterfoil.policy.trees import groups_named

# Questions to the engine an explanation may cost: half a second under a thousand policies.
TRIES_MAX: Final = 400
PASSING_MAX: Final = 12


class Explanation(msgspec.Struct, frozen=True):
    """An answer with its grounds.

    Args:
        allowed: yes or no, as `engine.decide` says.
        reasons: its lines for people.
        deciding: the policies that decided, with their lines and text; () if none applied.
        roles: the roles that were considered: those effective at the object.
        teams: the teams that were considered.
        would_pass: each one thing that would turn a no into a yes; () on a yes.
        policy_digest: SHA-256 of the policy text.
        request_digest: SHA-256 of the stored request; "" where it cannot be stored.
        errors: what failed while policies were evaluated.
    """

    allowed: bool
    reasons: tuple[str, ...]
    deciding: tuple[Policy, ...]
    roles: tuple[str, ...]
    teams: tuple[str, ...]
    would_pass: tuple[str, ...]
    policy_digest: str
    request_digest: str
    errors: tuple[str, ...] = ()


def explain(policies: PolicySet, request: Request) -> Explanation:
    """Explain what `decide` answers.

    Raises:
        RequestError: `attribute_invalid`, when a name in the request is no Unicode text.

    Cost: up to 400 decisions for a no; one for a yes.
    """
    decision = decide(policies, request)
    return Explanation(
        allowed=decision.allowed,
        reasons=decision.reasons,
        deciding=tuple(policies.policies[name] for name in decision.policies),
        roles=tuple(sorted(set(request.principal.roles))),
        teams=tuple(sorted(set(request.principal.teams))),
        would_pass=() if decision.allowed else _would_pass(policies, request),
        policy_digest=policies.digest,
        request_digest=request.digest,
        errors=decision.errors,
    )


def _would_pass(policies: PolicySet, request: Request) -> tuple[str, ...]:
    """Return the smallest changes that lead to a yes: single ones, else pairs."""
    changes = list(_changes(policies, request))
    tried = 0
    for size in (1, 2):
        passing: list[str] = []
        for chosen in combinations(changes, size):
            tried += 1
            if tried > TRIES_MAX or len(passing) == PASSING_MAX:
                break
            changed = request
            for _, change in chosen:
                changed = _merged(changed, change)
            if decide(policies, changed).allowed:
                passing.append(" and ".join(words for words, _ in chosen))
        if passing:
            return tuple(passing)
    return ()


class _Change(msgspec.Struct, frozen=True):
    """What is added to a request to see whether it helps."""

    role: str = ""
    team: str = ""
    verified: bool = False
    confirmed: bool = False


def _changes(policies: PolicySet, request: Request) -> Iterator[tuple[str, _Change]]:
    """Yield what could be added, in words and as a change."""
    principal = request.principal
    if not request.context.verified and principal.kind == "person":
        yield "verify again (step-up)", _Change(verified=True)
    if request.context.confirmed is not True and principal.kind == "person":
        yield "have another person confirm it", _Change(confirmed=True)
    for role in ROLES:
        # Nobody is advised into two roles that may not be given together.
        if role not in principal.roles and not conflicts((*principal.roles, role)):
            yield f"have the role {role} {where(request.object)}", _Change(role=role)
    named = groups_named(tuple(policies.trees.values()))
    for team in sorted(name for kind, name in named if kind == "Team"):
        if f"{TEAM}{team}" not in principal.teams:
            yield f"be in the team {team}", _Change(team=f"{TEAM}{team}")


def _merged(request: Request, change: _Change) -> Request:
    principal, context = request.principal, request.context
    if change.role:
        principal = msgspec.structs.replace(principal, roles=(*principal.roles, change.role))
    if change.team:
        principal = msgspec.structs.replace(principal, teams=(*principal.teams, change.team))
    if change.verified:
        context = msgspec.structs.replace(context, verified=True)
    if change.confirmed:
        context = msgspec.structs.replace(context, confirmed=True)
    return msgspec.structs.replace(request, principal=principal, context=context)
