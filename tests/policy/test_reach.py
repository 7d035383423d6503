"""How far a grant reaches: a scope in which no verb of a role is ever asked gives nothing."""

import pytest

from counterfoil.app.actions import AT_PROJECT, actions
from counterfoil.policy.places import verb_of
from counterfoil.policy.policy_set import builtin
from counterfoil.policy.reach import shortfall, unreached, verbs_of
from counterfoil.policy.roles import ROLES
from counterfoil.policy.verbs import VERBS
from counterfoil.web.api.table import ROUTES
from tests.policy import access_doc

OWN = "dev.cdeventsx.counterfoil-"


def test_what_a_role_may_do_is_read_off_the_policies() -> None:
    found = {(role, verb) for role in ROLES for verb in verbs_of(builtin(), role)}

    assert found == access_doc.allowed()


def test_every_action_is_asked_of_what_the_table_says() -> None:
    """Actions are asked at the ledger's own log, which a narrower grant reaches never."""
    asked = {one.verb: VERBS[one.verb].asked for one in actions().values()}

    assert {verb for verb, of in asked.items() if of != "ledger"} <= {
        "read", "personal", *AT_PROJECT,
    }  # fmt: skip


def test_every_address_of_the_api_is_asked_of_what_the_table_says() -> None:
    """An address names a project, and no thing."""
    verbs = {one.verb for one in ROUTES if one.verb}

    assert {verb: VERBS[verb].asked for verb in verbs} == dict.fromkeys(verbs, "project")


@pytest.mark.parametrize("what", ["approval.requested", "approval.signed", "gate.changed"])
def test_what_an_event_decides_is_asked_of_a_thing(what: str) -> None:
    assert VERBS[verb_of(f"{OWN}{what}.0.1.0")].asked == "thing"


SCOPES = {
    "everywhere": ({}, set()),
    "a project": ({"project": "shop"}, {"ledger"}),
    "a tier": ({"tier": "production"}, {"ledger", "project"}),
    "a component": ({"component": "cart"}, {"ledger", "project"}),
}


@pytest.mark.parametrize(("scope", "lost"), SCOPES.values(), ids=SCOPES.keys())
def test_a_scope_reaches_what_is_asked_of_something_in_it(
    scope: dict[str, str], lost: set[str]
) -> None:
    where = {"project": "*", "tier": "*", "component": "*", **scope}

    found = unreached(VERBS, **where)

    assert found == {
        of: tuple(name for name, verb in VERBS.items() if verb.asked == of) for of in found
    }
    assert set(found) == lost


SAID = {
    "a viewer of a tier": (
        "viewer", {"tier": "production"},
        "that gives nothing: read is asked of a whole project"),
    "an approver of a tier": (
        "approver", {"tier": "production"},
        "that does not give all of it: read is asked of a whole project"),
    "a producer of a component": (
        "producer", {"component": "cart"},
        "that gives nothing: record, report, webhook are asked of a whole project"),
    "a viewer of a project": ("viewer", {"project": "shop"}, ""),
    "an administrator everywhere": ("administrator", {}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("role", "scope", "said"), SAID.values(), ids=SAID.keys())
def test_what_a_grant_does_not_give_is_said(role: str, scope: dict[str, str], said: str) -> None:
    where = {"project": "*", "tier": "*", "component": "*", **scope}

    assert shortfall(builtin(), role, **where) == said


def test_an_administrator_of_a_project_is_told_that_the_ledger_is_asked() -> None:
    said = shortfall(builtin(), "administrator", project="shop", tier="*", component="*")

    assert said.startswith("that does not give all of it: people, roles, tokens, ")
    assert said.endswith("are asked of the ledger as a whole")
