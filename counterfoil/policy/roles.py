"""Roles out of the box: their names, what they are for, and which do not go together.

What a role may do stands in `builtin.cedar`, and as a table in docs/access.md.  A grant gives a
role to an actor or a team in a scope; which roles are effective at an object is worked out by
whoever builds the request (`request.Principal`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

ROLES: Final[Mapping[str, str]] = {
    "viewer": "reads",
    "developer": "records work, asks for approvals, takes findings",
    "tester": "records tests, assigns findings, quarantines tests",
    "approver": "answers requests for approval",
    "release-manager": "brings releases out: asks for approvals, answers those of others, exports",
    "environment-owner": "answers for environments: audits, gates, waivers, findings",
    "auditor": "reads everything, personal values too, and writes reviews only",
    "administrator": "runs the ledger: people, roles, tokens, trust, policies, keys; approves nothing",
    "producer": "a machine that records and reports",
}

# An auditor who also writes would look at his own work.
_BESIDE_AUDITOR: Final = frozenset({"auditor", "viewer"})


def conflicts(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the roles that may not stand beside `auditor`, sorted; () when all go together.

    Asked before a grant is made: the policies would deny such a person everything but an
    auditor's reading and reviewing, giving roles included.

    >>> conflicts(["auditor", "viewer", "tester"])
    ('tester',)
    """
    held = frozenset(roles)
    return tuple(sorted(held - _BESIDE_AUDITOR)) if "auditor" in held else ()
