"""Holds: what they are over, told by the entries themselves, and that nothing of it goes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.home import Home, open_home
from counterfoil.app.keeping import Keeping
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.ids import SeededRandomness
from tests.app.approving import do
from tests.app.keeping import PROJECT, by, keeping_desk, later, tell, words_of


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[Home]:
    """One ledger for all: every test holds things of its own."""
    with keeping_desk(tmp_path_factory.mktemp("holds") / "ledger", clock) as opened:
        do(opened, "account-link", handle="bo", account="github.com:bo-dev")
        yield opened


def pseudonym(home: Home, account: str) -> str:
    return home.keys.known_people([account])[account].pseudonym


def test_a_hold_on_a_ref_stands_against_erasing_what_names_it(home: Home) -> None:
    index = tell(home, subject="release:held@1", who="ci.example:one")
    other = tell(home, subject="release:free@1", who="ci.example:two")

    placed = by(home, "ana", "hold-place", case="m-1", reason="claim", refs=("release:held@1",))

    [held] = home.holds.over_entries(PROJECT, [[index, other]])
    assert (held.hold, held.first, held.case) == (placed.hold, index, "m-1")
    assert home.holds.over_entries(PROJECT, [[other, other]]) == []
    # Whoever did something that is held is not erased: their name is part of it.
    assert [
        one.hold for one in home.holds.over_actor(PROJECT, pseudonym(home, "ci.example:one"))
    ] == [placed.hold]
    assert home.holds.over_actor(PROJECT, pseudonym(home, "ci.example:two")) == []

    by(home, "ana", "hold-release", hold=placed.hold, reason="settled")
    assert home.holds.over_entries(PROJECT, [[index, other]]) == []


def test_a_hold_on_a_person_is_over_every_account_of_theirs(home: Home) -> None:
    index = tell(home, subject="release:of-bo@1", who="github.com:bo-dev")

    placed = by(home, "ana", "hold-place", case="m-2", reason="claim", actors=("bo",))

    assert [one.first for one in home.holds.over_entries(PROJECT, [[index, index]])] == [index]
    for account in ("counterfoil:bo", "github.com:bo-dev"):
        [held] = home.holds.over_actor(PROJECT, pseudonym(home, account))
        assert (held.hold, held.first) == (placed.hold, -1)
    by(home, "ana", "hold-release", hold=placed.hold, reason="settled")


def test_a_hold_by_an_account_stays_on_whose_it_was(home: Home) -> None:
    """Else whoever may link accounts takes the hold off a person by giving one away."""
    do(home, "account-link", handle="cy", account="github.com:cy-dev")
    other = tell(home, subject="release:of-cy@1", who="counterfoil:cy")
    named = by(home, "ana", "hold-place", case="m-6", reason="x", actors=("github.com:cy-dev",))

    do(home, "account-unlink", handle="cy", account="github.com:cy-dev")
    do(home, "account-link", handle="dan", account="github.com:cy-dev")

    assert [one.hold for one in home.holds.over_entries(PROJECT, [[other, other]])] == [named.hold]
    for account in ("counterfoil:cy", "github.com:cy-dev"):
        [held] = home.holds.over_actor(PROJECT, pseudonym(home, account))
        assert (held.hold, held.first) == (named.hold, -1)
    by(home, "ana", "hold-release", hold=named.hold, reason="settled")


def test_a_person_held_in_a_time_is_not_erased_until_it_is_past(
    home: Home, clock: SteppedClock
) -> None:
    """Erased before it begins, what they do in it could not be told to be theirs."""
    tell(home, who="counterfoil:bo")
    since, until = (
        (clock.now() + timedelta(days=days)).isoformat().replace("+00:00", "Z") for days in (1, 2)
    )

    placed = by(home, "ana", "hold-place", case="m-7", reason="x", actors=("bo",), since=since,
                until=until)  # fmt: skip

    def over() -> list[int]:
        return [
            one.hold for one in home.holds.over_actor(PROJECT, pseudonym(home, "counterfoil:bo"))
        ]

    assert over() == [placed.hold]
    later(clock, 2.01)
    assert over() == []
    by(home, "ana", "hold-release", hold=placed.hold, reason="over")


def test_a_hold_on_a_time_is_over_what_was_recorded_in_it(home: Home, clock: SteppedClock) -> None:
    before = tell(home, who="ci.example:before")
    later(clock, 10)
    since = clock.now().isoformat().replace("+00:00", "Z")
    inside = tell(home, who="ci.example:inside")
    later(clock, 1)
    until = clock.now().isoformat().replace("+00:00", "Z")
    after = tell(home, who="ci.example:after")

    placed = by(home, "ana", "hold-place", case="m-3", reason="x", since=since, until=until)

    [held] = home.holds.over_entries(PROJECT, [[before, after]])
    assert held.first == inside
    people = ("before", "inside", "after")
    over = [home.holds.over_actor(PROJECT, pseudonym(home, f"ci.example:{one}")) for one in people]
    assert [len(one) for one in over] == [0, 1, 0]
    by(home, "ana", "hold-release", hold=placed.hold, reason="over")


def test_what_is_held_does_not_expire(home: Home, clock: SteppedClock) -> None:
    held, free = tell(home, subject="release:kept@1"), tell(home, subject="release:gone@1")
    do(home, "hold-place", case="m-4", reason="x", refs=("release:kept@1",))
    do(home, "retention-set", rule="all", types="*", days=92, reason="enough")
    later(clock, 101)

    ran = do(home, "retention-run")

    assert [(one.case, one.count) for one in ran.plan.held] == [("m-4", 1)]
    assert words_of(home, held)
    assert not words_of(home, free)
    do(home, "retention-set", rule="all", end=True, reason="done")


REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a hold on nothing": ("usage", "hold-place", {}),
    "a hold without a case": ("usage", "hold-place", {"case": " ", "since": "2026-01-01"}),
    "what is no ref": ("ref_invalid", "hold-place", {"refs": ("shop",)}),
    "a ref no entry names": ("not_found", "hold-place", {"refs": ("release:typo@1",)}),
    "somebody unknown": ("actor_unknown", "hold-place", {"actors": ("nobody",)}),
    "somebody as a ref": ("usage", "hold-place", {"refs": ("actor:counterfoil:bo",)}),
    "a time that ends before it begins": (
        "usage", "hold-place", {"since": "2026-02-01", "until": "2026-01-01"}),
    "a time in which nothing was recorded": ("not_found", "hold-place", {"until": "2020-01-01"}),
    "what is no time": ("usage", "hold-place", {"since": "May"}),
    "another project": ("project_unknown", "hold-place", {"project": "x", "since": "2026-01-01"}),
    "releasing what is no hold": ("not_found", "hold-release", {"hold": 0}),
}  # fmt: skip


@pytest.mark.parametrize(("code", "action", "given"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_held_is_refused_and_changes_nothing(
    home: Home, code: str, action: str, given: dict[str, Any]
) -> None:
    size = home.log.head(PROJECT).size
    usual = {"reason": "x"} if action == "hold-release" else {"case": "m", "reason": "x"}

    with pytest.raises(RequestError) as refused:
        do(home, action, **{**usual, **given})

    assert refused.value.code == code
    assert home.log.head(PROJECT).size == size


def test_a_hold_ends_once(home: Home) -> None:
    tell(home, subject="release:once@1")
    placed = do(home, "hold-place", case="m-5", reason="x", refs=("release:once@1",))
    do(home, "hold-release", hold=placed.hold, reason="settled")

    with pytest.raises(RequestError, match="released already"):
        do(home, "hold-release", hold=placed.hold, reason="again")
    with pytest.raises(RequestError):
        by(home, "bo", "hold-place", case="m", reason="x", since="2026-01-01")
    rows = {one.hold: one for one in do(home, "hold-list", released=True).holds}
    assert rows[placed.hold].released >= 0
    assert placed.hold not in {one.hold for one in do(home, "hold-list").holds}


def test_a_fresh_start_and_a_lost_note_know_every_hold(tmp_path: Path) -> None:
    """What is held is in the log; where it stands there is only noted."""
    clock = SteppedClock()
    with keeping_desk(tmp_path / "ledger", clock) as home:
        index = tell(home, subject="release:held@1")
        placed = do(home, "hold-place", case="m-1", reason="x", refs=("release:held@1",))
    with open_home(tmp_path / "ledger", clock, SeededRandomness("again")) as home:
        assert [one.hold for one in home.holds.over_entries(PROJECT, [[index, index]])] == [
            placed.hold
        ]
        assert home.state.keeping.read(PROJECT)[1] == [placed.hold]
        home.state.keeping.forget(PROJECT)
        anew = Keeping(home.log, home.keys, home.state.keeping)
        assert [one.entry for one in anew.of(PROJECT).holding()] == [placed.hold]
        # A note of another future, as an older ledger.db leaves it, is not believed.
        home.state.keeping.add(PROJECT, 10_000, [0])
        anew = Keeping(home.log, home.keys, home.state.keeping)
        assert [one.entry for one in anew.of(PROJECT).holding()] == [placed.hold]
