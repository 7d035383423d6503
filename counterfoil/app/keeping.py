"""Rules and holds of every log, read from the logs themselves and never behind them.

What must hold: whoever decides about erasing or expiring asks here, and hears of everything that
is in the log at that moment; only what the server itself recorded counts (`via` server).
`state.db` notes where these entries stand, so that a start does not read millions of others.  If
we crash before the note, the entries since the last one are looked at again.
"""

import threading
from typing import Final

import msgspec

from counterfoil.app.access_log import what_of
from counterfoil.app.opening import BODY, open_all
from counterfoil.events.entry import read_entry
from counterfoil.ledger.store import Kept as KeptEntry
from counterfoil.ledger.store import KeyStore, LogReads
from counterfoil.policy.keeping import Kept
from counterfoil.policy.known import Happened
from counterfoil.stores.state_keeping import KeepingRows

PART: Final = 1_000
NOTED_EVERY: Final = 50_000
"""Entries between two notes on the way through a long log."""
_MARKS: Final = (b"counterfoil-retention.", b"counterfoil-hold.")
_FOLDED: Final = frozenset({"retention.set", "retention.expired", "hold.placed", "hold.released"})


class Keeping:
    """What is said about keeping, by log.  Safe to call from several threads.

    Args:
        log, keys: where entries are read.
        rows: where it is noted which entries these are.
    """

    def __init__(self, log: LogReads, keys: KeyStore, rows: KeepingRows) -> None:
        self._log = log
        self._keys = keys
        self._rows = rows
        self._lock = threading.RLock()
        self._known: dict[str, tuple[int, Kept]] = {}
        self.still = threading.RLock()
        """Held by whoever places a hold or changes a rule, and by whoever erases or lets expire,
        from the question to the record: so nothing goes that a hold before it in the log is over.
        """

    def of(self, project: str) -> Kept:
        """Return rules and holds of a log as it stands at this moment; not to be changed.

        Raises:
            RequestError: `project_unknown`.
            EvidenceError: an entry about keeping does not open to what it commits to.

        Cost: 2 us for each entry since the last time; the first time, for each since the last note.
        """
        with self._lock:
            size = self._log.head(project).size
            if project not in self._known:
                self._known[project] = self._noted(project, size)
            seen, kept = self._known[project]
            if seen < size:
                self._take(project, kept, seen, size)
                self._known[project] = (size, kept)
            return kept

    def read_again(self, project: str) -> Kept:
        """Read a log from its beginning, whatever was noted, and return what it says.

        Before something is destroyed: whoever writes into `state.db` could have hidden a hold.
        Cost: 1 us an entry.
        """
        with self._lock:
            self._rows.forget(project)
            self._known.pop(project, None)
            return self.of(project)

    def at(self, project: str, size: int) -> Kept:
        """Return rules and holds of a log as they stood when it had `size` entries."""
        self.of(project)
        kept = Kept()
        for index in self._rows.read(project)[1]:
            if index < size:
                self._apply(project, kept, index)
        return kept

    def _noted(self, project: str, size: int) -> tuple[int, Kept]:
        seen, entries = self._rows.read(project)
        if seen > size:
            # An older ledger.db beside a later state.db: what was noted is of another future.
            self._rows.forget(project)
            seen, entries = 0, []
        kept = Kept()
        for index in entries:
            self._apply(project, kept, index)
        return seen, kept

    def _take(self, project: str, kept: Kept, seen: int, size: int) -> None:
        found: list[int] = []
        noted = seen
        for first in range(seen, size, PART):
            last = min(first + PART, size)
            for index, entry in enumerate(self._log.entries(project, first, last), first):
                if any(mark in entry for mark in _MARKS) and self._apply(project, kept, index):
                    found.append(index)
            if found or last - noted >= NOTED_EVERY:
                self._rows.add(project, last, found)
                found, noted = [], last

    def _apply(self, project: str, kept: Kept, index: int) -> bool:
        [one] = self._log.kept(project, index, index + 1)
        happened = self._happened(project, one)
        if happened is not None:
            kept.apply(happened)
        return happened is not None

    def _happened(self, project: str, one: KeptEntry) -> Happened | None:
        entry = read_entry(one.entry)
        what = what_of(entry.type)
        if what not in _FOLDED or entry.via != "server":
            return None
        opened = open_all(entry, one, self._keys, project, (BODY,))
        body = msgspec.json.decode(opened.body) if opened.body is not None else {}
        data = body.get("data") if isinstance(body, dict) else None
        return Happened(
            index=one.index,
            what=what,
            subject=entry.subject or "",
            refs=entry.refs,
            data=data if isinstance(data, dict) else {},
            time=entry.recordedtime,
            by=next((ref.ref for ref in reversed(entry.refs) if ref.role == "actor"), ""),
            credential=entry.recordedby,
        )
