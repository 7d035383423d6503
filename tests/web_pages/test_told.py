"""What came of a form is told to who did it, once if it is a secret, and not for ever."""

import datetime

import pytest

from counterfoil.app.acting_tokens import Issued
from counterfoil.app.actions import Done
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.web.context import Came
from counterfoil.web.told import KEPT_MAX, KEPT_S, Told

PLAIN = Came("role-grant", {}, Done(said="given", entries=(3,)))
SECRET = Came("token-issue", {}, Issued(said="made", id="token:1", token="cft_1", until="2027"))


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.at = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)

    def now(self) -> datetime.datetime:
        """Return what it is set to."""
        return self.at


@pytest.mark.parametrize(("came", "again"), [(PLAIN, PLAIN), (SECRET, None)],
                         ids=["plain", "secret"])  # fmt: skip
def test_a_secret_is_told_once_and_anything_else_on_every_reload(
    came: Came, again: Came | None
) -> None:
    told = Told(SteppedClock(), SeededRandomness("told"))
    name = told.keep("session:a", came)

    assert (told.take("session:a", name), told.take("session:a", name)) == (came, again)


def test_nothing_is_told_to_another_session() -> None:
    told = Told(SteppedClock(), SeededRandomness("told"))
    name = told.keep("session:a", SECRET)

    assert told.take("session:b", name) is None
    assert told.take("session:a", name) is SECRET


def test_nothing_is_told_after_ten_minutes() -> None:
    clock = Clock()
    told = Told(clock, SeededRandomness("told"))
    name = told.keep("session:a", PLAIN)
    clock.at += datetime.timedelta(seconds=KEPT_S)
    assert told.take("session:a", name) is PLAIN
    clock.at += datetime.timedelta(seconds=1)

    assert told.take("session:a", name) is None


def test_of_too_many_the_first_is_forgotten() -> None:
    told = Told(SteppedClock(), SeededRandomness("told"))
    names = [told.keep("session:a", PLAIN) for _ in range(KEPT_MAX + 1)]

    assert told.take("session:a", names[0]) is None
    assert told.take("session:a", names[1]) is PLAIN
