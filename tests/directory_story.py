"""A directory with one of everything that the pages about access show."""

from typing import Any

from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import ADMIN

LONG = "dana-with-a-rather-long-handle.acme"
RULE: dict[str, JSON] = {
    "kind": "github",
    "issuer": "https://token.actions.githubusercontent.com",
    "audience": "https://foil.example",
    "claims": {
        "repository_id": "74",
        "job_workflow_ref": "acme/ci/.github/workflows/record.yml@refs/heads/main",
    },
    "projects": ["default"],
    "verbs": ["record", "report"],
    "sources": [],
    "session_s": 900,
}


def fill(home: Home) -> None:
    """Describe people, a service, an agent and a team, and give them things."""

    def do(name: str, /, **given: Any) -> Any:
        return act(home, ADMIN, name, given, "api")

    for handle in ("ana", "bo", "cy", LONG):
        do("actor-describe", handle=handle)
    do("actor-describe", handle="shop-ci", kind="service", behalf="ana")
    do("actor-describe", handle="helper", kind="agent", behalf="bo")
    do("account-link", handle="ana", account="forge.example:ana-dev")
    do("account-link", handle="ana", account="mail:ana@acme.example", since="2026-01-01")
    do("role-grant", to="bo", role="developer", project="default")
    do("role-grant", to="bo", role="approver", project="default", tier="staging")
    do("role-grant", to="cy", role="auditor")
    do("token-issue", name="shop-nightly", projects=["default"], days=10)
    gone = do("token-issue", name="gone", projects=["*"], holder="shop-ci")
    do("token-revoke", token=gone.id, reason="found in a build log")
    ana, bo = (f"actor:counterfoil:{handle}" for handle in ("ana", "bo"))
    turns: dict[str, JSON] = {"title": "Payments", "turns_from": "2026-11-02", "turn_days": 7}
    happened: list[tuple[str, str, dict[str, JSON], tuple[tuple[str, str], ...]]] = [
        ("team.described", "team:payments", turns, ((ana, "turn"), (bo, "turn"))),
        ("member.joined", "team:payments", {}, ((ana, "member"),)),
        ("deputy.named", ana, {"until": "2099-12-15"}, ((bo, "deputy"),)),
        ("invitation.made", bo, {"invitation": "a1c27be09d54", "until": "2099-11-24"}, ()),
        ("trust.added", "trust:3e9a41c07d58", RULE, (("actor:counterfoil:shop-ci", "holder"),)),
    ]
    home.access.enact(
        [
            home.access.event(what, ADMIN, subject=subject, data=data, named=named)
            for what, subject, data, named in happened
        ],
        ADMIN,
    )
    do("role-grant", to="team:payments", role="environment-owner", tier="production")
