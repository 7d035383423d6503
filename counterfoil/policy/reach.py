"""How far a grant reaches: which verbs of its role can be asked in its scope at all.

A grant for a tier or a component counts only where the thing in question has one.  A verb that is
asked of a whole project, or of the ledger (`Verb.asked`), is asked of nothing that has: a grant so
narrow gives it never, though the policies allow it.  Pure.
"""

from collections.abc import Iterable, Sequence

from counterfoil.policy.access import ALL
from counterfoil.policy.policy_set import PolicySet
from counterfoil.policy.trees import groups_asked
from counterfoil.policy.verbs import VERBS


def verbs_of(policies: PolicySet, role: str) -> tuple[str, ...]:
    """Return the verbs that some permit gives a role, read off the permits that name it."""
    return tuple(verb for verb in VERBS if role in roles_for(policies, verb))


def roles_for(policies: PolicySet, verb: str) -> frozenset[str]:
    """Return the roles that a permit of a verb names in any condition."""
    return frozenset(
        name
        for _, tree in policies.permits(verb)
        for kind, name in groups_asked(tree)
        if kind == "Role"
    )


def unreached(
    verbs: Iterable[str], *, project: str, tier: str, component: str
) -> dict[str, tuple[str, ...]]:
    """Return the verbs a scope never reaches, by what they are asked of: "ledger" or "project"."""
    out: dict[str, tuple[str, ...]] = {}
    narrow = (tier, component) != (ALL, ALL)
    for verb in verbs:
        asked = VERBS[verb].asked
        if (asked == "ledger" and (narrow or project != ALL)) or (asked == "project" and narrow):
            out[asked] = (*out.get(asked, ()), verb)
    return out


def shortfall(policies: PolicySet, role: str, *, project: str, tier: str, component: str) -> str:
    """Say which verbs of a role a scope never reaches, "" if it reaches all.

    Returns:
        Words that go on after "viewer in tier production".
    """
    verbs = verbs_of(policies, role)
    lost = unreached(verbs, project=project, tier=tier, component=component)
    if not lost:
        return ""
    why = "; ".join(f"{_listed(names)} asked of {_WHOLE[asked]}" for asked, names in lost.items())
    if sum(len(names) for names in lost.values()) == len(verbs):
        return f"that gives nothing: {why}"
    return f"that does not give all of it: {why}"


_WHOLE = {"project": "a whole project", "ledger": "the ledger as a whole"}


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
