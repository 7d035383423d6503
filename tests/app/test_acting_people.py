"""People, accounts, teams and deputies, one action at a time; accounts that are nobody's."""

import itertools
from typing import Any

import pytest

from counterfoil.app.acting_listing import People, Person, Roles, Teams, Tokens, UnmappedAccounts
from counterfoil.app.actions import Done, act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.app.sessions import Sessions
from counterfoil.clock import SteppedClock, format_time
from counterfoil.errors import RequestError
from counterfoil.events.entry import read_entry
from counterfoil.events.event import make_event
from counterfoil.policy.access import LOG, Credential
from tests.app.directories import HEAD, take_over
from tests.own_token import own_token

_numbers = itertools.count()


def do(home: Home, action: str, /, **given: Any) -> Done:
    return act(home, LOCAL, action, given, "cli")


def refusal(home: Home, action: str, /, **given: Any) -> RequestError:
    """Return why an action is refused; it must have changed nothing."""
    before = home.ledger.status(LOG).size
    with pytest.raises(RequestError) as refused:
        do(home, action, **given)
    assert home.ledger.status(LOG).size == before
    return refused.value


@pytest.fixture(autouse=True)
def known(home: Home) -> None:
    """Ana and Bo, persons; a service and an agent."""
    do(home, "actor-describe", handle="ana-dev", name="Ana Dev")
    do(home, "actor-describe", handle="bo-dev")
    do(home, "actor-describe", handle="shop-ci", kind="service")
    do(home, "actor-describe", handle="fixer", kind="agent", behalf="ana-dev")
    do(home, "account-link", handle="bo-dev", account="github.com:bo-dev")


REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "an agent of nobody": ("usage", "actor-describe", {"handle": "x", "kind": "agent"}),
    "an agent of a service": (
        "usage", "actor-describe", {"handle": "x", "kind": "agent", "behalf": "shop-ci"}),
    "an agent of an agent": (
        "usage", "actor-describe", {"handle": "x", "kind": "agent", "behalf": "fixer"}),
    "an agent of somebody unknown": (
        "actor_unknown", "actor-describe", {"handle": "x", "kind": "agent", "behalf": "y"}),
    "another kind for a handle": ("actor_taken", "actor-describe", {"handle": "shop-ci"}),
    "a handle that reads like another": ("actor_taken", "actor-describe", {"handle": "ana_dev"}),
    "a handle in other letters": ("usage", "actor-describe", {"handle": "\u0430na"}),
    "an over-long name": ("usage", "actor-describe", {"handle": "x", "name": "x" * 201}),
    "removing nobody": ("actor_unknown", "actor-remove", {"handle": "x"}),
    "an account of somebody else": (
        "account_taken", "account-link", {"handle": "ana-dev", "account": "github.com:bo-dev"}),
    "an account that is theirs already": (
        "account_taken", "account-link", {"handle": "bo-dev", "account": "github.com:bo-dev"}),
    "an account in other letters": (
        "account_lookalike", "account-link",
        {"handle": "ana-dev", "account": "github.com:b\u043e-dev"}),
    "an account whose letters are all others": (
        "account_lookalike", "account-link",
        {"handle": "ana-dev", "account": "github.com:\u042c\u043e-dev"}),
    "an account in capitals": (
        "account_lookalike", "account-link", {"handle": "ana-dev", "account": "github.com:BO-dev"}),
    "an account with a 0 for an o": (
        "account_lookalike", "account-link", {"handle": "ana-dev", "account": "github.com:b0-dev"}),
    "an account of a host with a dot": (
        "account_lookalike", "account-link",
        {"handle": "ana-dev", "account": "github.com.:bo-dev"}),
    "an account of wide letters": (
        "account_lookalike", "account-link", {"handle": "ana-dev", "account": "github.com:\uff42"}),
    "an account of the ledger itself": (
        "usage", "account-link", {"handle": "ana-dev", "account": "counterfoil:bo-dev"}),
    "an account from a day to come": (
        "usage", "account-link", {"handle": "ana-dev", "account": "a:b", "since": "2027-01-01"}),
    "an account that ends before it begins": (
        "usage", "account-link",
        {"handle": "ana-dev", "account": "a:b", "since": "2026-02-01", "until": "2026-01-01"}),
    "unlinking what is another's": (
        "not_found", "account-unlink", {"handle": "ana-dev", "account": "github.com:bo-dev"}),
    "a member of no team": ("not_found", "member-join", {"team": "x", "handle": "ana-dev"}),
    "a turn of somebody unknown": (
        "actor_unknown", "team-describe",
        {"team": "x", "turns": ["y"], "turns_from": "2026-01-01", "turn_days": 7}),
    "turns without a length": (
        "usage", "team-describe", {"team": "x", "turns": ["ana-dev"], "turns_from": "2026-01-01"}),
    "removing no team": ("not_found", "team-remove", {"team": "x"}),
    "a service as a deputy": ("usage", "deputy-name", {"handle": "ana-dev", "deputy": "shop-ci"}),
    "one's own deputy": ("usage", "deputy-name", {"handle": "ana-dev", "deputy": "ana-dev"}),
    "ending what is none": (
        "not_found", "deputy-end", {"handle": "ana-dev", "deputy": "bo-dev"}),
    "a token to report that may not record": (
        "usage", "token-issue", {"name": "x", "projects": ["default"], "verbs": ["report"]}),
    "a field nobody knows": ("usage", "actor-describe", {"handle": "x", "email": "a@b"}),
    "showing nobody": ("not_found", "person-show", {"handle": "x"}),
}  # fmt: skip


@pytest.mark.parametrize(("code", "name", "given"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_and_changes_nothing(
    home: Home, code: str, name: str, given: dict[str, Any]
) -> None:
    assert refusal(home, name, **given).code == code


def test_two_deputies_in_a_circle_are_refused_and_one_after_the_other_is_not(home: Home) -> None:
    july, august = ("2027-07-01", "2027-08-01"), ("2027-08-01", "2027-09-01")
    given = {"since": july[0], "until": july[1]}
    do(home, "deputy-name", handle="ana-dev", deputy="bo-dev", **given)

    refused = refusal(home, "deputy-name", handle="bo-dev", deputy="ana-dev", **given)
    after = {"since": august[0], "until": august[1]}
    do(home, "deputy-name", handle="bo-dev", deputy="ana-dev", **after)

    assert "circle" in refused.message


def test_a_person_is_shown_with_all_that_is_theirs(home: Home) -> None:
    do(home, "team-describe", team="checkout")
    do(home, "member-join", team="checkout", handle="bo-dev")
    do(home, "role-grant", to="team:checkout", role="developer")
    do(home, "role-grant", to="ana-dev", role="approver", tier="production")
    do(home, "deputy-name", handle="ana-dev", deputy="bo-dev")
    own_token(home, "bo-dev", name="laptop", projects=["default"])

    found = do(home, "person-show", handle="bo-dev")

    assert isinstance(found, Person)
    assert [one.account for one in found.accounts] == ["github.com:bo-dev"]
    assert {(one.to, one.role) for one in found.roles} == {
        ("team:checkout", "developer"), ("ana-dev", "approver"),
    }  # fmt: skip
    assert found.stands_in_for == ("ana-dev",)
    assert [(one.name, one.state) for one in found.tokens] == [("laptop", "live")]


def test_a_removed_persons_token_is_listed_as_such(home: Home) -> None:
    own_token(home, "bo-dev", name="laptop", projects=["default"])
    do(home, "actor-remove", handle="bo-dev")

    tokens, people = do(home, "tokens-list"), do(home, "people-list", removed=True)

    assert isinstance(tokens, Tokens)
    assert isinstance(people, People)
    assert [one.state for one in tokens.tokens] == ["holder removed"]
    assert [one.handle for one in people.people if one.removed] == ["bo-dev"]


@pytest.mark.parametrize("by_file", [False, True], ids=["by name", "by a file"])
def test_whoever_is_removed_is_signed_in_no_more_not_even_when_they_come_back(
    home: Home, by_file: bool
) -> None:
    sessions = Sessions(home.state.sign_in, home.clock, home.randomness)
    bo = home.access.require_actor("bo-dev").ref
    opened = sessions.open(actor=bo, handle="bo-dev", began="passkey")
    assert sessions.find(opened.cookie) is not None

    if by_file:
        less = HEAD + "actors:\n  - handle: ana-dev\n"
        take_over(home, less, remove_missing=True)
    else:
        do(home, "actor-remove", handle="bo-dev")
    do(home, "actor-describe", handle="bo-dev")

    assert sessions.find(opened.cookie) is None
    size = home.ledger.status(LOG).size
    types = [read_entry(one).type for one in home.log.entries(LOG, size - 2, size)]
    assert [one.rpartition("-")[2] for one in types] == [
        "session.ended.0.1.0", "actor.described.0.1.0",
    ]  # fmt: skip


def test_lists_say_where_and_until_when(home: Home) -> None:
    do(home, "role-grant", to="ana-dev", role="approver", project="default", until="2027-01-01")
    do(home, "team-describe", team="checkout", turns=["ana-dev"], turns_from="2026-11-01",
       turn_days=7)  # fmt: skip

    roles, teams = do(home, "roles-list"), do(home, "teams-list")

    assert isinstance(roles, Roles)
    assert isinstance(teams, Teams)
    [grant], [team] = roles.grants, teams.teams
    assert (grant.to, grant.project, grant.until, grant.holds) == (
        "ana-dev", "default", "2027-01-01", True,
    )  # fmt: skip
    assert (team.team, team.on_turn) == ("team:checkout", "ana-dev")


@pytest.mark.parametrize("by", ["by name", "by a file", "by a token"])
def test_a_handle_keeps_its_kind_for_life(home: Home, by: str) -> None:
    """Approvals a person gave must not read as those of a machine of the same name."""
    do(home, "actor-remove", handle="bo-dev")

    if by == "by name":
        refused = refusal(home, "actor-describe", handle="bo-dev", kind="service")
        assert refused.code == "actor_taken"
    elif by == "by a file":
        with pytest.raises(RequestError, match="line 3: bo-dev was a person"):
            take_over(home, HEAD + "actors:\n  - {handle: bo-dev, kind: service}\n")
    else:
        assert refusal(home, "token-issue", name="bo-dev", projects=["*"]).code == "actor_taken"
    assert do(home, "actor-describe", handle="bo-dev").said == "bo-dev is known as a person"


# Accounts that are nobody's


def acts(home: Home, account: str, times: int) -> None:
    """Record events that somebody is said to have done."""
    events = [
        make_event(
            type="com.example.done", source="https://ci.example/", id=f"{next(_numbers)}",
            time="2026-11-20T12:00:00Z", authtype="user", authid=account, subject=None, data={},
        )
        for _ in range(times)
    ]  # fmt: skip
    home.recorder.record("default", events, LOCAL, "cli")


def nobodys(home: Home, **given: Any) -> list[tuple[str, int]]:
    found = do(home, "accounts-unmapped", **given)
    assert isinstance(found, UnmappedAccounts)
    return [(one.account, one.acts) for one in found.accounts]


def test_accounts_that_acted_and_are_nobodys_are_counted(home: Home, clock: SteppedClock) -> None:
    acts(home, "github.com:zed", 3)
    clock.step(60)
    acts(home, "github.com:ana-dev", 5)
    acts(home, "github.com:bo-dev", 7)
    acts(home, "counterfoil:ana-dev", 2)

    assert nobodys(home) == [("github.com:ana-dev", 5), ("github.com:zed", 3)]
    found = do(home, "accounts-unmapped")
    assert isinstance(found, UnmappedAccounts)
    assert [one.last for one in found.accounts] == [
        "2026-11-20T14:04:22.000Z", "2026-11-20T14:03:22.000Z",
    ]  # fmt: skip


def test_an_account_with_somebodys_name_is_not_taken_for_theirs(home: Home) -> None:
    """Never guessed: not by the login, not by a name."""
    acts(home, "gitlab.com:bo-dev", 1)
    acts(home, "mail:Ana Dev", 1)

    assert nobodys(home) == [("gitlab.com:bo-dev", 1), ("mail:Ana Dev", 1)]


def test_a_linked_account_is_nobodys_no_more_and_an_unlinked_one_is_again(
    home: Home, clock: SteppedClock
) -> None:
    acts(home, "github.com:zed", 1)
    do(home, "account-link", handle="ana-dev", account="github.com:zed")
    assert nobodys(home) == []

    clock.step(60)
    do(home, "account-unlink", handle="ana-dev", account="github.com:zed")
    acts(home, "github.com:zed2", 1)
    clock.step(60)
    acts(home, "github.com:zed", 1)
    clock.step(60)

    assert nobodys(home) == [("github.com:zed", 2), ("github.com:zed2", 1)]


def test_an_account_that_was_somebodys_when_it_acted_last_is_not_nobodys(
    home: Home, clock: SteppedClock
) -> None:
    """It is accounted for, though nobody's today: listing it would ask for a second owner."""
    do(home, "account-link", handle="ana-dev", account="github.com:zed", until="2026-11-21")
    acts(home, "github.com:zed", 1)
    clock.step(86_400)

    assert nobodys(home) == []


def test_the_most_active_come_first_and_the_rest_is_counted(home: Home) -> None:
    for number in range(4):
        acts(home, f"x:{number}", number + 1)

    found = do(home, "accounts-unmapped", limit=2)

    assert isinstance(found, UnmappedAccounts)
    assert [one.account for one in found.accounts] == ["x:3", "x:2"]
    assert found.total == 4
    assert refusal(home, "accounts-unmapped", limit=0).code == "usage"


# An account that is handed over


def zed_is_handed_over(home: Home, clock: SteppedClock) -> str:
    """Ana acts as zed, then gives the account up; return when."""
    do(home, "account-link", handle="ana-dev", account="github.com:zed")
    clock.step(60)
    acts(home, "github.com:zed", 2)
    clock.step(60)
    when = format_time(clock.now())
    do(home, "account-unlink", handle="ana-dev", account="github.com:zed")
    return when


@pytest.mark.parametrize("gone", [False, True], ids=["who is there", "who is removed"])
def test_an_account_is_not_dated_back_into_the_time_of_somebody_else(
    home: Home, clock: SteppedClock, gone: bool
) -> None:
    """What they did under it is theirs: it must not become another's by a date."""
    when = zed_is_handed_over(home, clock)
    clock.step(60)
    if gone:
        do(home, "actor-remove", handle="ana-dev")
    given = {"handle": "bo-dev", "account": "github.com:zed"}

    refused = refusal(home, "account-link", since="2020-01-01", **given)
    done = do(home, "account-link", since=when, **given)

    assert refused.code == "account_taken"
    assert "ana-dev's until" in refused.message
    assert len(done.entries) == 1


def test_an_account_is_dated_back_before_somebody_else_had_it(
    home: Home, clock: SteppedClock
) -> None:
    """It was bo's first; only a link that reaches into ana's time is refused."""
    zed_is_handed_over(home, clock)
    given = {"handle": "bo-dev", "account": "github.com:zed", "since": "2020-01-01"}

    assert refusal(home, "account-link", until="2027-01-01", **given).code == "account_taken"
    assert do(home, "account-link", until="2021-01-01", **given).entries


def test_a_file_does_not_date_an_account_back_into_the_time_of_who_is_removed(
    home: Home, clock: SteppedClock
) -> None:
    zed_is_handed_over(home, clock)
    do(home, "actor-remove", handle="ana-dev")
    clock.step(60)
    bo = "  - handle: bo-dev\n    accounts:\n"
    line = "      - {account: github.com:zed, since: 2020-01-01}\n"

    with pytest.raises(RequestError, match="ana-dev's at that time"):
        take_over(home, f"{HEAD}actors:\n{bo}{line}")


def test_a_search_for_somebody_finds_a_handed_over_account_only_while_it_was_theirs(
    home: Home, clock: SteppedClock
) -> None:
    zed_is_handed_over(home, clock)
    clock.step(60)
    acts(home, "github.com:zed", 1)
    clock.step(60)
    do(home, "account-link", handle="bo-dev", account="github.com:zed")
    clock.step(60)
    acts(home, "github.com:zed", 3)
    home.follower.catch_up("default")

    def found(who: str) -> int:
        return home.reader.search("default", f"actor:{who}").total

    assert (found("ana-dev"), found("bo-dev")) == (2, 3)
    assert found("github.com:zed") == 6


# Who may look


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("administrator", True), ("auditor", True), ("viewer", False), ("approver", False)],
)
def test_names_are_listed_for_who_runs_the_ledger_or_may_open_names(
    home: Home, role: str, allowed: bool
) -> None:
    do(home, "role-grant", to="ana-dev", role=role)
    actor = home.access.require_actor("ana-dev").ref
    session = Credential(id="session:x", kind="session", handle="ana-dev", actor=actor)

    if allowed:
        assert isinstance(act(home, session, "people-list", {}, "api"), People)
    else:
        with pytest.raises(RequestError) as refused:
            act(home, session, "people-list", {}, "api")
        assert refused.value.code == "not_allowed"
