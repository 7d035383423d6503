"""What an erasure would take: looked for before anything is recorded, and once more after.

Of a person: every part sealed under their keys goes by itself.  Their words also stand in what
others wrote: bodies, personal values of other people's events, evidence files.  Each part in which
one of their words stands goes as a whole, and the event names it.  What decides who may do what
(bodies and files of the directory in `_access`) stays, and is told.

Cost: every part and every blob is opened once, about 60 us an entry; what came since the last look
is looked at before the event is recorded.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from counterfoil.app.access_log import what_of
from counterfoil.app.blobs import Blobs
from counterfoil.app.erased import ErasedBook
from counterfoil.app.erasing_words import Words
from counterfoil.app.opening import BLOB, show_parts
from counterfoil.errors import CounterfoilError
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.erasing import BODY, as_parts
from counterfoil.ledger.store import Kept
from counterfoil.policy.access import LOG
from counterfoil.policy.directory import FOLDED, PUBLIC
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.sqlite import SqliteLogStore

STEP = 500
ENTRIES_PER_EVENT = 1_000
"""So many entries an event names at most: it stays far below the size of an event."""

ENTRY: Final = "entry"
"""How the public bytes of an entry are called: refs and ids that hold a name stay for ever."""

Named = tuple[int, str]
_RULES: Final = frozenset({"gate", "hold", "retention"})
"""Nouns whose events say, in their bodies, what holds from then on."""


@dataclass(slots=True)
class Going:
    """What goes of one log.

    Args:
        theirs: pseudonym -> indices of the entries with parts under that person's key.
        named: (index, name) of the parts that are named.
        stays: (index, name) of what holds words of theirs and stays.
    """

    theirs: dict[str, set[int]] = field(default_factory=dict)
    named: set[Named] = field(default_factory=set)
    stays: set[Named] = field(default_factory=set)

    def entries(self) -> set[int]:
        """Return the entries that something goes of."""
        return {index for index, _ in self.named}.union(*self.theirs.values())


class Plan:
    """What is to go, of every log.

    Args:
        log, keys, blobs, book: where to look.
        subjects: pseudonyms that go with all that is sealed under their keys.
        words: of theirs, to be looked for in what others wrote; None to leave that as it is.
        named: project -> parts that go whoever wrote them.
    """

    def __init__(
        self, *, log: SqliteLogStore, keys: ErasableStore, blobs: Blobs, book: ErasedBook,
        subjects: Sequence[str] = (), words: Words | None = None,
        named: Iterable[tuple[str, Named]] = (),
    ) -> None:  # fmt: skip
        self.subjects = tuple(subjects)
        self.of: dict[str, Going] = {}
        self._log = log
        self._keys = keys
        self._blobs = blobs
        self._book = book
        self._words = words
        self._sizes: dict[str, int] = {}
        self._seen: dict[str, bool] = {}
        self._fixed = list(named)
        for project, one in self._fixed:
            self._going(project).named.add(one)

    def look(self) -> None:
        """Look at what came since the last look."""
        for info in self._log.projects() if self.subjects else ():
            project, size = info.project, self._log.head(info.project).size
            for start in range(self._sizes.get(project, 0), size, STEP):
                for kept in self._log.kept(project, start, min(start + STEP, size)):
                    self._look_at(project, kept)
            self._sizes[project] = size
        stored = {one for one, theirs in self._seen.items() if theirs}
        for project, index, position, _ in self._log.erasing.naming(stored) if stored else ():
            self._name(project, index, f"{BLOB}{position}")

    def datas(self) -> Iterator[tuple[str, dict[str, JSON]]]:
        """Yield project and data of each event it takes, without the reason."""
        met = {one for going in self.of.values() for one in going.theirs}
        for one in self.subjects:
            if one not in met:
                # Met and never recorded: who they are goes all the same, and something says so.
                yield LOG, {"subject": one}
        for project, going in sorted(self.of.items()):
            for one in sorted(going.theirs):
                yield project, {"subject": one}
            indices = sorted({index for index, _ in going.named})
            for first in range(0, len(indices), ENTRIES_PER_EVENT):
                wanted = set(indices[first : first + ENTRIES_PER_EVENT])
                parts = as_parts(one for one in going.named if one[0] in wanted)
                listed: list[JSON] = [
                    {"ranges": [[*span] for span in part.ranges], "names": [*part.names]}
                    for part in parts
                ]
                yield project, {"parts": listed}

    def _going(self, project: str) -> Going:
        return self.of.setdefault(project, Going())

    def _look_at(self, project: str, kept: Kept) -> None:
        theirs = {one.name: one.owner for one in kept.sealed if one.owner in self.subjects}
        for owner in theirs.values():
            self._going(project).theirs.setdefault(owner, set()).add(kept.index)
        if self._words is None:
            return
        entry = read_entry(kept.entry)
        if self._words.within(kept.entry):
            self._going(project).stays.add((kept.index, ENTRY))
        plain = {one.name for one in kept.sealed if one.owner == "plain"}
        try:
            parts = show_parts(entry, kept, self._keys, project, personal=True)
        except CounterfoilError:
            parts = []  # damaged: verify says so, and nothing of it is readable as it is
        for part in parts:
            if part.name not in theirs.keys() | plain and self._words.within(part.plain):
                self._name(project, kept.index, part.name, entry)
        for stored in set(kept.blobs) - {""} - self._seen.keys():
            self._seen[stored] = self._holds(stored)

    def _holds(self, stored: str) -> bool:
        key = self._keys.blob_by_stored(stored)
        if key is None or self._words is None:
            return False
        try:
            return self._words.within_pieces(self._blobs.opened(key))
        except CounterfoilError:
            return False

    def _name(self, project: str, index: int, name: str, entry: Entry | None = None) -> None:
        """Have a part go, unless somebody's rights follow from it or it is gone."""
        if entry is None:
            entry = read_entry(self._log.entries(project, index, index + 1)[0])
        if self._book.of(project).find(index, name, entry) is not None:
            return
        going = self._going(project)
        (going.stays if decides(project, entry, name) else going.named).add((index, name))


def decides(project: str, entry: Entry, name: str) -> bool:
    """Say whether who may do what, or what is kept how long, follows from a part."""
    what = what_of(entry.type)
    if not (name == BODY or name.startswith(BLOB)):
        return False
    return what.partition(".")[0] in _RULES or (project == LOG and what in FOLDED - PUBLIC)
