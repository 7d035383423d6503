"""What erasing asks of legal holds: whether anything that is to go is held, and by which.

A hold is not set aside by anybody's wish: whoever wants it gone ends it first, by its own event.
"""

from collections.abc import Sequence
from typing import Protocol


class HeldBy(Protocol):
    """A hold in force."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...


class Holds(Protocol):
    """Every hold in force."""

    def over_entries(self, project: str, ranges: Sequence[tuple[int, int]]) -> Sequence[HeldBy]:
        """Return the holds over entries of some inclusive ranges."""
        ...

    def over_actor(self, project: str, pseudonym: str) -> Sequence[HeldBy]:
        """Return the holds over somebody, in a project."""
        ...


class NothingHeld:
    """Where nobody keeps holds."""

    def over_entries(self, project: str, ranges: Sequence[tuple[int, int]]) -> Sequence[HeldBy]:
        """Return none."""
        del project, ranges
        return ()

    def over_actor(self, project: str, pseudonym: str) -> Sequence[HeldBy]:
        """Return none."""
        del project, pseudonym
        return ()
