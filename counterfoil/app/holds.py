"""Legal hold: what may not be erased and does not expire, whatever the rules say.

What must hold: what is held is told by the entries themselves, read one by one, and never by a
table that follows behind; a person is held by every account of theirs, whoever has it since.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from counterfoil.app.access import Access
from counterfoil.app.keeping import Keeping
from counterfoil.clock import Clock, format_time
from counterfoil.events.refs import Named
from counterfoil.ledger.store import LogReads
from counterfoil.policy.keeping import Hold, holds_entry

PART: Final = 1_000


class HeldBy(msgspec.Struct, frozen=True):
    """A hold that stands against something.

    Attributes:
        hold: the entry that placed it.
        project: in whose log.
        case: what it is for.
        said: it in words.
        first: the first entry concerned; -1 where the hold names the person itself.
    """

    hold: int
    project: str
    case: str
    said: str
    first: int


class Outline(msgspec.Struct, frozen=True):
    """What a hold or a rule asks of an entry; the rest of its bytes is passed over."""

    type: str
    recordedtime: str
    via: str
    retention: str = msgspec.field(name="class")
    subject: str | None = None
    refs: tuple[Named, ...] = ()


_OUTLINE: Final = msgspec.json.Decoder(Outline)


def outline(entry: bytes) -> Outline:
    """Return what is asked of an entry.  Cost: about 2 us."""
    return _OUTLINE.decode(entry)


class Holds:
    """The holds of every log.  Safe to call from several threads.

    Args:
        keeping: what the logs say.
        log: where entries are read.
        access: whose accounts are whose.
        clock: tells which time of a hold is past.
    """

    def __init__(self, keeping: Keeping, log: LogReads, access: Access, clock: Clock) -> None:
        self._keeping = keeping
        self._log = log
        self._access = access
        self._clock = clock
        self.still = keeping.still
        """Held from the question to the record by whoever destroys something."""

    def over_entries(self, project: str, ranges: Iterable[Sequence[int]]) -> list[HeldBy]:
        """Return the holds over any of some entries, each with the first entry it is over.

        Args:
            project: whose log.
            ranges: pairs of indices, both inclusive.
        """
        left = {one.entry: (one, self.actors_of(one)) for one in self._holding(project)}
        found: list[HeldBy] = []
        for first, last in sorted((pair[0], pair[1]) for pair in ranges):
            for index, entry in self._entries(project, first, last + 1):
                if not left:
                    return found
                each = outline(entry)
                for number, (hold, actors) in list(left.items()):
                    if holds_entry(hold, each.subject, each.refs, each.recordedtime, actors):
                        found.append(_held(project, hold, index))
                        del left[number]
        return found

    def over_actor(self, project: str, pseudonym: str) -> list[HeldBy]:
        """Return the holds that stand against erasing what is a person's in a log.

        A hold on the person, by any account they ever had, and one over any entry the person did or
        is named in.  One on the person in a time stands until that is past, whatever is recorded by
        now: what is still to come could not be told to be theirs.

        Cost: reading the log once, 1 us an entry, and where a hold is not on a person the
        entries it might be over once more.
        """
        found, open_ = [], []
        person = self._same(pseudonym)
        now = format_time(self._clock.now())
        for hold in self._holding(project):
            lasts = not hold.until or now < hold.until
            if lasts and not person.isdisjoint(self.actors_of(hold)):
                found.append(_held(project, hold, -1))
            else:
                open_.append(hold)
        mark = pseudonym.encode()
        for hold in open_:
            actors = self.actors_of(hold)
            start, end = self.span(project, hold)
            for index, entry in self._entries(project, start, end):
                if mark not in entry:
                    continue
                each = outline(entry)
                if holds_entry(hold, each.subject, each.refs, each.recordedtime, actors):
                    found.append(_held(project, hold, index))
                    break
        return found

    def actors_of(self, hold: Hold) -> frozenset[str]:
        """Return every pseudonym of those a hold is on."""
        return frozenset(one for ref in hold.actors for one in self._same(ref))

    def span(self, project: str, hold: Hold) -> tuple[int, int]:
        """Return from which entry to which (exclusive) a hold may be over any."""
        size = self._log.head(project).size
        if not hold.ranged:
            return 0, size
        return (
            self.index_at(project, hold.since, size) if hold.since else 0,
            self.index_at(project, hold.until, size) if hold.until else size,
        )

    def index_at(self, project: str, moment: str, size: int) -> int:
        """Return the first entry recorded at `moment` or later; `size` where none is.

        Recorded times never go backwards, so this reads about 25 entries of any log.
        """

        def time_of(index: int) -> str:
            [entry] = self._log.entries(project, index, index + 1)
            return outline(entry).recordedtime

        return bisect_left(range(size), moment, key=time_of)

    def _same(self, pseudonym: str) -> frozenset[str]:
        """Return every pseudonym of whoever is, or ever had, a pseudonym.

        Not only of whom it belongs to: an account that is given to somebody else, after a hold was
        placed by it, would take the hold along.
        """
        directory = self._access.directory
        had = (link.actor for link in directory.links.get(pseudonym, ()))
        return frozenset(
            one for actor in {pseudonym, *had} for one in directory.pseudonyms_of(actor)
        )

    def _holding(self, project: str) -> list[Hold]:
        # From the log itself: what is noted beside it could have lost one.
        return self._keeping.read_again(project).holding()

    def _entries(self, project: str, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for first in range(start, end, PART):
            yield from enumerate(self._log.entries(project, first, min(first + PART, end)), first)


def held_of(holds: Collection[HeldBy]) -> str:
    """Say in one line what holds."""
    return "; ".join(one.said for one in holds)


def _held(project: str, hold: Hold, first: int) -> HeldBy:
    return HeldBy(hold.entry, project, hold.case, hold.said(), first)
