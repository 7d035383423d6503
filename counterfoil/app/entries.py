"""Single entries as people see them: opened as far as their keys are there, in one sentence."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from counterfoil.app.actors import Actors
from counterfoil.app.answers import BlobView, EntryView, LogLine
from counterfoil.app.opening import BLOB, BODY, RangeKeys, open_all, recorded_of
from counterfoil.errors import EvidenceError
from counterfoil.events.canonical import JSON
from counterfoil.events.codec import join
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.erasing import Erasure, Erasures
from counterfoil.events.event import TIME_UNCLAIMED
from counterfoil.events.naming import BlobName
from counterfoil.events.sentence import say
from counterfoil.ledger.append import LogStatus
from counterfoil.ledger.store import Kept, KeyStore, LogReads
from counterfoil.projections.base import Recorded, event_outcome, is_demo
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.tree import leaf_hash

UNLOGGED: Final = "lost: no entry says that it was erased"
DAMAGED: Final = "did something that cannot be shown: what is kept of it is damaged"
# Accounts, as `authid` and an actor as the subject are: who did it and with whom stays readable.
_ACCOUNTS: Final = re.compile(r"/data/refs/[0-9]+/ref")


ErasedOf = Callable[[str], Erasures]


class ReadLedger(Protocol):
    """What reading asks of the ledger."""

    def checkpoint(self, project: str) -> bytes:
        """Return the latest signed checkpoint as a note."""
        ...

    def status(self, project: str) -> LogStatus:
        """Return how a log is doing."""
        ...

    def vkey(self, project: str) -> VerifierKey:
        """Return the public key of a log."""
        ...


class Entries:
    """Opens entries.

    Args:
        log, keys: where they and their keys are.
        actors: who did it.
        erased_of: project -> what was erased of its log.
    """

    def __init__(self, log: LogReads, keys: KeyStore, actors: Actors, erased_of: ErasedOf) -> None:
        self._log = log
        self._keys = keys
        self._actors = actors
        self._erased_of = erased_of

    def lines(self, project: str, indices: range) -> list[LogLine]:
        """Return a range of entries as sentences, in order; their bodies are opened.

        Of one whose body is not what its entry commits to, the sentence says that.

        Raises:
            EvidenceError: an entry is missing, or is none.
        """
        kept = self._log.kept(project, indices.start, indices.stop)
        if not kept:
            return []
        keys = RangeKeys(self._keys, project, kept[0].index, kept[-1].index + 1)
        erasures = self._erased_of(project)
        return [self._line(one, keys, erasures) for one in kept]

    def view(self, project: str, index: int, receipt: bytes, *, personal: bool) -> EntryView:
        """Return one entry with everything that can be opened of it.

        Without `personal` the personal values of its data stay closed, and are named.

        Raises:
            EvidenceError: a part is not what the entry commits to.
        """
        [kept] = self._log.kept(project, index, index + 1)
        entry = read_entry(kept.entry)
        opened = open_all(entry, kept, self._keys, project)
        closed = () if personal else tuple(name for name in opened.personal if _is_closed(name))
        shown = {name: one for name, one in opened.personal.items() if name not in closed}
        event = join(entry, opened.body, shown)
        recorded = recorded_of(kept, entry, opened.body)
        return EntryView(
            index=index,
            entry=entry,
            bytes=kept.entry,
            leaf_hash=leaf_hash(kept.entry),
            event=event,
            erased=opened.erased,
            closed=closed,
            receipt=receipt,
            actor=self._actors.of_entry(recorded.actor, entry, opened.body),
            sentence=_sentence(recorded),
            outcome=event_outcome(recorded),
            blobs=_blobs(event, kept),
            demo=is_demo(entry.source),
            time_claimed=_time_claimed(opened.body),
            gone=_gone(kept, entry, opened.erased, self._erased_of(project)),
        )

    def _line(self, kept: Kept, keys: RangeKeys, erasures: Erasures) -> LogLine:
        entry = read_entry(kept.entry)
        damaged = False
        try:
            body = keys.open_body(entry, kept)
        except EvidenceError:
            # One damaged body must not take the page from the entries around it.
            body, damaged = None, True
        recorded = recorded_of(kept, entry, body)
        said = _sentence(recorded)
        if body is None and not damaged:
            said += f"; what it says was {_by(erasures.find(kept.index, BODY, entry))}"
        return LogLine(
            index=kept.index,
            time=entry.time,
            recordedtime=entry.recordedtime,
            actor=self._actors.of_entry(recorded.actor, entry, body),
            sentence=DAMAGED if damaged else said,
            outcome=event_outcome(recorded),
            demo=is_demo(entry.source),
            via=entry.via,
            source=entry.source,
            type=entry.type,
            subject=entry.subject,
            erased=body is None and not damaged,
            id=entry.id,
            time_claimed=_time_claimed(body),
        )


def _gone(
    kept: Kept, entry: Entry, absent: Sequence[str], erasures: Erasures
) -> tuple[tuple[str, str], ...]:
    """Return what is absent of an entry and what was erased of its files, and by which event."""
    found = {name: _by(erasures.find(kept.index, name, entry)) for name in absent}
    for name in entry.commit:
        was = erasures.find(kept.index, name, entry) if name.startswith(BLOB) else None
        if was is not None:
            found[name] = _by(was)
    return tuple(found.items())


def _by(erasure: Erasure | None) -> str:
    """Return `erased on D under R, says entry N`, or that nothing says so."""
    if erasure is None:
        return UNLOGGED
    return f"{erasure.said()}, says entry {erasure.index}"


def _is_closed(name: str) -> bool:
    """Say whether a part is a personal value of the data, and not an account."""
    return name.startswith("/") and not _ACCOUNTS.fullmatch(name)


def _time_claimed(body: bytes | None) -> bool:
    """Say whether the sender gave the time; of an erased body nothing else is known."""
    whole = msgspec.json.decode(body) if body is not None else {}
    return not (isinstance(whole, dict) and whole.items() >= TIME_UNCLAIMED.items())


def _sentence(recorded: Recorded) -> str:
    return say(recorded.entry.type, recorded.entry.subject, dict(recorded.data))


def _blobs(event: dict[str, JSON], kept: Kept) -> tuple[BlobView, ...]:
    data = event.get("data")
    named = data.get("blobs") if isinstance(data, dict) else None
    if not isinstance(named, list):
        return ()
    views = []
    for position, blob in enumerate(named):
        if not isinstance(blob, dict):
            continue
        name = BlobName(
            digest=str(blob.get("digest", "")),
            name=str(blob.get("name", "")),
            mediatype=str(blob.get("mediatype", "")),
        )
        stored = kept.blobs[position] if position < len(kept.blobs) else ""
        views.append(BlobView(name, stored or None))
    return tuple(views)
