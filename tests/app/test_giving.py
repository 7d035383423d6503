"""Nobody becomes an auditor and something else, and nobody gives a role they may not give."""

from typing import Any

import pytest

from counterfoil.app.actions import Done, act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock, format_time
from counterfoil.errors import RequestError
from counterfoil.policy.access import LOG, Credential
from tests.app.directories import HEAD, compare, take_over

# What makes bo an auditor and a developer, the last step last.
STEPS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "by two grants": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("role-grant", {"to": "bo", "role": "developer"}),
    ],
    "by a grant to a team they are in": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("member-join", {"team": "shop", "handle": "bo"}),
        ("role-grant", {"to": "team:shop", "role": "developer"}),
    ],
    "by joining a team": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("role-grant", {"to": "team:shop", "role": "developer"}),
        ("member-join", {"team": "shop", "handle": "bo"}),
    ],
    "by two grants to a team": [
        ("role-grant", {"to": "team:shop", "role": "auditor"}),
        ("role-grant", {"to": "team:shop", "role": "developer"}),
    ],
    "by standing in": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("role-grant", {"to": "ana", "role": "developer"}),
        ("deputy-name", {"handle": "ana", "deputy": "bo"}),
    ],
    "by standing in for who joins a team": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("role-grant", {"to": "team:shop", "role": "developer"}),
        ("deputy-name", {"handle": "ana", "deputy": "bo"}),
        ("member-join", {"team": "shop", "handle": "ana"}),
    ],
    "by standing in for who is in a team": [
        ("role-grant", {"to": "bo", "role": "developer"}),
        ("member-join", {"team": "shop", "handle": "ana"}),
        ("deputy-name", {"handle": "ana", "deputy": "bo"}),
        ("role-grant", {"to": "team:shop", "role": "auditor"}),
    ],
    "by a grant that is still to come": [
        ("role-grant", {"to": "bo", "role": "auditor", "since": "2027-01-01"}),
        ("role-grant", {"to": "bo", "role": "developer"}),
    ],
}  # fmt: skip
# The same, in time or otherwise, without a moment at which both hold.
APART: dict[str, list[tuple[str, dict[str, str]]]] = {
    "one after the other": [
        ("role-grant", {"to": "bo", "role": "auditor", "until": "2026-12-01"}),
        ("role-grant", {"to": "bo", "role": "developer", "since": "2026-12-01"}),
    ],
    "a team they leave before": [
        ("member-join", {"team": "shop", "handle": "bo", "until": "2026-12-01"}),
        ("role-grant", {"to": "bo", "role": "auditor", "since": "2026-12-01"}),
        ("role-grant", {"to": "team:shop", "role": "developer"}),
    ],
    "reading beside auditing": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("role-grant", {"to": "bo", "role": "viewer"}),
    ],
    "the deputy of a deputy": [
        ("role-grant", {"to": "bo", "role": "auditor"}),
        ("role-grant", {"to": "cy", "role": "developer"}),
        ("deputy-name", {"handle": "cy", "deputy": "ana"}),
        ("deputy-name", {"handle": "ana", "deputy": "bo"}),
    ],
}  # fmt: skip


def do(home: Home, action: str, /, **given: Any) -> Done:
    return act(home, LOCAL, action, given, "cli")


@pytest.fixture(autouse=True)
def known(home: Home) -> None:
    for handle in ("ana", "bo", "cy"):
        do(home, "actor-describe", handle=handle)
    do(home, "team-describe", team="shop")


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS.keys())
def test_whoever_audits_gets_no_other_role_by_any_way(
    home: Home, steps: list[tuple[str, dict[str, str]]]
) -> None:
    for name, given in steps[:-1]:
        do(home, name, **given)
    before = home.ledger.status(LOG).size
    name, given = steps[-1]

    with pytest.raises(RequestError, match="cannot be one and") as refused:
        do(home, name, **given)

    assert refused.value.code == "role_conflict"
    assert home.ledger.status(LOG).size == before


@pytest.mark.parametrize("steps", APART.values(), ids=APART.keys())
def test_roles_that_never_hold_together_are_given(
    home: Home, steps: list[tuple[str, dict[str, str]]]
) -> None:
    for name, given in steps:
        assert do(home, name, **given).entries


def test_an_auditor_whose_time_is_over_may_have_another_role(
    home: Home, clock: SteppedClock
) -> None:
    do(home, "role-grant", to="bo", role="auditor", until="2026-11-21")
    clock.step(86_400)

    assert do(home, "role-grant", to="bo", role="developer").entries


ROLE = "roles:\n  - {to: team:shop, role: developer}\n"
FILES = {
    "a role": (f"{HEAD}{ROLE}", 3),
    "a member": (f"{HEAD}teams:\n  - team: shop\n    members: [bo]\n{ROLE}", 6),
    "a deputy": (f"{HEAD}actors:\n  - handle: cy\n    deputies: [bo]\n{ROLE}", 4),
}


@pytest.mark.parametrize(("content", "line"), FILES.values(), ids=FILES.keys())
def test_a_file_that_makes_an_auditor_something_else_is_refused_by_its_line(
    home: Home, content: str, line: int
) -> None:
    do(home, "role-grant", to="bo", role="auditor")
    if line != 6:
        do(home, "member-join", team="shop", handle="bo" if line == 3 else "cy")
    if line == 4:
        do(home, "role-grant", to="team:shop", role="developer")
        content = content.removesuffix(ROLE)

    with pytest.raises(RequestError, match="bo cannot be one and developer") as refused:
        compare(home, content)

    assert refused.value.facts["line"] == line


def test_a_file_that_ends_the_one_way_gives_the_other(home: Home) -> None:
    do(home, "member-join", team="shop", handle="bo")
    do(home, "role-grant", to="team:shop", role="developer")
    content = (
        f"{HEAD}teams:\n  - team: shop\n    members: []\nroles:\n  - {{to: bo, role: auditor}}\n"
    )

    assert take_over(home, content).counts == {"leave": 1, "grant": 1}


# Who may give a role


PEOPLE_ONLY = """
@id("people-only") @reason("ana looks after people, and gives no roles")
permit (principal in Team::"people-desk", action == Action::"people", resource);
"""


@pytest.fixture
def ana(home: Home) -> Credential:
    """Somebody who may look after people, and gives no roles."""
    do(home, "team-describe", team="people-desk")
    do(home, "member-join", team="people-desk", handle="ana")
    do(home, "policy-activate", text=PEOPLE_ONLY, reason="x")
    do(home, "role-grant", to="team:shop", role="administrator")
    do(home, "role-grant", to="cy", role="administrator", since="2027-01-01")
    actor = home.access.require_actor("ana").ref
    now = format_time(home.clock.now())
    return Credential("session:ana", "session", "ana", actor=actor, verified=now)


GIVEN: dict[str, tuple[str, dict[str, Any]]] = {
    "a member of a team that has one": ("member-join", {"team": "shop", "handle": "ana"}),
    "a deputy of who has one": ("deputy-name", {"handle": "cy", "deputy": "ana"}),
    "a file with such a member": (
        "directory-diff", {"content": f"{HEAD}teams:\n  - team: shop\n    members: [ana]\n"}),
    "a file with such a deputy": (
        "directory-diff", {"content": f"{HEAD}actors:\n  - handle: cy\n    deputies: [ana]\n"}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "given"), GIVEN.values(), ids=GIVEN.keys())
def test_whoever_may_not_give_roles_gives_none_by_a_team_or_a_deputy(
    home: Home, ana: Credential, name: str, given: dict[str, Any]
) -> None:
    before = home.ledger.status(LOG).size

    with pytest.raises(RequestError, match="no policy allows roles") as refused:
        act(home, ana, name, given, "api")

    assert refused.value.code == "not_allowed"
    assert home.ledger.status(LOG).size == before


def test_whoever_may_not_give_roles_puts_people_into_teams_without_one(
    home: Home, ana: Credential
) -> None:
    act(home, ana, "team-describe", {"team": "lunch"}, "api")
    assert act(home, ana, "member-join", {"team": "lunch", "handle": "bo"}, "api").entries
    assert act(home, ana, "deputy-name", {"handle": "bo", "deputy": "ana"}, "api").entries
    file = f"{HEAD}teams:\n  - team: lunch\n    members: [bo, cy]\n"
    assert act(home, ana, "directory-diff", {"content": file}, "api").said.startswith("1 join")
    assert act(home, ana, "member-leave", {"team": "lunch", "handle": "bo"}, "api").entries


# Grants that give nothing


def test_whoever_gives_a_role_where_it_gives_nothing_is_told(home: Home) -> None:
    narrow = do(home, "role-grant", to="bo", role="viewer", tier="production")
    wide = do(home, "role-grant", to="bo", role="viewer", project="default")
    actor = home.access.require_actor("bo").ref
    bo = Credential("session:bo", "session", "bo", actor=actor)

    assert narrow.said == ("bo is viewer; that gives nothing: read is asked of a whole project")
    assert wide.said == "bo is viewer in default"
    assert home.access.decide(bo, "read", "default").allowed


def test_a_file_says_which_of_its_roles_give_nothing(home: Home) -> None:
    file = (
        f"{HEAD}roles:\n  - {{to: bo, role: viewer, tier: staging}}\n  - {{to: cy, role: viewer}}\n"
    )

    found = compare(home, file)

    assert [one.text for one in found.changes] == [
        "viewer in tier staging; that gives nothing: read is asked of a whole project", "viewer",
    ]  # fmt: skip
    assert take_over(home, file).counts == {"grant": 2}
