"""Which keys an erasing event destroys, and which are kept in their place.

A key seals several parts; erasing one of them must leave the others readable, so what is derived
for each of those is kept, and the key itself goes: an older copy of `ledger.db` opens with the key
and not with what was derived for another part.  A person gets another key for what comes.

Cost: an event key, nothing to speak of.  A person's key, one pass over all logs (10 us an entry)
and 100 bytes for every part of theirs that stays, so prefer erasing the person.
"""

from collections.abc import Collection, Iterable, Iterator

from counterfoil.app.erased import ErasedBook
from counterfoil.app.opening import BLOB
from counterfoil.events.commitments import derive
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.erasing import BODY, EVERY, Erasure, Part
from counterfoil.ledger.store import Kept, Person
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.erasing_keys import Destruction, PieceKey
from counterfoil.stores.sqlite import SqliteLogStore

STEP = 1_000
_EVENT = "event"
_PLAIN = "plain"


class Undoing:
    """Makes ready to destroy the keys of what one event names.

    Args:
        log, keys: the stores.
        book: what was erased before.
        project: whose log the event is in, or will be.
        parts: what it names.
        subject: the pseudonym it covers; "" for none.
        besides: (project, index, name) of what other events of the same moment name.

    Nothing may be recorded between the last `survey` and the destruction.
    """

    def __init__(
        self, log: SqliteLogStore, keys: ErasableStore, book: ErasedBook, project: str,
        parts: Iterable[Part], subject: str, besides: Collection[tuple[str, int, str]] = (),
    ) -> None:  # fmt: skip
        self._log = log
        self._keys = keys
        self._book = book
        self._project = project
        self._subject = subject
        self._besides = besides
        self._named: dict[int, set[str]] = {}
        self._stored: set[str] = set()
        self._owners: dict[str, Person] = {}
        self._surveyed: dict[str, int] = {}
        self._what = Destruction(project, -1)
        for kept, entry, names in named_entries(log, project, parts):
            self._take(kept, entry, names)

    def survey(self) -> None:
        """Find what is to outlive the keys of people, up to where the logs are now."""
        for info in self._log.projects() if self._owners else ():
            size = self._log.head(info.project).size
            for start in range(self._surveyed.get(info.project, 0), size, STEP):
                self._survey(info.project, start, min(start + STEP, size))
            self._surveyed[info.project] = size

    def destruction(self, index: int) -> Destruction:
        """Return what is to be done, once the event stands at `index`."""
        self.survey()
        what = self._what
        what.index = index
        what.renewed = sorted(self._owners)
        what.gone = [self._subject] if self._subject else []
        what.blobs = self._unneeded()
        return what

    def _take(self, kept: Kept, entry: Entry, names: set[str]) -> None:
        owners = {one.name: one.owner for one in kept.sealed}
        named = {name for name in names if owners.get(name) != _PLAIN}
        self._named[kept.index] = named
        self._what.parts += [(kept.index, name) for name in sorted(named)]
        theirs = {one: owners[one] for one in named & owners.keys() if owners[one][:6] == "actor:"}
        own = self._keys.piece_keys(self._project, kept.index, kept.index + 1) if theirs else {}
        for name, owner in theirs.items():
            # One that outlived its owner's key is destroyed with the keys of its own.
            person = self._keys.person_by_pseudonym(owner)
            if person is not None and owner != self._subject and (kept.index, name) not in own:
                self._owners[owner] = person
        self._stored |= {blob_of(kept, name) for name in named} - {""}
        if any(owners.get(name, _EVENT) == _EVENT for name in named):
            self._end_event(kept, entry, owners, named)

    def _end_event(self, kept: Kept, entry: Entry, owners: dict[str, str], named: set[str]) -> None:
        key = self._keys.event_key(self._project, kept.index)
        if key is None:
            return
        before = self._book.of(self._project)
        self._what.events.append(kept.index)
        for name in entry.commit:
            its = owners.get(name, _EVENT if name.startswith(BLOB) else "")
            stays = its in {_EVENT, _PLAIN} and name not in named
            stays = stays and (self._project, kept.index, name) not in self._besides
            if stays and before.find(kept.index, name, entry, its) is None:
                own = derive(key, kept.salt, name)
                self._what.kept.append(PieceKey(self._project, kept.index, name, _EVENT, own))

    def _survey(self, project: str, start: int, end: int) -> None:
        here = project == self._project
        pieces: set[tuple[int, str]] | None = None
        for kept in self._log.kept(project, start, end):
            for sealed in kept.sealed:
                person = self._owners.get(sealed.owner)
                if person is None or (here and sealed.name in self._named.get(kept.index, ())):
                    continue
                if pieces is None:
                    pieces = set(self._keys.piece_keys(project, start, end))
                also = (project, kept.index, sealed.name) in self._besides
                if not also and (kept.index, sealed.name) not in pieces:
                    own = derive(person.key, kept.salt, sealed.name)
                    self._what.kept.append(
                        PieceKey(project, kept.index, sealed.name, sealed.owner, own)
                    )

    def _unneeded(self) -> list[str]:
        """Return the stored names of blobs that every entry naming them has had erased."""
        needed = set()
        for project, index, position, stored in (
            self._log.erasing.naming(self._stored) if self._stored else ()
        ):
            name = f"{BLOB}{position}"
            here = project == self._project and name in self._named.get(index, ())
            if here or (project, index, name) in self._besides:
                continue
            [data] = self._log.entries(project, index, index + 1)
            if self._book.of(project).find(index, name, read_entry(data)) is None:
                needed.add(stored)
        return sorted(self._stored - needed)


def undoing_of(
    log: SqliteLogStore, keys: ErasableStore, book: ErasedBook, project: str, erasure: Erasure
) -> Undoing:
    """Make ready for an event that is recorded."""
    return Undoing(log, keys, book, project, erasure.parts, erasure.subject)


def named_entries(
    log: SqliteLogStore, project: str, parts: Iterable[Part]
) -> Iterator[tuple[Kept, Entry, set[str]]]:
    """Yield the entries some parts name, each once and in order, with the names in them."""
    at: dict[int, set[str]] = {}
    for part in parts:
        for first, last in part.ranges:
            for index in range(first, last + 1):
                at.setdefault(index, set()).update(part.names)
    indices = sorted(at)
    for start in range(0, len(indices), STEP):
        some = indices[start : start + STEP]
        for first, last in _runs(some):
            for kept in log.kept(project, first, last + 1):
                entry = read_entry(kept.entry)
                every = EVERY in at[kept.index]
                yield (
                    kept,
                    entry,
                    set(entry.commit) if every else at[kept.index] & set(entry.commit),
                )


def blob_of(kept: Kept, name: str) -> str:
    """Return the stored name of a blob of an entry, "" for what is none."""
    position = name.removeprefix(BLOB) if name.startswith(BLOB) else ""
    return kept.blobs[int(position)] if position and int(position) < len(kept.blobs) else ""


def erases_body(parts: Iterable[Part]) -> bool:
    """Say whether rows were folded from what some parts name."""
    return any({BODY, EVERY} & set(part.names) for part in parts)


def _runs(indices: list[int]) -> Iterator[tuple[int, int]]:
    first = before = indices[0]
    for index in indices[1:]:
        if index != before + 1:
            yield first, before
            first = index
        before = index
    yield first, before
