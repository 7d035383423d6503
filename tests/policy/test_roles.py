import subprocess
import sys

import pytest

from counterfoil.policy import verbs
from counterfoil.policy.access import KINDS as CREDENTIAL_KINDS
from counterfoil.policy.places import TIERS
from counterfoil.policy.policy_set import schema
from counterfoil.policy.request import ACTOR_KINDS, CREDENTIALS
from counterfoil.policy.roles import ROLES, conflicts
from tests.policy.access_doc import TEXT

NAMES = {"Role": ROLES, "Kind": ACTOR_KINDS, "Credential": CREDENTIALS, "Tier": TIERS}


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_knows_the_same_names(name: str) -> None:
    text = str(schema())
    declared = text.split(f"entity {name} enum [", 1)[1].split("]", 1)[0]

    assert [one.strip().strip('"') for one in declared.split(",")] == list(NAMES[name])


def test_every_kind_of_credential_can_be_asked_about() -> None:
    """One the engine does not know would be refused whatever the policies say."""
    assert set(CREDENTIAL_KINDS) <= set(CREDENTIALS)


@pytest.mark.parametrize("role", [role for role in ROLES if role not in {"auditor", "viewer"}])
def test_no_role_that_writes_stands_beside_auditor(role: str) -> None:
    assert conflicts((role, "auditor")) == (role,)


def test_other_roles_go_together() -> None:
    assert conflicts(role for role in ROLES if role != "auditor") == ()
    assert conflicts(("auditor", "viewer")) == ()


def test_a_ref_belongs_to_a_kind_of_object_there_is() -> None:
    from counterfoil.events.refs import KINDS

    assert {verbs.kind_of(kind) for kind in [*KINDS, "com-example"]} <= set(verbs.KINDS)
    assert verbs.kind_of("approval") == "approval"


def test_the_page_names_every_kind_of_object_and_tier() -> None:
    assert f"Objects: {', '.join(verbs.KINDS)}." in TEXT
    assert f"Tiers: {', '.join(TIERS)}." in TEXT


def test_whoever_names_a_verb_does_not_wait_for_the_engine() -> None:
    """It is 16 MB of native code, and processes that decide nothing name verbs and roles."""
    probe = (
        "import sys, counterfoil.policy.access, counterfoil.policy.verbs,"
        " counterfoil.policy.roles, counterfoil.policy.request; print('cedarpy' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
