"""When it is said that nobody administers the ledger without a passkey."""

from collections.abc import Callable

import pytest

from counterfoil.app.last_key import WARNING, last_key_warning
from tests.policy.access_entries import ANA, BO, LATER, TEAM, Log

Told = Callable[[Log], object]


def nothing(_log: Log) -> None:
    """Tell nothing else."""


def key_of(actor: str, name: str, rp: str = "localhost") -> Told:
    return lambda log: log.add("passkey.enrolled", actor, {"passkey": name, "rp": rp})


def role(actor: str, **data: str) -> Told:
    return lambda log: log.add(
        "role.granted", actor, {"grant": f"of {actor}", "role": "administrator", **data}
    )


def both(*told: Told) -> Told:
    return lambda log: [one(log) for one in told]


def removed(log: Log) -> None:
    both(role(BO), key_of(BO, "bo"))(log)
    log.add("passkey.removed", BO, {"passkey": "bo"})


def gone(log: Log) -> None:
    both(role(BO), key_of(BO, "bo"))(log)
    log.add("actor.removed", BO)


def in_a_team(log: Log) -> None:
    both(role(TEAM), key_of(BO, "bo"))(log)
    log.add("team.described", TEAM)
    log.add("member.joined", TEAM, named=[(BO, "member")])


LAST = {
    "nobody else has one": nothing,
    "the other administrator has none": role(BO),
    "somebody else has one and is no administrator": key_of(BO, "bo"),
    "the other administrator's is removed": removed,
    "the other administrator is removed": gone,
    "the other one administers a project only": both(role(BO, project="default"), key_of(BO, "bo")),
    "the other one's role is over": both(role(BO, until="2026-12-01"), key_of(BO, "bo")),
    "the other one is of another address": both(role(BO), key_of(BO, "bo", "elsewhere.example")),
}
NOT_LAST = {
    "another of the same person": key_of(ANA, "phone"),
    "one of another administrator": both(role(BO), key_of(BO, "bo")),
    "one of an administrator by a team": in_a_team,
}


def warned(told: Told) -> str:
    log = Log()
    log.person(ANA, BO)
    both(role(ANA), key_of(ANA, "laptop"), told)(log)
    directory = log.fold()
    return last_key_warning(directory, directory.passkeys["laptop"], LATER)


@pytest.mark.parametrize("told", LAST.values(), ids=LAST)
def test_the_last_passkey_of_the_last_administrator_is_said_to_be(told: Told) -> None:
    assert warned(told) == WARNING


@pytest.mark.parametrize("told", NOT_LAST.values(), ids=NOT_LAST)
def test_a_passkey_that_is_not_the_last_is_not_said_to_be(told: Told) -> None:
    assert warned(told) == ""


def test_the_only_passkey_of_somebody_who_administers_nothing_is_not_said_to_be() -> None:
    log = Log()
    log.person(ANA)
    key_of(ANA, "laptop")(log)
    directory = log.fold()

    assert last_key_warning(directory, directory.passkeys["laptop"], LATER) == ""
