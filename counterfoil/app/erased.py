"""The book of erasures: which events of each log erased, as the server reads them.

Derived from the log, and kept in memory; `erasable.db` notes which entries to read.
"""

import threading
from typing import Protocol

from counterfoil.app.opening import BODY, open_body
from counterfoil.errors import EvidenceError
from counterfoil.events.entry import read_entry
from counterfoil.events.erasing import Erasure, Erasures, is_erasing, read_erasing
from counterfoil.ledger.store import KeyStore, LogReads


class Noted(Protocol):
    """What `erasable.db` notes of the events that erased."""

    def erasures(self, project: str) -> list[int]:
        """Return their entries."""
        ...

    def count(self, project: str) -> int:
        """Return how many there are."""
        ...


class ErasedBook:
    """Reads events that erased.  Safe to call from several threads.

    Args:
        log, keys: where they are.
        noted: which they are.
    """

    def __init__(self, log: LogReads, keys: KeyStore, noted: Noted) -> None:
        self._log = log
        self._keys = keys
        self._noted = noted
        self._lock = threading.Lock()
        self._known: dict[str, tuple[int, Erasures]] = {}

    def of(self, project: str) -> Erasures:
        """Return what was erased of a log.  Cost: one small query, unless something was since."""
        with self._lock:
            count = self._noted.count(project)
            known = self._known.get(project)
            if known is None or known[0] != count:
                read = [self.read(project, index) for index in self._noted.erasures(project)]
                known = (count, Erasures(one for one in read if one is not None))
                self._known[project] = known
            return known[1]

    def read(self, project: str, index: int) -> Erasure | None:
        """Return what an entry erases; None if it is no event of ours that does.

        Raises:
            EvidenceError: `commitment`: its body is not what it commits to; `damaged`.
        """
        [kept] = self._log.kept(project, index, index + 1)
        entry = read_entry(kept.entry)
        if not is_erasing(entry):
            return None
        body = open_body(entry, kept, self._keys.event_key(project, index))
        if body is None:
            raise EvidenceError("missing", f"{BODY} of entry {index}, which erases, is gone")
        return read_erasing(index, entry, body)
