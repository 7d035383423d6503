import json

import msgspec
import pytest
from hypothesis import given, settings

from counterfoil.errors import RequestError
from counterfoil.policy.request import Request, restore
from tests.policy.asking import ANA, BO, ask
from tests.policy.test_builtin import requests


@given(asked=requests())
@settings(derandomize=True, max_examples=100, deadline=None)
def test_a_stored_request_comes_back_and_is_decided_as_the_same(asked: Request) -> None:
    again = restore(asked.stored())

    assert again.stored() == asked.stored()
    assert again.digest == asked.digest


def test_the_order_and_repetition_of_names_do_not_matter() -> None:
    one = ask("read", "run", ("viewer", "tester"), teams=("b", "a"), authors=(ANA, BO, ANA))
    other = ask("read", "run", ("tester", "viewer"), teams=("a", "b", "b"), authors=(BO, ANA))

    assert one.digest == other.digest


def test_every_member_is_part_of_the_digest() -> None:
    """A fact that is not in it could be changed behind a decision."""
    base = ask("approve", "approval", ("approver",))
    others = [
        ask("approve", "approval", ("viewer",)),
        ask("approve", "approval", ("approver",), teams=("team:qa",)),
        ask("approve", "approval", ("approver",), who=BO),
        ask("approve", "approval", ("approver",), actor_kind="agent"),
        ask("approve", "approval", ("approver",), tier="staging"),
        ask("approve", "approval", ("approver",), project="bank"),
        ask("approve", "approval", ("approver",), credential="token"),
        ask("approve", "approval", ("approver",), verified=False),
        ask("approve", "approval", ("approver",), first=True),
        ask("approve", "approval", ("approver",), gate_changers=(ANA,)),
        ask("approve", "approval", ("approver",), authors=(ANA,)),
        ask("approve", "approval", ("approver",), confirmed=True),
        ask("request", "approval", ("approver",)),
        ask("approve", "gate", ("approver",)),
    ]

    assert len({one.digest for one in [base, *others]}) == len(others) + 1


def test_the_stored_form_does_not_change() -> None:
    """Requests stored by earlier releases are asked again: their bytes and digests are kept."""
    asked = ask("approve", "approval", ("approver",), teams=("team:qa",), authors=(BO,))

    assert json.loads(asked.stored()) == {
        "principal": {"ref": ANA, "kind": "person", "roles": ["approver"], "teams": ["team:qa"]},
        "verb": "approve",
        "object": {
            "kind": "approval", "id": "x", "project": "shop", "tier": "production",
            "component": "",
        },
        "context": {
            "credential": "session", "verified": True, "first": False, "gate_changers": [],
            "authors": [BO],
        },
    }  # fmt: skip
    assert asked.digest == "aad0e66f831dd5b2ff4633cab9cd03ed9648b97a38d595a2c6b0740b331dcb90"


WRONG = {
    "no JSON": b"{",
    "no UTF-8": b'{"verb": "\xff"}',
    "a member is missing": b'{"verb": "read"}',
    "a member nobody knows": ask("read", "run").stored()[:-1] + b',"more":1}',
    "a number for a name": ask("read", "run").stored().replace(b'"read"', b"1"),
    "a string for a truth": ask("read", "run").stored().replace(b"true", b'"true"'),
}


@pytest.mark.parametrize("stored", WRONG.values(), ids=WRONG.keys())
def test_bytes_that_are_no_request_are_refused(stored: bytes) -> None:
    with pytest.raises(RequestError) as refusal:
        restore(stored)

    assert refusal.value.code == "attribute_invalid"


def test_half_a_character_is_not_stored() -> None:
    asked = msgspec.structs.replace(ask("read", "run"), verb="\ud800")

    with pytest.raises(RequestError):
        asked.stored()
