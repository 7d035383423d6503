"""docs/access.md is the expectation: every role, verb and kind of object is asked."""

import pytest

from counterfoil.policy.engine import decide
from counterfoil.policy.policy_set import builtin
from counterfoil.policy.request import Request
from counterfoil.policy.roles import ROLES
from counterfoil.policy.verbs import KINDS, SENSITIVE, VERBS
from tests.policy import access_doc
from tests.policy.asking import ask

DOCUMENTED = access_doc.allowed()


def answer(request: Request) -> bool:
    return decide(builtin(), request).allowed


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_its_cell_says_and_nothing_else(role: str, verb: str) -> None:
    said = {kind: answer(ask(verb, kind, (role,))) for kind in KINDS}

    expected = (role, verb) in DOCUMENTED
    assert said == {kind: expected and kind in VERBS[verb].kinds for kind in KINDS}


@pytest.mark.parametrize("verb", VERBS)
def test_without_a_role_nothing_is_allowed(verb: str) -> None:
    assert not any(answer(ask(verb, kind)) for kind in KINDS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_refusal_has_a_reason(verb: str) -> None:
    decisions = [decide(builtin(), ask(verb, kind)) for kind in KINDS]

    assert all(one.reasons and all(one.reasons) for one in decisions)


@pytest.mark.parametrize("verb", sorted(SENSITIVE))
@pytest.mark.parametrize("role", ROLES)
def test_a_sensitive_verb_needs_a_fresh_verification_in_every_role(role: str, verb: str) -> None:
    asked = [ask(verb, kind, (role,), verified=False) for kind in VERBS[verb].kinds]

    assert not any(answer(one) for one in asked)


def test_the_table_has_every_role_and_verb_once() -> None:
    head, *rows = access_doc.table("What each role may do")

    assert head[1:] == list(ROLES)
    assert [row[0] for row in rows] == list(VERBS)


def test_the_table_of_verbs_says_what_the_code_says() -> None:
    _, *rows = access_doc.table("Verbs")

    assert [row[0] for row in rows] == list(VERBS)
    for name, means, about, asked, step_up in rows:
        verb = VERBS[name]
        kinds = KINDS if about == "any" else tuple(about.split(", "))
        said = (means, kinds, asked, step_up == "yes")
        assert said == (verb.meaning, verb.kinds, verb.asked, verb.sensitive), name


def test_the_rules_for_everybody_are_the_forbids_with_their_reasons() -> None:
    _, *rows = access_doc.table("What nobody may do, whatever the role")
    forbids = [one for one in builtin().policies.values() if one.effect == "forbid"]

    assert rows == [[one.id, one.reason] for one in forbids]
