"""The log `_access`, read: entries as the directory takes them in, personal values opened.

What must hold: what is folded is what is in the log, checked against its commitments; nothing is
folded from what was only about to be recorded.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from counterfoil.app.opening import BODY, Pieces, open_all
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.kinds import OWN
from counterfoil.ledger.store import Kept, KeyStore, LogReads, Person
from counterfoil.policy.access import LOG
from counterfoil.policy.directory import FOLDED, PUBLIC, Happened

PART: Final = 1_000
_NAME: Final = "/data/name"
# What an event of the directory says stands in its body; the accounts it names are pseudonyms here.
_NEEDED: Final = frozenset({BODY, _NAME})


class _Remembering:
    """Keys of one part of the log, read at once; people as they are met."""

    def __init__(self, keys: KeyStore, start: int, end: int) -> None:
        self._keys = keys
        self._events = keys.event_keys(LOG, start, end)
        self._pieces = keys.piece_keys(LOG, start, end)
        self._people: dict[str, Person | None] = {}

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of an entry; None once it is erased."""
        del project
        return self._events.get(index)

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Return the person behind a pseudonym; None once erased."""
        if pseudonym not in self._people:
            self._people[pseudonym] = self._keys.person_by_pseudonym(pseudonym)
        return self._people[pseudonym]

    def piece_keys(self, project: str, start: int, end: int) -> Pieces:
        """Return the keys of parts that outlived their owner's; of all the range."""
        del project, start, end
        return self._pieces


def happened(log: LogReads, keys: KeyStore, start: int, end: int) -> Iterator[Happened]:
    """Yield what changes the directory in a range of the log, in order.

    Raises:
        EvidenceError: an entry does not open to what it commits to.
        UnavailableError: `storage`.

    Cost: about 30 us an entry that counts, 10 us one that does not.
    """
    for first in range(start, end, PART):
        last = min(first + PART, end)
        remembering = _Remembering(keys, first, last)
        for kept in log.kept(LOG, first, last):
            entry = read_entry(kept.entry)
            what = what_of(entry.type)
            if what in PUBLIC:
                yield Happened(
                    kept.index, what, entry.subject or "", entry.refs, {}, entry.recordedtime
                )
            elif what in FOLDED:
                yield _opened(kept, entry, what, remembering)


def what_of(type: str) -> str:  # noqa: A002  the name CloudEvents gives it
    """Return noun and predicate of a type of ours, such as "role.granted"; else ""."""
    if not type.startswith(OWN):
        return ""
    return ".".join(type.removeprefix(OWN).split(".")[:2])


def _opened(kept: Kept, entry: Entry, what: str, keys: _Remembering) -> Happened:
    opened = open_all(entry, kept, keys, LOG, _NEEDED)
    body = msgspec.json.decode(opened.body) if opened.body is not None else {}
    data = body.get("data") if isinstance(body, dict) else None
    subject, name = entry.subject or "", opened.personal.get(_NAME)
    accounts = {}
    if what == "actor.described" and (person := keys.person_by_pseudonym(subject)) is not None:
        accounts[subject] = person.account
    return Happened(
        index=kept.index,
        what=what,
        subject=subject,
        refs=entry.refs,
        data=data if isinstance(data, dict) else {},
        time=entry.recordedtime,
        by=next((one.ref for one in reversed(entry.refs) if one.role == "actor"), ""),
        accounts=accounts,
        name=name if isinstance(name, str) else "",
        credential=entry.recordedby,
    )
