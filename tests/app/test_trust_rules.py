"""Trust rules: added, listed, removed, and what becomes of the sessions under them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import ANONYMOUS
from tests.ci_tokens import rsa_key
from tests.exchanging import Ci, said
from tests.issuer import Issuer, issuing


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock("2026-03-02T09:56:00.000Z")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing(Issuer()) as running:
        running.keys = (rsa_key("one"),)
        yield running


@pytest.fixture
def ci(home: Home, issuer: Issuer) -> Ci:
    found = Ci(home, issuer)
    found.trust()
    return found


def refusal(ci: Ci) -> str:
    """Return code and reason with which a job is sent away."""
    with pytest.raises(CounterfoilError) as error:
        ci.bring(ci.token())
    return f"{error.value.code}: {error.value.facts['reason']}"


# Rules that change.


def test_removing_a_rule_ends_its_sessions(home: Home, issuer: Issuer) -> None:
    ci = Ci(home, issuer)
    rule = ci.trust()
    opened = ci.bring(ci.token())
    done = act(home, LOCAL, "trust-remove", {"rule": rule, "reason": "moved"}, "cli")

    assert done.said == f"{rule} lets nobody in any more; 1 session ended"
    assert ci.credential(opened) is None
    assert refusal(ci) == "job_token_refused: issuer"


def test_removing_who_the_jobs_act_as_ends_their_sessions(ci: Ci) -> None:
    opened = ci.bring(ci.token())
    act(ci.home, LOCAL, "actor-remove", {"handle": "github-74"}, "cli")

    assert ci.credential(opened) is None
    assert refusal(ci) == "job_token_refused: issuer"


def test_a_removed_rule_stays_removed_after_a_restart(
    ci: Ci, home: Home, directory: Path, clock: SteppedClock
) -> None:
    [added] = said(home, "trust.added")
    opened = ci.bring(ci.token())
    act(home, LOCAL, "trust-remove", {"rule": added.entry.subject}, "cli")
    home.close()
    with open_home(directory, clock, SystemRandomness()) as again:
        assert Ci(again, ci.issuer).credential(opened) is None


def test_a_session_speaks_as_the_sources_of_its_rule_only(home: Home, issuer: Issuer) -> None:
    ci = Ci(home, issuer)
    ci.trust(sources=["https://ci.example/acme/"])
    credential = ci.credential(ci.bring(ci.token()))
    assert credential is not None

    def may(source: str) -> bool:
        return home.access.decide(credential, "record", "default", source).allowed

    assert may("https://ci.example/acme/shop")
    assert not may("https://ci.example/evil")


# Adding rules.


def test_a_rule_is_described_before_it_is_added(home: Home, issuer: Issuer) -> None:
    ci = Ci(home, issuer)
    assert ci.trust(dry=True) == ""
    assert said(home, "trust.added") == []


def test_a_rule_by_names_is_refused_and_nothing_is_recorded(home: Home, issuer: Issuer) -> None:
    with pytest.raises(RequestError) as error:
        Ci(home, issuer).trust(claims=["repository=acme/checkout"])

    assert error.value.code == "ci_rule_invalid"
    assert said(home, "trust.added") == []
    assert home.access.directory.by_handle("github-74") is None


@pytest.mark.parametrize("claims", [["repository_id"], ["repository_id=74", "repository_id=75"]])
def test_claims_are_names_with_values_each_once(
    home: Home, issuer: Issuer, claims: list[str]
) -> None:
    with pytest.raises(RequestError, match="NAME=VALUE"):
        Ci(home, issuer).trust(claims=claims)


def test_a_rule_for_a_project_that_is_not_there_is_refused(home: Home, issuer: Issuer) -> None:
    with pytest.raises(RequestError, match="'nowhere'"):
        Ci(home, issuer).trust(projects=["nowhere"])


def test_the_jobs_of_a_rule_act_as_a_service_their_account_is_linked_to(ci: Ci) -> None:
    directory = ci.home.access.directory
    holder = directory.by_handle("github-74")

    assert holder is not None
    assert holder.kind == "service"
    [link] = directory.accounts_of(holder.ref)
    person = ci.home.keys.person_by_pseudonym(link.account)
    assert person is not None
    assert person.account.startswith("ci:github@localhost")


def test_only_whoever_may_adds_rules(home: Home, issuer: Issuer) -> None:
    for name in ("trust-add", "trust-remove", "trust-list"):
        with pytest.raises(RequestError) as error:
            act(home, ANONYMOUS, name, {}, "api")
        assert error.value.code == "token_missing"
    assert issuer.asked == []


def test_rules_are_listed_with_what_they_do_and_their_open_sessions(ci: Ci) -> None:
    ci.bring(ci.token())
    found = act(ci.home, LOCAL, "trust-list", {}, "cli")

    assert found.said == "1 rule in force"
    assert hasattr(found, "rules")
    [one] = found.rules
    assert (one.holder, one.open_sessions) == ("github-74", 1)
    assert any("whatever it is called" in line for line in one.accepts)
