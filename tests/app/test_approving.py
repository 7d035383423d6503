"""Approvals: who may answer, for what, in whose name, and every way around that is closed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.policy.access import Credential
from counterfoil.policy.policy_set import builtin
from tests.app.approving import (
    APPROVAL,
    MAINTAINERS,
    PRODUCTION,
    RELEASE,
    ask,
    do,
    people,
    person,
    said,
    sign,
    tell,
)
from tests.app.desk import desk

STAGING = (RELEASE, ("env:staging", "target"))
OWN = "nobody approves what they"
GATE = "24 hours"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with desk(tmp_path / "ledger", clock) as opened:
        people(opened)
        yield opened


def state(home: Home) -> str:
    """Return the last word on the approval."""
    home.follower.catch_up("default")
    row = home.reader.approval("default", APPROVAL)
    return row.state if row is not None else ""


def test_developers_ask_and_approvers_of_the_tier_answer(home: Home) -> None:
    ask(home)
    with pytest.raises(RequestError) as refused:
        sign(home, "bo")
    assert refused.value.code == "not_allowed"

    sign(home)

    assert state(home) == "signed"


def test_an_environment_of_no_known_tier_counts_as_production(home: Home) -> None:
    """A name nobody thought of must not be the way around the rule."""
    blue = (RELEASE, ("env:blue", "target"))
    ask(home, "bo", *blue)

    sign(home, "cy", *blue)

    assert state(home) == "signed"


# Where an approval is


def test_a_grant_for_production_approves_nothing_elsewhere(home: Home) -> None:
    ask(home, "bo", *STAGING)

    with pytest.raises(RequestError, match="tier staging"):
        sign(home, "cy", *STAGING)


@pytest.mark.parametrize(
    "named",
    [(RELEASE,), STAGING, (*STAGING, ("env:production", "target"))],
    ids=["no environment", "another environment", "another environment first"],
)
def test_an_approval_is_where_it_was_asked_for_whatever_the_answer_names(
    home: Home, named: tuple[tuple[str, str], ...]
) -> None:
    """Else whoever may approve staging approves production by saying that it is staging."""
    do(home, "actor-describe", handle="di")
    do(home, "role-grant", to="di", role="approver", tier="staging")
    ask(home)

    with pytest.raises(RequestError, match="tier production"):
        sign(home, "di", *named)

    assert state(home) == "requested"


def test_every_request_counts_for_where_an_approval_is(home: Home) -> None:
    """Asked for production and for staging, it needs who may approve both."""
    ask(home)
    ask(home, "bo", *STAGING)

    with pytest.raises(RequestError, match="tier staging"):
        sign(home)


def test_a_request_that_names_no_environment_is_for_production(home: Home) -> None:
    do(home, "actor-describe", handle="di")
    do(home, "role-grant", to="di", role="approver", tier="staging")
    ask(home, "bo", RELEASE)

    with pytest.raises(RequestError, match="tier production"):
        sign(home, "di", *STAGING)
    sign(home, "cy", RELEASE)


def test_an_approval_is_of_the_component_it_was_asked_for(home: Home) -> None:
    do(home, "actor-describe", handle="di")
    do(home, "role-grant", to="di", role="approver", component="till")
    ask(home)

    with pytest.raises(RequestError, match="approver"):
        sign(home, "di", ("release:till@1", "approves"), PRODUCTION[1])


@pytest.mark.parametrize("named", [PRODUCTION, (RELEASE,), STAGING], ids=["env", "none", "other"])
def test_only_maintainers_approve_production_where_a_policy_says_so(
    home: Home, named: tuple[tuple[str, str], ...]
) -> None:
    do(home, "role-grant", to="cy", role="approver")
    text = builtin().text + MAINTAINERS
    do(home, "policy-activate", text=text, reason="only maintainers approve production")
    ask(home)

    with pytest.raises(RequestError, match="only maintainers approve production"):
        sign(home, "cy", *named)


# What was asked


def test_nobody_signs_what_nobody_asked_for(home: Home) -> None:
    """Else one signs first, and asks for it afterwards under any name."""
    with pytest.raises(RequestError, match="nobody asked"):
        sign(home)
    with pytest.raises(RequestError, match="nobody asked"):
        tell(home, "approval.signed", "cy", "release:shop@1.4.2", *PRODUCTION)


def test_what_is_answered_was_on_record_before(home: Home) -> None:
    """In one batch the request would not be looked at: it is not there yet."""
    do(home, "role-grant", to="cy", role="release-manager")
    events = [
        said(home, f"approval.{predicate}", "counterfoil:cy", APPROVAL, *PRODUCTION)
        for predicate in ("requested", "signed")
    ]

    with pytest.raises(RequestError, match="by itself") as refused:
        home.recorder.record("default", events, person(home, "cy"), "api")

    assert refused.value.facts["position"] == 1
    assert home.log.head("default").size == 0


@pytest.mark.parametrize("predicate", ["signed", "refused", "requested"])
def test_the_same_event_under_another_vendors_type_asks_for_the_same_right(
    home: Home, predicate: str
) -> None:
    """Rows are made by noun and predicate; what makes a row has to be allowed as one."""
    ask(home)
    event = said(
        home, f"approval.{predicate}", "counterfoil:ana", APPROVAL, *PRODUCTION,
        prefix="dev.cdevents.",
    )  # fmt: skip
    do(home, "actor-describe", handle="shop-ci", kind="service")
    do(home, "role-grant", to="shop-ci", role="producer")
    actor = home.access.require_actor("shop-ci").ref
    token = Credential("token:x", "token", "shop-ci", ("",), actor=actor)

    with pytest.raises(RequestError) as refused:
        home.recorder.record("default", [event], token, "api")

    assert refused.value.code == "not_allowed"


# In whose name


def test_a_person_signs_in_their_own_name(home: Home) -> None:
    ask(home)
    event = said(home, "approval.signed", "counterfoil:ana", APPROVAL, *PRODUCTION)

    with pytest.raises(RequestError, match="own name"):
        home.recorder.record("default", [event], person(home, "cy"), "api")

    do(home, "account-link", handle="cy", account="github.com:cy-dev")
    own = said(home, "approval.signed", "github.com:cy-dev", APPROVAL, *PRODUCTION)
    home.recorder.record("default", [own], person(home, "cy"), "api")


def test_a_person_asks_in_their_own_name(home: Home) -> None:
    """Else whoever asks under another name signs what they asked for."""
    do(home, "role-grant", to="cy", role="release-manager")
    event = said(home, "approval.requested", "github.com:somebody-else", APPROVAL, *PRODUCTION)

    with pytest.raises(RequestError, match="own name"):
        home.recorder.record("default", [event], person(home, "cy"), "api")


# Nobody approves their own


def test_nobody_approves_what_they_asked_for(home: Home) -> None:
    do(home, "role-grant", to="cy", role="release-manager")
    ask(home, "cy")

    with pytest.raises(RequestError, match=OWN):
        sign(home)


def test_whoever_holds_the_token_that_asked_has_asked(home: Home) -> None:
    """A payload may name anybody; who held the credential is proven."""
    do(home, "role-grant", to="cy", role="release-manager")
    cy = home.access.require_actor("cy").ref
    issued = home.access.event(
        "token.issued", LOCAL, subject="token:4f1d6a0c92be",
        data={"name": "own", "projects": ["*"], "verbs": ["request"], "until": "2027-01-01"},
        named=[("actor:counterfoil:cy", "holder")],
    )  # fmt: skip
    home.access.enact([issued], LOCAL)
    token = Credential("token:4f1d6a0c92be", "token", "own", ("",), actor=cy)
    event = said(home, "approval.requested", "github.com:somebody-else", APPROVAL, *PRODUCTION)
    home.recorder.record("default", [event], token, "api")

    with pytest.raises(RequestError, match=OWN):
        sign(home)


def test_what_an_agent_asked_for_its_person_asked_for(home: Home) -> None:
    do(home, "actor-describe", handle="fixer", kind="agent", behalf="cy")
    event = said(home, "approval.requested", "counterfoil:fixer", APPROVAL, *PRODUCTION)
    home.recorder.record("default", [event], LOCAL, "cli")

    with pytest.raises(RequestError, match=OWN):
        sign(home)


def test_a_deputy_does_not_answer_with_what_they_have_from_who_asked(home: Home) -> None:
    do(home, "role-grant", to="bo", role="release-manager")
    do(home, "actor-describe", handle="di")
    do(home, "deputy-name", handle="bo", deputy="di", until="2027-01-01")
    ask(home)

    with pytest.raises(RequestError, match="needs one of the roles"):
        sign(home, "di")

    do(home, "role-grant", to="di", role="approver")
    sign(home, "di")


def test_an_author_is_known_by_every_account(home: Home) -> None:
    """A commit pushed under another account of the same person is still theirs."""
    do(home, "account-link", handle="cy", account="github.com:cy-dev")
    commit = push(home, "github.com:cy-dev")
    ask(home, "bo", (commit, "approves"), *PRODUCTION[1:])

    with pytest.raises(RequestError, match=OWN):
        sign(home, "cy", (commit, "approves"), *PRODUCTION[1:])
    with pytest.raises(RequestError, match=OWN):
        sign(home, "cy", PRODUCTION[1])


def test_an_author_stays_one_when_the_account_goes_to_somebody_else(
    home: Home, clock: SteppedClock
) -> None:
    do(home, "account-link", handle="cy", account="github.com:shared")
    commit = push(home, "github.com:shared")
    clock.step(60)
    do(home, "account-unlink", handle="cy", account="github.com:shared")
    clock.step(60)
    do(home, "account-link", handle="ana", account="github.com:shared")
    ask(home, "bo", (commit, "approves"), *PRODUCTION[1:])

    with pytest.raises(RequestError, match=OWN):
        sign(home, "cy", (commit, "approves"), *PRODUCTION[1:])


def push(home: Home, authid: str) -> str:
    """Record a commit of an account; return its ref."""
    commit = "commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d6"
    home.recorder.record("default", [said(home, "commit.pushed", authid, commit)], LOCAL, "cli")
    return commit


# The gate


@pytest.mark.parametrize(
    ("gate", "named"),
    [
        (("env:production", "target"), PRODUCTION),
        (("env:production", "target"), (RELEASE,)),
        (("env:production", "target"), (RELEASE, ("env:prod", "target"))),
        (("env:prod-eu", "target"), PRODUCTION),
        (None, PRODUCTION),
    ],
    ids=["the environment", "it left out", "another name", "one of its tier", "no environment"],
)
def test_who_changed_a_gate_does_not_approve_under_it_for_a_day(
    home: Home, clock: SteppedClock, gate: tuple[str, str] | None,
    named: tuple[tuple[str, str], ...],
) -> None:  # fmt: skip
    ask(home)
    tell(home, "gate.changed", "cy", "gate:production", *([gate] if gate else []))
    with pytest.raises(RequestError, match=GATE):
        sign(home, "cy", *named)

    clock.step(24 * 3600 + 1)
    sign(home, "cy", *named)

    assert state(home) == "signed"


def test_a_gate_of_another_tier_keeps_nobody_from_approving(home: Home) -> None:
    tell(home, "gate.changed", "cy", "gate:staging", ("env:staging", "target"))
    ask(home)

    sign(home)

    assert state(home) == "signed"
