"""Decisions in memory: how long a yes is remembered, and how long a passkey counts."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from counterfoil.app.access import ASKED_MAX, Access
from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.clock import SteppedClock, format_time
from counterfoil.policy.access import LOG, Credential, Decision
from counterfoil.policy.places import place_of

OWNER = Credential("local", "local", "local:owner")
HOUR_S = 3600.0


def person(home: Home, handle: str, role: str, until: str = "") -> Credential:
    """Describe a person with a role, and return what their session is worth just now."""
    act(home, OWNER, "actor-describe", {"handle": handle}, "api")
    act(home, OWNER, "role-grant", {"to": handle, "role": role, "until": until}, "api")
    ref = home.access.require_actor(handle).ref
    return Credential(
        f"session:{handle}", "session", handle, actor=ref, verified=format_time(home.clock.now())
    )


@pytest.mark.parametrize(
    ("after_s", "counts"),
    [(0.0, True), (299.0, True), (300.0, False), (-1.0, False)],
    ids=["at once", "just within", "five minutes later", "a clock that was set back"],
)
def test_a_shown_passkey_counts_for_five_minutes(
    home: Home, clock: SteppedClock, after_s: float, counts: bool
) -> None:
    """The same five minutes for the policies as for one's own account."""
    ana = person(home, "ana", "administrator")

    clock.step(after_s)

    assert home.access.decide(ana, "people", LOG).allowed is counts


def test_a_passkey_shown_in_the_future_counts_for_nothing(home: Home) -> None:
    ana = dataclasses.replace(
        person(home, "ana", "administrator"), verified="2099-01-01T00:00:00.000Z"
    )

    assert not home.access.decide(ana, "people", LOG).allowed


def test_a_yes_that_was_given_while_something_ended_is_not_remembered(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be good until the next change, long after the end."""
    bo = person(home, "bo", "viewer")
    soon = format_time(clock.now() + timedelta(seconds=HOUR_S))
    ana = dataclasses.replace(person(home, "ana", "viewer", until=soon), verified="")
    ask = Access.ask
    slow = [True]

    def asked(access: Access, credential: Credential, *about: Any) -> Decision:
        found = ask(access, credential, *about)
        if slow.pop() if slow else False:
            # Before the answer comes back an hour goes by, and somebody else asks.
            clock.step(HOUR_S)
            access.decide(bo, "read", "default")
        return found

    monkeypatch.setattr(Access, "ask", asked)

    assert home.access.decide(ana, "read", "default").allowed
    assert not home.access.decide(ana, "read", "default").allowed


def test_the_last_questions_are_kept_for_replays_and_each_once(home: Home) -> None:
    ana = person(home, "ana", "viewer")
    home.access.asked.clear()
    for number in range(ASKED_MAX + 5):
        home.access.ask(ana, "read", place_of(f"p{number}"))
        home.access.ask(ana, "read", place_of(f"p{number}"))

    kept = [one.object.project for one in home.access.asked.values()]

    assert kept == [f"p{number}" for number in range(5, ASKED_MAX + 5)]
