"""The examples of docs/access.md parse and do what they say."""

import re
from pathlib import Path

import pytest

from counterfoil.errors import RequestError
from counterfoil.policy.engine import decide
from counterfoil.policy.explain import explain
from counterfoil.policy.policy_set import PolicySet, builtin
from counterfoil.policy.request import Request
from tests.policy import access_doc
from tests.policy.asking import ANA, ask

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "policies"


def example(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def test_developers_ask_and_only_maintainers_approve_production() -> None:
    policies = PolicySet.parse(builtin().text + example("maintainers.cedar"))

    def said(verb: str, role: str, team: str, tier: str) -> bool:
        asked = ask(verb, "approval", (role,), teams=(f"team:{team}",), tier=tier)
        return decide(policies, asked).allowed

    assert said("request", "developer", "", "production")
    assert not said("approve", "developer", "maintainers", "production")
    assert not said("approve", "approver", "", "production")
    assert said("approve", "approver", "maintainers", "production")
    assert said("approve", "approver", "", "staging")


def test_contractors_stay_in_their_project() -> None:
    policies = PolicySet.parse(builtin().text + example("contractors.cedar"))

    def said(verb: str, kind: str, project: str, team: str) -> bool:
        asked = ask(verb, kind, ("release-manager",), teams=(f"team:{team}",), project=project)
        return decide(policies, asked).allowed

    assert said("read", "run", "shop", "contractors")
    assert not said("read", "run", "bank", "contractors")
    assert not said("read", "ledger", "shop", "contractors")
    assert not said("export", "release", "shop", "contractors")
    assert said("export", "release", "bank", "staff")


def test_a_small_team_is_held_to_four_eyes() -> None:
    policies = PolicySet.parse(example("two-roles.cedar"))

    def said(asked: Request) -> bool:
        return decide(policies, asked).allowed

    assert said(ask("approve", "approval", ("developer",)))
    assert not said(ask("approve", "approval", ("developer",), authors=(ANA,)))
    assert not said(ask("approve", "approval", ("developer",), gate_changers=(ANA,)))
    assert not said(ask("approve", "approval", ("developer",), verified=False))
    assert not said(ask("approve", "approval", ("developer",), actor_kind="agent"))
    assert not said(ask("waive", "gate", ("developer", "administrator"), verified=False))
    assert said(ask("roles", "ledger", ("administrator",)))
    assert said(ask("people", "ledger", actor_kind="nobody", credential="token", first=True))


def test_erasing_takes_another_person_s_yes() -> None:
    policies = PolicySet.parse(builtin().text + example("two-people-erase.cedar"))
    alone = ask("erase", "project", ("administrator",))

    assert not decide(policies, alone).allowed
    assert decide(policies, ask("erase", "project", ("administrator",), confirmed=True)).allowed
    assert decide(policies, ask("hold", "project", ("administrator",))).allowed
    assert explain(policies, alone).would_pass == ("have another person confirm it",)


def test_every_example_is_named_on_the_page_and_tested_here() -> None:
    names = sorted(path.name for path in FOLDER.iterdir())

    assert sorted(re.findall(r"\(examples/policies/(\S+)\)", access_doc.TEXT)) == names
    here = Path(__file__).read_text("utf-8")
    assert all(f'example("{name}")' in here for name in names)


def test_the_how_to_adds_the_first_example_and_shows_a_real_refusal() -> None:
    page = (FOLDER.parents[1] / "how-to" / "policies.md").read_text("utf-8")
    policy = example("maintainers.cedar").split("\n\n", 1)[1]
    shown = " ".join(re.findall(r"^    (line .*|is not .*)$", page, flags=re.MULTILINE))

    with pytest.raises(RequestError) as refusal:
        PolicySet.parse(
            "\n" * 39
            + '@id("a")\n@reason("b")\npermit (principal in Role::"aprover", action, resource);'
        )

    assert policy in "\n".join(line.removeprefix("    ") for line in page.splitlines())
    assert shown == f"{refusal.value.message} [policy_refused]"


SPOKEN = re.findall(
    r"`((?:principal|action|resource|context)\b[^`]+)`",
    access_doc.TEXT.split("## Policies of your own")[1],
)


@pytest.mark.parametrize("expression", SPOKEN)
def test_what_the_page_says_a_policy_may_speak_of_is_cedar(expression: str) -> None:
    text = f'@id("a") @reason("a") permit (principal, action, resource) when {{ {expression} }};'

    assert PolicySet.parse(text).policies["a"].effect == "permit"
    assert isinstance(decide(PolicySet.parse(text), ask("read", "run")).allowed, bool)


def test_the_page_says_what_policies_may_speak_of() -> None:
    assert len(SPOKEN) == 16
