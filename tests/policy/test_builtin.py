"""What the policies out of the box enforce, and that they say what docs/access.md says."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from counterfoil.policy.engine import Decision, decide
from counterfoil.policy.policy_set import builtin
from counterfoil.policy.request import ACTOR_KINDS, CREDENTIALS, Context, Principal, Request
from counterfoil.policy.roles import ROLES
from counterfoil.policy.verbs import KINDS, VERBS
from tests.policy import oracle
from tests.policy.asking import ANA, BO, ask, place


def answer(request: Request) -> Decision:
    return decide(builtin(), request)


def test_a_developer_asks_and_does_not_approve() -> None:
    assert answer(ask("request", "approval", ("developer",))).allowed
    assert answer(ask("approve", "approval", ("developer",))).reasons == (
        "needs one of the roles: approver, release-manager in project shop, tier production",
    )


def test_whoever_changed_a_gate_in_the_last_day_does_not_approve_under_it() -> None:
    changed = ask("approve", "approval", ("approver",), gate_changers=(BO, ANA))

    assert answer(changed) == Decision(
        False,
        ("whoever changed a gate here may not approve under it for 24 hours",),
        ("approve-not-under-own-gate",),
    )
    assert answer(ask("approve", "approval", ("approver",), gate_changers=(BO,))).allowed


def test_nobody_approves_their_own_work() -> None:
    assert answer(ask("approve", "approval", ("approver",), authors=(ANA,))).policies == (
        "approve-not-own",
    )
    assert answer(ask("approve", "approval", ("approver",), authors=(BO,))).allowed


@pytest.mark.parametrize("kind", [kind for kind in ACTOR_KINDS if kind != "person"])
@pytest.mark.parametrize("first", [False, True])
def test_only_persons_approve(kind: str, first: bool) -> None:
    """Even on the first day: an approval without a person behind it is no evidence."""
    asked = ask(
        "approve", "approval", tuple(ROLES), actor_kind=kind, credential="token", first=first
    )

    decision = answer(asked)

    assert not decision.allowed
    assert "approve-persons-only" in decision.policies


def test_all_roles_together_exempt_nobody_from_a_forbid() -> None:
    held = tuple(role for role in ROLES if role != "auditor")

    assert answer(ask("approve", "approval", held)).allowed
    assert not answer(ask("approve", "approval", held, authors=(ANA,))).allowed
    assert not answer(ask("approve", "approval", held, gate_changers=(ANA,))).allowed
    assert not answer(ask("approve", "approval", held, verified=False)).allowed


def test_an_auditor_with_other_roles_still_writes_nothing_but_reviews() -> None:
    held = ("auditor", "tester", "administrator")

    assert answer(ask("review", "release", held)).allowed
    assert answer(ask("report", "project", held)).policies == ("auditor-writes-reviews-only",)
    assert not answer(ask("roles", "ledger", held)).allowed


@pytest.mark.parametrize("credential", ["token", "session", "local"])
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "approve"])
def test_until_somebody_is_enrolled_the_administrators_token_may_do_all(
    verb: str, credential: str
) -> None:
    kind = VERBS[verb].kinds[0]
    first = ask(verb, kind, actor_kind="nobody", credential=credential, verified=False, first=True)
    later = ask(
        verb, kind, ("administrator",), actor_kind="nobody", credential=credential, verified=False
    )

    assert answer(first).allowed
    assert answer(later).allowed == oracle.may(later)


@pytest.mark.parametrize(
    "credential", [c for c in CREDENTIALS if c not in {"token", "session", "local"}]
)
def test_the_first_start_is_nobody_elses(credential: str) -> None:
    asked = ask("people", "ledger", actor_kind="nobody", credential=credential, first=True)

    assert not answer(asked).allowed


def test_a_person_is_not_the_administrators_token_on_the_first_day() -> None:
    assert not answer(ask("people", "ledger", credential="token", first=True)).allowed


def test_a_machine_with_an_administrators_role_does_nothing_sensitive() -> None:
    """Nobody can be asked to show a passkey, so a stolen token would be enough."""
    asked = ask("roles", "ledger", ("administrator",), actor_kind="service", credential="token")

    assert answer(asked).policies == ("sensitive-verified",)


def requests() -> st.SearchStrategy[Request]:
    """Return requests of every kind, about one project, by and about two actors."""
    some = st.lists(st.sampled_from([ANA, BO]), max_size=2).map(tuple)
    return st.builds(
        Request,
        st.builds(
            Principal,
            st.just(ANA),
            st.sampled_from(ACTOR_KINDS),
            st.lists(st.sampled_from(sorted(ROLES)), max_size=3).map(tuple),
            st.lists(st.sampled_from(["team:maintainers", "team:qa"]), max_size=1).map(tuple),
        ),
        st.sampled_from(sorted(VERBS)),
        st.sampled_from(KINDS).map(place),
        st.builds(Context, st.sampled_from(CREDENTIALS), st.booleans(), st.booleans(), some, some),
    )


@given(asked=requests())
@settings(derandomize=True, max_examples=1500, deadline=None)
def test_cedar_and_the_table_agree(asked: Request) -> None:
    """Two readings of docs/access.md, one of them in Cedar, give one answer."""
    assert answer(asked).allowed == oracle.may(asked)


@given(asked=requests())
@settings(derandomize=True, max_examples=300, deadline=None)
def test_nothing_is_allowed_unless_a_permit_of_a_held_role_says_so(asked: Request) -> None:
    decision = answer(asked)

    if decision.allowed:
        assert set(decision.policies) <= {*asked.principal.roles, "first-start"}
        assert decision.policies


def test_every_policy_decides_something() -> None:
    """A policy that can never apply misleads whoever reads it."""
    asked = [
        ask(verb, kind, (role,), actor_kind=actor_kind, credential=credential,
            verified=False, first=True, authors=(ANA,), gate_changers=(ANA,))
        for role in ROLES
        for verb, known in VERBS.items()
        for kind in known.kinds[:1]
        for actor_kind, credential in (("person", "session"), ("nobody", "token"))
    ]  # fmt: skip
    deciding = {name for one in asked for name in answer(one).policies}

    assert deciding == set(builtin().policies)
