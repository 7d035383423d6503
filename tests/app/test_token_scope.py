"""What tokens are made for, and whose: refused before anything is recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import tokens
from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock, format_time
from counterfoil.errors import RequestError
from counterfoil.policy.access import ADMIN, LOG, TOKEN_VERBS, Credential
from tests.app.desk import desk
from tests.directory_story import RULE
from tests.own_token import own_token


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with desk(tmp_path / "ledger", SteppedClock()) as opened:
        for handle in ("ana", "root"):
            act(opened, LOCAL, "actor-describe", {"handle": handle}, "cli")
        act(opened, LOCAL, "actor-describe", {"handle": "shop-ci", "kind": "service"}, "cli")
        helper = {"handle": "helper", "kind": "agent", "behalf": "ana"}
        act(opened, LOCAL, "actor-describe", helper, "cli")
        act(opened, LOCAL, "role-grant", {"to": "root", "role": "administrator"}, "cli")
        yield opened


def refusal(home: Home, credential: Credential, name: str, given: dict[str, Any]) -> RequestError:
    """Return why an action is refused; it must have changed nothing."""
    before = home.ledger.status(LOG).size
    with pytest.raises(RequestError) as refused:
        act(home, credential, name, given, "api")
    assert home.ledger.status(LOG).size == before
    return refused.value


def root(home: Home) -> Credential:
    """Return the session of an administrator who showed a passkey a moment ago."""
    ref = home.access.require_actor("root").ref
    now = format_time(home.clock.now())
    return Credential("session:5", "session", "root", actor=ref, verified=now)


@pytest.mark.parametrize("verb", ["recrod", "approve", "", "Record", "record,report"])
def test_a_verb_no_token_can_have_is_refused_with_those_it_can(home: Home, verb: str) -> None:
    """Such a token could never work, and nobody would know why."""
    given = {"name": "t", "projects": ["default"], "verbs": ["record", verb]}

    error = refusal(home, LOCAL, "token-issue", given)

    assert error.code == "usage"
    assert repr(verb) in error.message
    assert error.message.endswith(", ".join(TOKEN_VERBS))


@pytest.mark.parametrize("verb", [*TOKEN_VERBS, "*"])
def test_a_token_is_made_for_every_verb_it_can_have(home: Home, verb: str) -> None:
    verbs = [verb, "record"] if verb == "report" else [verb]
    made: Any = act(
        home, LOCAL, "token-issue", {"name": "t", "projects": ["*"], "verbs": verbs}, "cli"
    )

    found = home.tokens.find(made.token)

    assert found is not None
    assert found.verbs == tuple(verbs)


@pytest.mark.parametrize("by", ["files", "admin.token", "an administrator"])
@pytest.mark.parametrize("name", ["token-issue", "trust-add"])
def test_nobody_lets_something_act_as_another_person(home: Home, by: str, name: str) -> None:
    """What came under it would be proven to be Ana's, who never saw it."""
    credential = {"files": LOCAL, "admin.token": ADMIN, "an administrator": root(home)}[by]
    rule = {key: RULE[key] for key in ("kind", "issuer", "audience", "projects")}
    claims = [f"{key}={text}" for key, text in dict(RULE["claims"]).items()]  # type: ignore[arg-type]
    asked: dict[str, dict[str, Any]] = {
        "token-issue": {"name": "t", "projects": ["*"], "verbs": ["*"]},
        "trust-add": {**rule, "claims": claims},
    }

    error = refusal(home, credential, name, {**asked[name], "holder": "ana"})

    assert error.code == "not_allowed"
    assert "only ana can" in error.message


@pytest.mark.parametrize("holder", ["shop-ci", "helper"])
@pytest.mark.parametrize("by", ["files", "admin.token", "an administrator"])
def test_whoever_may_makes_tokens_for_services_and_agents(home: Home, by: str, holder: str) -> None:
    credential = {"files": LOCAL, "admin.token": ADMIN, "an administrator": root(home)}[by]
    given = {"name": "t", "projects": ["*"], "holder": holder}

    made: Any = act(home, credential, "token-issue", given, "api")

    found = home.tokens.find(made.token)
    assert found is not None
    assert found.actor == home.access.require_actor(holder).ref


def test_a_person_makes_a_token_of_their_own(home: Home) -> None:
    given = {"name": "mine", "projects": ["*"], "holder": "root"}

    made: Any = act(home, root(home), "token-issue", given, "web")

    found = home.tokens.find(made.token)
    assert found is not None
    assert found.actor == home.access.require_actor("root").ref


def test_of_ended_tokens_so_many_are_known_and_the_living_always(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "ENDED_MAX", 2)
    alive = own_token(home, "ana", name="first", projects=["*"])
    ended = []
    for number in range(4):
        given = {"name": f"t{number}", "projects": ["*"]}
        made: Any = act(home, LOCAL, "token-issue", given, "cli")
        act(home, LOCAL, "token-revoke", {"token": made.id}, "cli")
        ended.append(made)
    last: Any = act(home, LOCAL, "token-issue", {"name": "last", "projects": ["*"]}, "cli")

    known = [home.tokens.ended(one.token) is not None for one in ended]

    assert known == [False, False, True, True]
    assert set(home.tokens.uses()) == {alive.id, last.id, ended[2].id, ended[3].id}
    assert [home.tokens.find(one.token) is not None for one in (alive, last)] == [True, True]
    assert home.tokens.ended(last.token) is None
