"""Erasing: an event first, then the keys, then every copy; and all of it again after a crash.

    words known -> event in each log, one transaction -> spools, state.db -> keys (erasable.db)
        -> sealed rows, blobs (ledger.db, blobs/) -> rows of pages (views.db) -> carried out

What must hold: no key goes before the event that says so is in the log; what an event names is
gone from every file before anybody is told that it is done; nothing is sealed under a key that is
being destroyed (`erasing_gate`); no backup copies meanwhile (`erasing_lock`).

If we crash after the event, the next opening carries it out before anybody reads.  `erasable.db`
notes up to which entry that was done, so an older one, put back, is erased again from there.

Source: docs/adr/0032-erasing.md.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from counterfoil.app.blobs import Blobs
from counterfoil.app.erased import ErasedBook
from counterfoil.app.erasing_copies import Copies
from counterfoil.app.erasing_keys import Undoing, erases_body, named_entries, undoing_of
from counterfoil.app.erasing_lock import erasing
from counterfoil.app.erasing_plan import Plan
from counterfoil.app.erasing_words import Words
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.events.erasing import Erasure, read_data
from counterfoil.events.event import Event
from counterfoil.policy.access import Credential
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.search import SearchIndex
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.stores.state import State
from counterfoil.stores.tables import Tables

if TYPE_CHECKING:
    from counterfoil.app.access import Access
    from counterfoil.app.follow import Follower
    from counterfoil.app.record import Recorder

_log = logging.getLogger(__name__)


class Eraser:
    """Carries erasures out in one open ledger.  Safe to call from several threads.

    Args:
        directory: of the ledger.
        log, keys, state, tables: its stores.
    """

    def __init__(
        self, directory: Path, log: SqliteLogStore, keys: ErasableStore, state: State,
        tables: Tables,
    ) -> None:  # fmt: skip
        self.book = ErasedBook(log, keys, keys.erasing)
        self.copies = Copies(directory, log, keys, state)
        self._directory = directory
        self._logs = log
        self._keys = keys
        self._tables = tables
        self._one = threading.RLock()
        self._holding = False
        self._emptied: list[Callable[[], bool]] = []
        self._undone = ""
        self._recorder: Recorder | None = None
        self._access: Access | None = None
        self._follower: Follower | None = None

    @property
    def undone(self) -> str:
        """Why an erasure on record is not finished, one line; "" while all are."""
        return self._undone

    def finish(self) -> int:
        """Carry out what the logs say and the keys do not know yet; return how many events.

        For the start, before anybody reads: after a crash, and after an older `erasable.db` was
        put back.  Cost: reading the entries since the last clean end.
        """
        count = 0
        for info in self._logs.projects():
            size = self._logs.head(info.project).size
            keys, copies = self._keys.erasing.upto(info.project)
            for index in self._logs.erasing.events(info.project, min(keys, copies), size):
                erasure = self.book.read(info.project, index)
                if erasure is None:
                    continue
                count += 1
                with erasing(self._directory):
                    if index >= keys:
                        self._forget_words([erasure])
                        self._destroy(info.project, erasure, None)
                    self._take_out(info.project, erasure)
                    if erases_body(erasure.parts):
                        self._clear_rows(info.project)
            self._keys.erasing.carried_out(info.project, size)
        if count:
            _log.warning(
                "%d erasures were carried out that a crash or a restore left undone", count
            )
            self.copies.truncate()
        return count

    def open(self, recorder: "Recorder", access: "Access", follower: "Follower") -> None:
        """Record, spread and have rows made again through these from here on."""
        self._recorder, self._access, self._follower = recorder, access, follower

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one who erases, while no backup copies; whoever holds it may take it again.

        For what has to be changed before an erasure, and only if there is going to be one.

        Raises:
            UnavailableError: `locked`: a backup is being taken; `storage`: an erasure is not
                finished.  Nothing was changed.
        """
        with self._one:
            if self._holding:
                yield
                return
            with erasing(self._directory):
                if self._undone:
                    raise UnavailableError(
                        "storage",
                        f"an erasure is not finished ({self._undone}); restart, which does",
                    )
                self._holding = True
                try:
                    yield
                finally:
                    self._holding = False

    def carry_out(self, project: str, event: Event, credential: Credential, via: str = "") -> int:
        """Record one event that erases, and do what it says; return its entry.

        Args:
            project: whose log it concerns.
            event: `erasure.performed` or `retention.expired`, whose data says what goes.
            credential: under which it is done.
            via: how it was asked for; the event itself is the server's own.

        Raises:
            RequestError: what recording refuses; nothing is erased then.
            UnavailableError: `locked`: a backup is being taken; otherwise what is recorded is
                carried out at the next start at the latest.
        """
        del via
        [index] = self.carry_out_together([(project, event)], credential)
        return index

    def carry_out_together(
        self, events: Sequence[tuple[str, Event]], credential: Credential
    ) -> list[int]:
        """Record events that erase in one transaction, and do what they say; see `carry_out`."""
        return self.carry_out_made(lambda: events, credential)

    def carry_out_made(
        self, make: Callable[[], Sequence[tuple[str, Event]]], credential: Credential,
        words: Words | None = None,
    ) -> list[int]:  # fmt: skip
        """As `carry_out_together`, of events that are made from what the logs hold.

        Args:
            make: returns the events, of equal data while nothing is recorded; asked before, and
                once more when nothing can be recorded any more.
            credential: under which it is done.
            words: of the people who go, if they are known; finding them reads all logs.
        """
        recorder, access = self._recorder, self._access
        assert recorder is not None, "opened first"
        assert access is not None, "opened first"
        with self.alone():
            early = make()
            undoings = self._undoings(early)
            # The directory first: whoever changes it holds it still while recording.
            with access.changing(), recorder.gate.erasing():
                # What passed the gate before may be queued still: then no log shows it yet.
                recorder.settle()
                events = make()
                if [(at, one.data) for at, one in events] != [(at, one.data) for at, one in early]:
                    undoings = self._undoings(events)
                indices = recorder.record_together(events, credential)
                with self._to_the_end():
                    erasures = [
                        self._read(project, index)
                        for (project, _), index in zip(events, indices, strict=True)
                    ]
                    self._forget_words(erasures, words)
                    for (project, _), one, undoing in zip(events, erasures, undoings, strict=True):
                        self._destroy(project, one, undoing)
                    access.forget({one.subject for one in erasures if one.subject})
            with self._to_the_end():
                self._end(events, erasures)
        return indices

    def _end(self, events: Sequence[tuple[str, Event]], erasures: Sequence[Erasure]) -> None:
        dropped: set[str] = set()
        for (project, _), one in zip(events, erasures, strict=True):
            self._take_out(project, one)
            if project not in dropped and erases_body(one.parts):
                # Of all its events the keys are gone by now: once is enough.
                dropped.add(project)
                self._drop_rows(project)
        for (project, _), one in zip(events, erasures, strict=True):
            self._keys.erasing.carried_out(project, one.index + 1)
        self._emptied.append(self.copies.truncate)
        self.tidy()

    def plan(
        self, blobs: Blobs, *, subjects: Sequence[str] = (), words: Words | None = None,
        named: Iterable[tuple[str, tuple[int, str]]] = (),
    ) -> Plan:  # fmt: skip
        """Return what an erasure would take; see `Plan`."""
        return Plan(
            log=self._logs, keys=self._keys, blobs=blobs, book=self.book,
            subjects=subjects, words=words, named=named,
        )  # fmt: skip

    def tidy(self) -> None:
        """Empty what a reader kept from being emptied; from time to time, until it is done."""
        self._emptied = [again for again in self._emptied if not again()]

    def close(self) -> None:
        """Note how far the logs are: the next start need not look at what is behind."""
        for info in self._logs.projects() if not self._undone else ():
            self._keys.erasing.carried_out(info.project, self._logs.head(info.project).size)

    @contextlib.contextmanager
    def _to_the_end(self) -> Iterator[None]:
        """Remember that something recorded was not carried out: then the next start has to."""
        try:
            yield
        except BaseException as error:
            self._undone = str(error) or type(error).__name__
            raise

    def _undoings(self, events: Sequence[tuple[str, Event]]) -> list[Undoing]:
        """Make ready to destroy what each of some events names, but nothing twice."""
        read = [
            (project, *read_data(event.data if isinstance(event.data, dict) else {}))
            for project, event in events
        ]
        every = {
            (project, kept.index, name)
            for project, parts, _ in read
            for kept, _, names in named_entries(self._logs, project, parts)
            for name in names
        }
        made = [
            Undoing(self._logs, self._keys, self.book, project, parts, subject, every)
            for project, parts, subject in read
        ]
        for one in made:
            one.survey()
        return made

    def _read(self, project: str, index: int) -> Erasure:
        found = self.book.read(project, index)
        if found is None:
            raise EvidenceError("damaged", f"entry {index} of {project} was to erase and does not")
        return found

    def _forget_words(self, erasures: Sequence[Erasure], words: Words | None = None) -> None:
        """Take out what only the words of people lead to, while their keys still tell them."""
        subjects = {one.subject for one in erasures if one.subject}
        self.copies.forget_words(words or self.copies.words_of(subjects), subjects)

    def _destroy(self, project: str, erasure: Erasure, undoing: Undoing | None) -> None:
        """Destroy the keys: from here on nothing of it can be read, here or in older copies."""
        if undoing is None:
            undoing = undoing_of(self._logs, self._keys, self.book, project, erasure)
        self._keys.erasing.destroy(undoing.destruction(erasure.index))

    def _take_out(self, project: str, erasure: Erasure) -> None:
        self.copies.take_out(project, erasure)

    def _drop_rows(self, project: str) -> None:
        assert self._follower is not None, "opened first"
        if not self._follower.erase(project):
            self._emptied.append(self._tables.shrink)

    def _clear_rows(self, project: str) -> None:
        """Drop rows at the start: nobody follows yet."""
        with self._tables.write(project) as writing:
            writing.clear()
            SearchIndex().clear(writing.connection, project)
        self._tables.shrink()
