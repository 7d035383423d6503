"""Three truths about the actor: claimed by the payload, proven by the credential, matched."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import Done, act
from counterfoil.app.answers import ActorView
from counterfoil.app.explaining import explain
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.events.event import make_event
from counterfoil.ids import SeededRandomness
from counterfoil.policy.access import ADMIN, Credential
from tests.app.desk import desk
from tests.own_token import own_token

GITHUB = "github.com:ana-dev"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with desk(tmp_path / "ledger", clock) as opened:
        yield opened


def do(home: Home, action: str, /, **given: Any) -> Done:
    return act(home, LOCAL, action, given, "cli")


def acts(
    home: Home, authid: str, credential: Credential = ADMIN, authtype: str = "user",
    project: str = "default",
) -> int:  # fmt: skip
    """Record something `authid` is said to have done; return its entry number."""
    event = make_event(
        type="com.example.x", source="urn:x", id=home.randomness.token(8).hex(),
        time="2026-11-20T12:00:00Z", authtype=authtype, authid=authid,
    )  # fmt: skip
    [answer] = home.recorder.record(project, [event], credential, "api")
    home.follower.catch_up(project)
    return answer.index


def seen(home: Home, index: int) -> ActorView:
    return home.reader.entry("default", index).actor


def token_of(home: Home, handle: str) -> Credential:
    made = own_token(home, handle, name="t", projects=["*"], verbs=["record"])
    found = home.tokens.find(made.token)
    assert found is not None
    return found


def test_what_a_sender_says_is_a_claim(home: Home) -> None:
    actor = seen(home, acts(home, GITHUB))

    assert (actor.how, actor.handle, actor.matched) == ("claimed", GITHUB, "")
    assert (actor.credential, actor.prover) == ("token:admin", "administrator")


def test_an_account_of_the_directory_is_matched_and_stays_a_claim_beside_it(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "account-link", handle="ana", account=GITHUB)

    actor = seen(home, acts(home, GITHUB))

    assert (actor.how, actor.handle, actor.matched) == ("matched", GITHUB, "ana")
    assert actor.prover == "administrator"


def test_who_holds_the_credential_is_proven_over_all_accounts(home: Home) -> None:
    """One person counts once: the token is hers, and so is the account it names."""
    do(home, "actor-describe", handle="ana")
    do(home, "account-link", handle="ana", account=GITHUB)
    do(home, "role-grant", to="ana", role="developer")
    hers = token_of(home, "ana")

    actor = seen(home, acts(home, GITHUB, hers))

    assert (actor.how, actor.matched, actor.prover) == ("proven", "ana", "ana")
    assert actor.credential == hers.id


def test_a_credential_of_one_proves_nothing_about_another(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "actor-describe", handle="bo")
    do(home, "account-link", handle="ana", account=GITHUB)
    do(home, "role-grant", to="bo", role="developer")

    actor = seen(home, acts(home, GITHUB, token_of(home, "bo")))

    assert (actor.how, actor.matched, actor.prover) == ("matched", "ana", "bo")


@pytest.mark.parametrize(
    ("since", "until", "matched"),
    [
        pytest.param("2026-11-20", "2026-11-21", "ana", id="on the day"),
        pytest.param("2026-11-21", "", "", id="the day before it begins"),
        pytest.param("2026-01-01", "2026-11-20", "", id="on the day it has ended"),
        pytest.param("", "", "", id="without dates, from when it was told on"),
    ],
)
def test_an_account_is_matched_by_whose_it_was_when_that_was_recorded(
    home: Home, clock: SteppedClock, since: str, until: str, matched: str
) -> None:
    """The link may be told days later: what counts is whose account it was then."""
    acted = acts(home, GITHUB)
    clock.step(2 * 86_400)
    do(home, "actor-describe", handle="ana")
    do(home, "account-link", handle="ana", account=GITHUB, since=since, until=until)

    assert seen(home, acted).matched == matched


def test_what_was_done_before_an_account_was_unlinked_stays_theirs(
    home: Home, clock: SteppedClock
) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "account-link", handle="ana", account=GITHUB)
    before = acts(home, GITHUB)
    clock.step(60)
    do(home, "account-unlink", handle="ana", account=GITHUB)

    assert seen(home, before).matched == "ana"
    assert seen(home, acts(home, GITHUB)).matched == ""


def test_an_agent_names_the_person_on_whose_behalf_it_acts(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "actor-describe", handle="helper", kind="agent", behalf="ana")
    do(home, "account-link", handle="helper", account="agents:7")

    actor = seen(home, acts(home, "agents:7"))

    assert (actor.kind, actor.matched, actor.behalf) == ("agent", "helper", "ana")


def test_an_agent_acted_on_behalf_of_whoever_answered_for_it_then(
    home: Home, clock: SteppedClock
) -> None:
    """Who answers for it may change hands; what was done stays in the hands it was in."""
    do(home, "actor-describe", handle="ana")
    do(home, "actor-describe", handle="bo")
    do(home, "actor-describe", handle="fixer", kind="agent", behalf="ana")
    do(home, "account-link", handle="fixer", account="agents:7")
    first = acts(home, "agents:7")
    clock.step(60)
    do(home, "actor-describe", handle="fixer", kind="agent", behalf="bo")
    second = acts(home, "agents:7")
    clock.step(60)
    do(home, "actor-remove", handle="bo")

    assert (seen(home, first).behalf, seen(home, second).behalf) == ("ana", "bo")


def test_an_agent_is_let_in_nowhere_once_its_person_is_removed(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "actor-describe", handle="bo")
    do(home, "actor-describe", handle="fixer", kind="agent", behalf="ana")
    do(home, "role-grant", to="fixer", role="producer")
    made: Any = do(home, "token-issue", name="t", holder="fixer", projects=["*"], verbs=["record"])
    before = home.tokens.find(made.token)
    assert before is not None
    assert home.access.decide(before, "record", "default").allowed

    do(home, "actor-remove", handle="ana")

    assert home.tokens.find(made.token) is None
    assert not home.access.decide(before, "record", "default").allowed
    told = explain(home.access, home.clock, "fixer", "record", "default", "")
    assert not told.allowed
    assert "the person on whose behalf it acted is removed" in told.reasons[0]

    do(home, "actor-describe", handle="fixer", kind="agent", behalf="bo")

    assert home.tokens.find(made.token) is not None
    assert explain(home.access, home.clock, "fixer", "record", "default", "").allowed


def test_an_actor_acts_under_the_handle_too(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "role-grant", to="ana", role="developer")

    actor = seen(home, acts(home, "counterfoil:ana", token_of(home, "ana")))

    assert (actor.how, actor.shown) == ("proven", "ana")


def test_an_account_is_resolved_as_of_the_last_thing_it_did_anywhere(
    tmp_path: Path, clock: SteppedClock
) -> None:
    """What was shown once must not stand for ever, nor one project for all."""
    create_home(tmp_path / "two", SeededRandomness("made"))
    create_home(tmp_path / "two", SeededRandomness("more"), project="other")
    kinds = []
    with open_home(tmp_path / "two", clock, SeededRandomness("open")) as home:
        for project, authtype in (
            ("default", "user"),
            ("default", "service_account"),
            ("other", "unauthenticated"),
            ("default", "user"),
        ):
            index = acts(home, "ci.example:7", authtype=authtype, project=project)
            ref = home.reader.entry(project, index).actor.ref
            kinds.append(home.reader.resolve(ref).kind)
            clock.step(60)

    assert kinds == ["person", "service", "nobody", "person"]


def test_a_search_for_a_person_finds_what_they_did_over_all_accounts(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "account-link", handle="ana", account=GITHUB)
    do(home, "account-link", handle="ana", account="mail:ana@acme.example")
    mine = {acts(home, GITHUB), acts(home, "mail:ana@acme.example"), acts(home, "counterfoil:ana")}
    acts(home, "github.com:bo-dev")

    found = home.reader.search("default", "actor:ana")

    assert {line.index for line in found.items} == mine
    [facet] = [facet for facet in found.facets if facet.key == "actor"]
    assert [(value.label, value.count) for value in facet.values] == [
        ("ana", 3), ("github.com:bo-dev", 1),
    ]  # fmt: skip


def test_a_token_s_uses_are_found_by_its_id(home: Home) -> None:
    do(home, "actor-describe", handle="ana")
    do(home, "role-grant", to="ana", role="developer")
    hers = token_of(home, "ana")
    used = {acts(home, GITHUB, hers), acts(home, "mail:x", hers)}
    acts(home, GITHUB)

    found = home.reader.search("default", f"ref:{hers.id}")
    home.follower.catch_up("_access")
    life = home.reader.search("_access", f"ref:{hers.id}")

    assert {line.index for line in found.items} == used
    assert [line.type.split("-")[1] for line in life.items] == ["token.issued.0.1.0"]
