"""What waits to be told: as much as fits, the last first."""

from counterfoil.app.actions import Done
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.web.context import Came
from counterfoil.web.told import LETTERS_MAX, Told


def test_long_texts_give_way_to_later_ones() -> None:
    """A page that goes on from a text keeps it in memory: many readers must not fill it."""
    told = Told(SteppedClock(), SeededRandomness("told"))
    text = "x" * (LETTERS_MAX // 2)

    names = [
        told.keep("session:a", Came("directory-diff", {"content": text}, Done(said="")))
        for _ in range(3)
    ]

    found = [told.take("session:a", name) is not None for name in names]
    assert found == [False, True, True]
