from counterfoil.policy.engine import decide
from counterfoil.policy.explain import explain
from counterfoil.policy.policy_set import PolicySet, builtin
from tests.policy.asking import ANA, ask


def test_a_yes_names_the_policy_with_its_line_and_text() -> None:
    asked = ask("approve", "approval", ("approver", "viewer"), teams=("team:qa",))

    said = explain(builtin(), asked)

    [policy] = said.deciding
    lines = builtin().text.splitlines()
    assert said.allowed
    assert policy.id == "approver"
    assert lines[policy.line - 1] == '@id("approver")'
    assert policy.source in builtin().text
    assert (said.roles, said.teams) == (("approver", "viewer"), ("team:qa",))
    assert said.would_pass == ()
    assert said.policy_digest == builtin().digest
    assert said.request_digest == asked.digest


def test_a_no_says_each_role_that_would_do() -> None:
    said = explain(builtin(), ask("approve", "approval", ("developer",)))

    assert not said.allowed
    assert said.would_pass == (
        "have the role approver in project shop, tier production",
        "have the role release-manager in project shop, tier production",
    )


def test_what_takes_two_steps_is_said_as_two() -> None:
    said = explain(builtin(), ask("keys", "ledger", ("viewer",), verified=False))

    assert said.would_pass == (
        "verify again (step-up) and have the role administrator in the ledger",
    )


def test_a_verification_is_enough_where_only_that_is_lacking() -> None:
    said = explain(builtin(), ask("approve", "approval", ("approver",), verified=False))

    assert said.would_pass == ("verify again (step-up)",)
    assert {policy.id for policy in said.deciding} == {"approve-verified", "sensitive-verified"}


def test_where_nothing_would_help_nothing_is_promised() -> None:
    said = explain(builtin(), ask("approve", "approval", ("approver",), authors=(ANA,)))

    assert said.would_pass == ()
    assert said.reasons == ("nobody approves what they wrote, committed or asked for",)


def test_nobody_is_advised_into_roles_that_do_not_go_together() -> None:
    assert explain(builtin(), ask("review", "run", ("tester",))).would_pass == ()
    assert explain(builtin(), ask("review", "run")).would_pass == (
        "have the role auditor in project shop, tier production",
    )


def test_teams_of_own_policies_are_tried() -> None:
    """Whatever the form of the condition: it is tried, not read."""
    policies = PolicySet.parse(
        builtin().text
        + '@id("m") @reason("only maintainers") forbid (principal, action == Action::"approve",'
        + ' resource in Tier::"production") unless { principal in Team::"maintainers" };'
    )
    asked = ask("approve", "approval", ("approver",))

    said = explain(policies, asked)

    assert said.reasons == ("only maintainers",)
    assert said.would_pass == ("be in the team maintainers",)
    assert decide(policies, ask("approve", "approval", ("approver",), tier="staging")).allowed


def test_an_explanation_agrees_with_the_decision_on_failures() -> None:
    policies = PolicySet.parse(
        '@id("p") @reason("p") permit (principal, action, resource);'
        '@id("f") @reason("f") forbid (principal, action, resource)'
        " when { 9223372036854775807 + 1 > 0 };"
    )
    said = explain(policies, ask("read", "run"))

    assert not said.allowed
    assert len(said.errors) == 1
    assert said.would_pass == ()
