"""What takes two people: who may be the second, what is done, and what a break in between leaves."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import actions as table
from counterfoil.app.access_log import what_of
from counterfoil.app.acting_two_people import Confirmed, Waiting, Waits
from counterfoil.app.actions import AskedFor, Done, act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.events.event import make_event
from counterfoil.policy.access import LOG, Credential
from counterfoil.policy.policy_set import builtin
from tests.app.approving import do, people, person
from tests.app.desk import desk

TWO_FOR_ROLES = """
@id("roles-two-people")
@reason("giving a role takes two people")
forbid (principal, action == Action::"roles", resource) unless { context.confirmed };
"""
_numbers = itertools.count()


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[Home]:
    """Two administrators, ana and dan, under a policy by which a role takes both.

    One ledger for all: every test asks for a role of somebody of its own.
    """
    with desk(tmp_path_factory.mktemp("two") / "ledger", clock) as opened:
        people(opened)
        for handle, role in (("dan", "administrator"), ("eve", "viewer")):
            do(opened, "actor-describe", handle=handle)
            do(opened, "role-grant", to=handle, role=role)
        do(opened, "actor-describe", handle="robot", kind="service")
        do(opened, "role-grant", to="robot", role="administrator")
        do(opened, "policy-activate", text=builtin().text + TWO_FOR_ROLES, reason="four eyes")
        yield opened


@pytest.fixture
def bo(home: Home) -> str:
    """Somebody without a role, of this test alone."""
    handle = f"bo-{next(_numbers)}"
    do(home, "actor-describe", handle=handle)
    return handle


def by(home: Home, handle: str, action: str, /, **given: Any) -> Any:
    return act(home, person(home, handle), action, given, "web")


def ask(home: Home, bo: str, who: str = "ana") -> AskedFor:
    asked = by(home, who, "role-grant", to=bo, role="tester")
    assert isinstance(asked, AskedFor)
    return asked


def told(home: Home, start: int) -> list[str]:
    kept = home.log.kept(LOG, start, home.log.head(LOG).size)
    return [what_of(read_entry(one.entry).type) for one in kept]


def roles(home: Home, handle: str) -> set[str]:
    ref = home.access.require_actor(handle).ref
    return {one.role for one in home.access.directory.grants.values() if one.holder == ref}


def row_of(home: Home, entry: int) -> Waiting:
    """Return what an entry asked for as it stands."""
    [row] = [one for one in by(home, "dan", "asked-list", over=True).asked if one.entry == entry]
    assert isinstance(row, Waiting)
    return row


def refusal(home: Home, credential: Credential, entry: int, **more: Any) -> RequestError:
    """Return why a yes does not count; it must have changed nothing."""
    before = home.log.head(LOG).size
    with pytest.raises(RequestError) as refused:
        act(home, credential, "confirm", {"entry": entry, **more}, "web")
    assert home.log.head(LOG).size == before
    return refused.value


def test_one_asks_and_nothing_is_done_until_another_agrees(home: Home, bo: str) -> None:
    start = home.log.head(LOG).size

    asked = ask(home, bo)
    assert not roles(home, bo)
    confirmed = by(home, "dan", "confirm", entry=asked.asked, digest=asked.digest)

    assert isinstance(confirmed, Confirmed)
    assert roles(home, bo) == {"tester"}
    # The yes stands in the log before what was done because of it.
    assert told(home, start) == [
        "action.asked", "action.confirmed", "role.granted", "action.ended",
    ]  # fmt: skip
    row = row_of(home, asked.asked)
    assert (row.by, row.second, row.state) == ("ana", "dan", "done")


def test_what_waits_shows_what_was_asked_to_whoever_decides_about_it(home: Home, bo: str) -> None:
    asked = ask(home, bo)

    seen = by(home, "dan", "asked-list")
    assert isinstance(seen, Waits)
    [row] = [one for one in seen.asked if one.entry == asked.asked]

    assert (row.action, row.by, row.state) == ("role-grant", "ana", "waits")
    assert row.why == "giving a role takes two people"
    assert row.given is not None
    assert (row.given["to"], row.given["role"]) == (bo, "tester")
    assert by(home, "eve", "asked-list").asked[0].given is None


def _deputy(home: Home) -> Credential:
    do(home, "actor-describe", handle="gil")
    do(home, "deputy-name", handle="ana", deputy="gil")
    assert home.access.decide(person(home, "gil"), "tokens", LOG).allowed
    return person(home, "gil")


def _by_another_account(home: Home) -> Credential:
    """The one who asked, come by an account of another provider."""
    do(home, "account-link", handle="ana", account="github.com:ana")
    return replace(person(home, "ana"), id="session:elsewhere")


def _service(home: Home) -> Credential:
    return Credential("token:robot", "token", "robot", actor=home.access.require_actor("robot").ref)


NOT_SECOND: dict[str, tuple[str, Callable[[Home], Credential]]] = {
    "the same person": ("confirm_refused", lambda home: person(home, "ana")),
    "the same person by another account": ("confirm_refused", _by_another_account),
    "somebody who may not": ("not_allowed", lambda home: person(home, "cy")),
    "a deputy of who asked": ("not_allowed", _deputy),
    "a service": ("two_people", _service),
    "whoever has the files": ("two_people", lambda _: LOCAL),
    "somebody who showed no passkey": (
        "not_allowed", lambda home: replace(person(home, "dan"), verified="")),
}  # fmt: skip


@pytest.mark.parametrize(("code", "who"), NOT_SECOND.values(), ids=NOT_SECOND.keys())
def test_the_second_is_another_person_who_may_it_themself(
    home: Home, bo: str, code: str, who: Callable[[Home], Credential]
) -> None:
    asked = ask(home, bo)

    assert refusal(home, who(home), asked.asked).code == code
    assert not roles(home, bo)


def test_after_seven_days_nobody_s_yes_counts(home: Home, bo: str, clock: SteppedClock) -> None:
    asked = ask(home, bo)
    clock.step(timedelta(days=7).total_seconds())

    assert refusal(home, person(home, "dan"), asked.asked).code == "confirm_refused"


def test_what_was_done_or_withdrawn_is_not_done_again(home: Home, bo: str) -> None:
    first, second = ask(home, bo), ask(home, bo)
    by(home, "dan", "confirm", entry=first.asked)
    by(home, "ana", "asked-withdraw", entry=second.asked)

    assert refusal(home, person(home, "dan"), first.asked).code == "confirm_refused"
    assert refusal(home, person(home, "dan"), second.asked).code == "confirm_refused"
    with pytest.raises(RequestError):
        by(home, "ana", "asked-withdraw", entry=second.asked)


def test_a_second_person_says_no_and_a_stranger_cannot(home: Home, bo: str) -> None:
    asked = ask(home, bo)

    with pytest.raises(RequestError):
        by(home, "eve", "asked-withdraw", entry=asked.asked)
    by(home, "dan", "asked-withdraw", entry=asked.asked, reason="not this week")

    assert row_of(home, asked.asked).state == "withdrawn"


def test_a_yes_to_something_else_than_was_read_is_none(home: Home, bo: str) -> None:
    asked = ask(home, bo)

    refused = refusal(home, person(home, "dan"), asked.asked, digest=f"sha256:{'0' * 64}")

    assert refused.code == "confirm_refused"
    assert refusal(home, person(home, "dan"), 0).code == "not_found"


def test_what_somebody_asked_for_who_may_no_more_is_not_done(home: Home, bo: str) -> None:
    do(home, "role-grant", to=bo, role="administrator")
    asked = ask(home, "eve", who=bo)
    do(home, "actor-remove", handle=bo, reason="left")

    assert refusal(home, person(home, "dan"), asked.asked).code == "confirm_refused"


def test_what_cannot_be_done_any_more_is_over(home: Home, bo: str) -> None:
    asked = ask(home, bo)
    do(home, "actor-remove", handle=bo, reason="left")

    with pytest.raises(RequestError, match=bo):
        by(home, "dan", "confirm", entry=asked.asked)

    assert row_of(home, asked.asked).state == "failed"


def test_what_broke_off_after_the_yes_is_done_by_who_said_yes_and_once(
    home: Home, bo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk between the yes and the deed: no third person is needed, and nothing is lost."""
    asked = ask(home, bo)
    real = table.actions()["role-grant"]

    def full(acting: table.Acting) -> Done:
        del acting
        raise UnavailableError("storage", "no space left on device")

    monkeypatch.setitem(table.actions(), "role-grant", replace(real, run=full))
    with pytest.raises(UnavailableError):
        by(home, "dan", "confirm", entry=asked.asked)
    monkeypatch.undo()
    do(home, "actor-describe", handle="fay")
    do(home, "role-grant", to="fay", role="administrator")
    start = home.log.head(LOG).size

    assert refusal(home, person(home, "fay"), asked.asked).code == "confirm_refused"
    by(home, "dan", "confirm", entry=asked.asked)

    assert told(home, start) == ["role.granted", "action.ended"]
    assert roles(home, bo) == {"tester"}


def test_whoever_is_no_person_cannot_ask(home: Home, bo: str) -> None:
    """A service may have the right; two people are two people."""
    with pytest.raises(RequestError) as refused:
        act(home, _service(home), "role-grant", {"to": bo, "role": "tester"}, "api")

    # Under the built-in set a service gives no roles at all; a policy might let it.
    assert refused.value.code == "not_allowed"


def test_explaining_says_that_another_person_is_needed(home: Home) -> None:
    told = by(home, "ana", "access-explain", actor="ana", verb="roles").explained

    assert not told.allowed
    assert told.reasons == ("giving a role takes two people",)
    assert told.would_pass == ("have another person confirm it",)


def test_nobody_records_what_only_the_server_says(home: Home) -> None:
    """An event of that name from outside would agree to, destroy or hold something."""
    for what in ("action.confirmed", "hold.released", "retention.expired", "erasure.performed"):
        event = make_event(
            type=f"dev.cdeventsx.counterfoil-{what}.0.9.0", source="urn:x", id=what,
            time="2026-11-20T12:00:00Z", authtype="user", authid="x", data={},
        )  # fmt: skip
        with pytest.raises(RequestError) as refused:
            home.recorder.record("default", [event], LOCAL, "cli")
        assert refused.value.code == "not_allowed"


def test_whom_two_people_erase_is_kept_in_no_request(tmp_path: Path) -> None:
    """What was asked for stands in the log for good, so a person stands in it by pseudonym."""
    example = Path(__file__).parents[2] / "docs/examples/policies/two-people-erase.cedar"
    account = "ci.example:somebody-to-erase"
    with desk(tmp_path / "ledger") as home:
        people(home)
        do(home, "actor-describe", handle="dan")
        do(home, "role-grant", to="dan", role="administrator")
        event = make_event(
            type="com.example.step.finished", source="urn:x", id="1", time="2026-11-20T12:00:00Z",
            authtype="user", authid=account, data={},
        )  # fmt: skip
        home.recorder.record("default", [event], LOCAL, "cli")
        policies = builtin().text + example.read_text("utf-8")
        do(home, "policy-activate", text=policies, reason="four eyes")

        asked = by(home, "ana", "erase", subject=account, reason="asked", request_id="DSR-1")

        given = home.asks.get(asked.asked).given
        assert given is not None
        assert given["subject"] == home.keys.known_people([account])[account].pseudonym
        by(home, "dan", "confirm", entry=asked.asked)
        assert home.keys.known_people([account]) == {}
        row = row_of(home, asked.asked)
        assert (row.by, row.second, row.state) == ("ana", "dan", "done")
