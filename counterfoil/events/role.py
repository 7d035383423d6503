"""Roles and rules: who may do what, and how it came to be so."""

from counterfoil.events.kinds import DIRECTORY, LISTED, own_type

_ADMIN = ("user", "counterfoil:ana-dev")
_DIGEST = "c5ad120fb9af314a4a45eb7c8934145087f995daff99968501683a0c84a79473"

TYPES = (
    own_type(
        "role.granted",
        noun="role",
        meaning="An actor or a team was given a role, somewhere, for a time.",
        title="granted {thing} the role[ {data.role}][ in project {data.project}][, tier {data.tier}]",
        row=DIRECTORY,
        subject="actor:counterfoil:bo-dev",
        data={
            "grant": "7c2a90e1b4d3",
            "role": "approver",
            "project": "default",
            "tier": "production",
            "component": "*",
            "until": "2027-01-01",
        },
        members={
            "grant": "names this grant when it is revoked",
            "role": "one of the roles of docs/access.md",
            "project": "where: a project, or `*` for all",
            "tier": "in environments of which tier, or `*`",
            "component": "for which component, or `*`",
            "since": "from when on, RFC 3339 or a date; at once if absent",
            "until": "up to when, exclusive; without an end if absent",
        },
        actor=_ADMIN,
    ),
    own_type(
        "role.revoked",
        noun="role",
        meaning="A grant ended.",
        title="revoked the role[ {data.role}] of {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject="actor:counterfoil:bo-dev",
        data={"grant": "7c2a90e1b4d3", "role": "approver", "reason": "changed teams"},
        members={
            "grant": "which grant",
            "role": "the role it gave",
            "reason": "why, free text",
        },
        actor=_ADMIN,
    ),
    own_type(
        "policy.activated",
        noun="role",
        meaning="A set of access policies is in force from here on.",
        title="put a policy set in force[: {data.reason}]",
        row=DIRECTORY,
        subject="policy:access",
        data={
            "digest": f"sha256:{_DIGEST}",
            "before": "builtin",
            "how": "uploaded",
            "reason": "only maintainers approve production",
            "blobs": [
                {
                    "digest": f"sha256:{_DIGEST}",
                    "name": "access.cedar",
                    "mediatype": "text/plain",
                }
            ],
        },
        members={
            "digest": "SHA-256 of the text, or `builtin` for the set that comes with the program",
            "before": "the digest of the set it takes the place of",
            "how": "`uploaded` or `rolled-back`",
            "reason": "why, free text",
        },
        actor=_ADMIN,
    ),
    own_type(
        "gate.changed",
        noun="role",
        meaning="Somebody changed what a gate asks for.",
        title="changed {thing}[: {data.reason}]",
        row=LISTED,
        subject="gate:production",
        data={"reason": "soak time from 30 to 20 minutes"},
        named=[("env:production", "target")],
        members={"reason": "why, free text"},
        refs={"target": "the `env:` it guards"},
        actor=_ADMIN,
    ),
)
