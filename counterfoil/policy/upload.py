"""Before policies change: does the candidate work on what was asked before, and what would change.

A policy that parses and fits the schema can still fail when it is evaluated, by an integer that
overflows for example.  A failing policy denies (`engine`), so under such a set everybody could be
locked out: it is refused while the policies in force are still in force.
"""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec
from cedarpy import pst

from counterfoil.errors import RequestError
from counterfoil.policy.engine import Decision, decide
from counterfoil.policy.policy_set import PolicySet
from counterfoil.policy.request import Request
from counterfoil.policy.trees import as_uid

# Types of entities whose names are the users' own, so that the schema cannot know them.
NAMED: Final = ("Team", "Project", "Component")


class Change(msgspec.Struct, frozen=True):
    """A stored request that is answered otherwise.

    Args:
        request: as it was asked.
        before: the answer under the policies in force.
        after: the answer under the candidate.
    """

    request: Request
    before: Decision
    after: Decision


class Unknown(msgspec.Struct, frozen=True):
    """A name in a policy that nobody and nothing has: most likely a typo.

    Args:
        policy: `@id` of the policy.
        line: where it begins, counted from 1.
        kind: "Team", "Project" or "Component".
        name: as written.
    """

    policy: str
    line: int
    kind: str
    name: str


def check_upload(text: str, requests: Iterable[Request]) -> PolicySet:
    """Return the candidate as a policy set, after trying it on stored requests.

    Args:
        text: the candidate.
        requests: those asked lately, in any order; refused ones too.

    Raises:
        RequestError: `policy_refused`.  The text breaks a rule of `PolicySet.parse`; or a policy
            fails on a request, then the fact `request` is the request's digest.

    Cost: one decision a request.
    """
    candidate = PolicySet.parse(text)
    for request in requests:
        errors = decide(candidate, request).errors
        if errors:
            raise RequestError(
                "policy_refused",
                f"a policy fails on request {request.digest[:12]} ({request.verb} "
                f"{request.object.kind}): {errors[0][:200]}",
                request=request.digest,
            )
    return candidate


def replay(before: PolicySet, after: PolicySet, requests: Iterable[Request]) -> tuple[Change, ...]:
    """Return the requests that are allowed under one set and denied under the other, in order."""
    changes = (
        Change(request, decide(before, request), decide(after, request)) for request in requests
    )
    return tuple(one for one in changes if one.before.allowed != one.after.allowed)


def unknown_names(policies: PolicySet, known: Mapping[str, Collection[str]]) -> tuple[Unknown, ...]:
    """Return the names in a set that are none of `known`, in the order of the text.

    No refusal: a policy may be written before the team it speaks of is made.

    Args:
        policies: the candidate.
        known: the names there are, by kind: "Team" (without `team:`), "Project", "Component".
            Kinds that are left out are not looked at.
    """
    found = []
    for policy in policies.policies.values():
        uids = (as_uid(uid) for uid in pst.entity_uids(policies.trees[policy.id]))
        found += [
            Unknown(policy.id, policy.line, kind, name)
            for kind, name in sorted(uids)
            if kind in NAMED and name not in known.get(kind, (name,))
        ]
    return tuple(found)


def idle(policies: PolicySet, requests: Iterable[Request]) -> tuple[str, ...]:
    """Return the `@id` of policies that decided none of the requests, in the order of the text.

    Cost: one decision a request.
    """
    decided = {name for request in requests for name in decide(policies, request).policies}
    return tuple(name for name in policies.policies if name not in decided)


def diff(before: str, after: str) -> str:
    """Return what changes between two policy texts, as a unified diff; "" when nothing does."""
    return "\n".join(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), "in force", "candidate", lineterm=""
        )
    )
