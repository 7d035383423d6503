"""The built-in policies a second time, as plain Python: what Cedar is compared with.

Written from the words of docs/access.md, not from the Cedar text, and without any of its code.
"""

from counterfoil.policy.request import Request

EVERYWHERE = set(
    "ledger project environment component run test change release finding approval gate".split()  # noqa: SIM905  reads better
)
ABOUT = {
    "read": EVERYWHERE, "review": EVERYWHERE, "export": EVERYWHERE, "personal": EVERYWHERE,
    "record": {"project"}, "report": {"project"}, "webhook": {"project"},
    "request": {"approval"}, "approve": {"approval"}, "gate": {"gate"}, "assign": {"finding"},
    "quarantine": {"test"}, "audit": {"environment"}, "waive": {"finding", "gate"},
    "erase": {"ledger", "project"}, "hold": {"ledger", "project", "release"},
    "people": {"ledger"}, "roles": {"ledger", "project", "environment", "component"},
    "tokens": {"ledger", "project"}, "trust": {"ledger", "project"}, "policies": {"ledger"},
    "sessions": {"ledger"}, "sources": {"ledger", "project"}, "keys": {"ledger", "project"},
    "admin": {"ledger", "project"},
}  # fmt: skip
STEP_UP = {
    "approve", "waive", "erase", "hold", "people", "roles", "tokens", "trust", "policies",
    "sources", "keys",
}  # fmt: skip
AUDITING = {"read", "personal", "export", "review"}
MAY = {
    "viewer": {"read"},
    "developer": {"read", "record", "report", "request", "assign"},
    "tester": {"read", "record", "report", "assign", "quarantine"},
    "approver": {"read", "approve"},
    "release-manager": {"read", "record", "report", "request", "approve", "assign", "export"},
    "environment-owner": {"read", "audit", "gate", "waive", "assign"},
    "auditor": AUDITING,
    "administrator": {
        "read", "people", "roles", "tokens", "trust", "policies", "sessions", "sources", "keys",
        "erase", "hold", "admin",
    },
    "producer": {"record", "report", "webhook"},
}  # fmt: skip


def may(request: Request) -> bool:
    """Say what the built-in policies must answer to a well-formed request."""
    who, verb, context = request.principal, request.verb, request.context
    if request.object.kind not in ABOUT[verb]:
        return False
    bare = who.kind == "nobody"
    starting = context.first and bare and context.credential in {"token", "session", "local"}
    if not starting and not any(verb in MAY[role] for role in who.roles):
        return False
    if verb == "approve" and not (
        who.kind == "person"
        and context.verified
        and who.ref not in context.authors
        and who.ref not in context.gate_changers
    ):
        return False
    if "auditor" in who.roles and verb not in AUDITING:
        return False
    return verb not in STEP_UP or (
        (who.kind == "person" and context.verified)
        or context.credential == "local"
        or (bare and context.credential == "token")
        or (bare and context.credential == "session" and context.first)
    )
