import pytest

from counterfoil.errors import RequestError
from counterfoil.policy.policy_set import PolicySet, builtin
from counterfoil.policy.upload import Unknown, check_upload, diff, idle, replay, unknown_names
from tests.policy.asking import ask

READ = ask("read", "run", ("viewer",))
APPROVE = ask("approve", "approval", ("approver",))
REFUSED = ask("reed", "run")
STORED = (READ, REFUSED, APPROVE)


def test_a_set_that_fails_on_a_stored_request_is_refused() -> None:
    """It passes the schema: only a request shows that it would deny everybody."""
    text = builtin().text + (
        '@id("fails") @reason("fails") permit (principal, action == Action::"approve", resource)\n'
        "when { 9223372036854775807 * 2 > 0 };"
    )

    assert check_upload(text, [READ, REFUSED]).policies["fails"].effect == "permit"
    with pytest.raises(RequestError) as refusal:
        check_upload(text, STORED)

    assert refusal.value.code == "policy_refused"
    assert refusal.value.facts == {"request": APPROVE.digest}
    assert "approve approval" in refusal.value.message
    assert "`fails`" in refusal.value.message


def test_a_set_that_does_not_parse_is_refused_before_any_request_is_asked() -> None:
    with pytest.raises(RequestError) as refusal:
        check_upload("permit (principal, action resource);", STORED)

    assert refusal.value.facts == {"line": 1, "column": 27, "position": 26}


def test_an_odd_stored_request_is_no_fault_of_the_candidate() -> None:
    """Attempts are stored too, with verbs that never were."""
    assert check_upload(builtin().text, [REFUSED]).digest == builtin().digest


def test_a_replay_names_what_is_answered_otherwise() -> None:
    stricter = PolicySet.parse(
        builtin().text
        + '@id("m") @reason("only maintainers") forbid (principal, action == Action::"approve",'
        + ' resource) unless { principal in Team::"maintainers" };'
    )

    [change] = replay(builtin(), stricter, STORED)
    [back] = replay(stricter, builtin(), STORED)

    assert change.request == APPROVE
    assert (change.before.allowed, change.after.allowed) == (True, False)
    assert change.after.reasons == ("only maintainers",)
    assert (back.before, back.after) == (change.after, change.before)


def test_a_replay_under_the_same_policies_changes_nothing() -> None:
    assert replay(builtin(), builtin(), STORED) == ()


def test_a_diff_shows_the_lines_that_change() -> None:
    text = builtin().text
    changed = text.replace("a viewer reads", "a viewer looks")

    lines = diff(text, changed).splitlines()

    assert lines[:2] == ["--- in force", "+++ candidate"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        '-@reason("a viewer reads")',
        '+@reason("a viewer looks")',
    ]
    assert diff(text, text) == ""


def test_names_nobody_has_are_pointed_out_with_their_policy() -> None:
    policies = PolicySet.parse(
        '@id("a") @reason("a")\n'
        'permit (principal in Team::"maintaners", action, resource in Project::"shop");\n'
        '@id("b") @reason("b") permit (principal in Team::"qa", action, resource)\n'
        'when { resource in Component::"crat" && !(resource in Tier::"testing") };'
    )
    known = {"Team": {"maintainers", "qa"}, "Project": {"shop"}, "Component": ["cart"]}

    assert unknown_names(policies, known) == (
        Unknown("a", 1, "Team", "maintaners"),
        Unknown("b", 3, "Component", "crat"),
    )
    assert unknown_names(policies, {"Project": ()}) == (Unknown("a", 1, "Project", "shop"),)
    assert unknown_names(builtin(), {"Team": (), "Project": (), "Component": ()}) == ()


def test_policies_that_decided_nothing_are_pointed_out() -> None:
    quiet = idle(builtin(), STORED)

    assert set(builtin().policies) - set(quiet) == {"viewer", "approver"}
    assert list(quiet) == [name for name in builtin().policies if name in quiet]
