"""What is absent by right: the events that erase or expire, read, and what each of them covers.

An event of type `erasure.performed` or `retention.expired` names parts of entries before it; a
part that is absent and named by none is an alarm.  Only an event that the server itself recorded
counts (`via` server, class technical, its body in the open): no sender can make one, and no
erasure takes it away.

Pure, and needs no key: the offline verifier reads it as the server does.  Indices count from 0,
ranges are inclusive at both ends.

Source: docs/adr/0032-erasing.md.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from counterfoil.errors import EvidenceError
from counterfoil.events import codec
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry
from counterfoil.events.kinds import OWN

ERASURE: Final = f"{OWN}erasure.performed."
EXPIRY: Final = f"{OWN}retention.expired."
MARKS: Final = (ERASURE.encode(), EXPIRY.encode())
"""One of these stands in the bytes of every entry that erases."""
EVERY: Final = "*"
BODY: Final = "body"
IDEM_ERASED: Final = bytes(32)
"""Stands in the place of the idempotency digest of an entry that something was erased of."""


class Part(msgspec.Struct, frozen=True):
    """Some parts of some entries: inclusive ranges of indices, and names of commitments."""

    ranges: tuple[tuple[int, int], ...]
    names: tuple[str, ...]


class _Data(msgspec.Struct):
    parts: tuple[Part, ...] = ()
    subject: str = ""
    request_id: str = ""
    rule: str = ""


class _Body(msgspec.Struct):
    data: _Data


_BODY: Final = msgspec.json.Decoder(_Body)


class Erasure(msgspec.Struct, frozen=True):
    """One event that erased or expired.

    Args:
        index: its entry.
        when: when it was recorded, RFC 3339.
        under: the request it was done under, or the rule.
        parts: what it names.
        subject: the pseudonym whose parts it covers; "" for nobody's.
    """

    index: int
    when: str
    under: str
    parts: tuple[Part, ...]
    subject: str = ""

    def said(self) -> str:
        """Return `erased on D under R`."""
        return f"erased on {self.when[:10]} under {self.under}"


def is_erasing(entry: Entry) -> bool:
    """Say whether an entry is one of ours that erases; who else sends such a type erases nothing."""
    return (
        entry.type.startswith((ERASURE, EXPIRY))
        and entry.via == "server"
        and entry.retention == "technical"
    )


def read_erasing(index: int, entry: Entry, body: bytes) -> Erasure:
    """Return what an event that erases covers.

    Args:
        index: of the entry.
        entry: one that `is_erasing`.
        body: its plain body.

    Raises:
        EvidenceError: `damaged`: it says nothing that could be followed.
    """
    try:
        data = _BODY.decode(body).data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError("damaged", f"entry {index} erases, but what? {error}") from error
    for part in data.parts:
        if any(not 0 <= first <= last < index for first, last in part.ranges):
            raise EvidenceError("damaged", f"entry {index} erases what is not before it")
    under = data.request_id or data.rule or "no request"
    return Erasure(index, entry.recordedtime, under, data.parts, data.subject)


def read_data(data: Mapping[str, JSON]) -> tuple[tuple[Part, ...], str]:
    """Return the parts and the subject that the data of an event names, before it is recorded.

    Raises:
        EvidenceError: `damaged`.
    """
    try:
        read = msgspec.convert(data, _Data)
    except msgspec.ValidationError as error:
        raise EvidenceError("damaged", f"this erases, but what? {error}") from error
    return read.parts, read.subject


class _Spans:
    """Ranges with what they belong to; finds those that hold an index."""

    def __init__(self, spans: Iterable[tuple[int, int, int]]) -> None:
        self._spans = sorted(spans)
        self._firsts = [first for first, _, _ in self._spans]
        self._reach: list[int] = []
        for _, last, _ in self._spans:
            self._reach.append(max(last, self._reach[-1]) if self._reach else last)

    def holding(self, index: int) -> Iterator[int]:
        at = bisect.bisect_right(self._firsts, index) - 1
        while at >= 0 and self._reach[at] >= index:
            if self._spans[at][1] >= index:
                yield self._spans[at][2]
            at -= 1


class Erasures:
    """All that was erased and expired of one log; finds by which event a part is absent.

    Args:
        erasures: of the log, in any order.

    Cost: finding is logarithmic in the number of ranges.
    """

    def __init__(self, erasures: Iterable[Erasure] = ()) -> None:
        self.all: tuple[Erasure, ...] = tuple(sorted(erasures, key=lambda one: one.index))
        self._by_index = {one.index: one for one in self.all}
        spans: dict[str, list[tuple[int, int, int]]] = {}
        self._subjects: dict[str, list[Erasure]] = {}
        for one in self.all:
            if one.subject:
                self._subjects.setdefault(one.subject, []).append(one)
            for part in one.parts:
                for name in part.names:
                    spans.setdefault(name, []).extend((*span, one.index) for span in part.ranges)
        self._spans: Mapping[str, _Spans] = {name: _Spans(some) for name, some in spans.items()}

    def __bool__(self) -> bool:
        return bool(self.all)

    def at(self, index: int) -> Erasure | None:
        """Return the event at an index."""
        return self._by_index.get(index)

    def find(self, index: int, name: str, entry: Entry, owner: str = "") -> Erasure | None:
        """Return the first event that erased a part, None if none did.

        Args:
            index: of the part's entry.
            name: of the commitment: `body`, `authid`, `blob/0`, `/data/author/email`...
            entry: the entry, which says whose the part may be.
            owner: whose key seals it, where its row still says so.
        """
        if name == BODY and entry.retention == "technical":
            return None
        found = [at for key in (name, EVERY) for at in self._named(key, index)]
        for ref in (owner,) if owner else codec.persons_of(entry, name):
            found += [one.index for one in self._subjects.get(ref, ()) if one.index > index]
        return self._by_index[min(found)] if found else None

    def names(self, index: int, entry: Entry) -> dict[str, Erasure]:
        """Return the parts of an entry that an event names, or a person's, with that event."""
        found = ((name, self.find(index, name, entry)) for name in entry.commit)
        return {name: one for name, one in found if one is not None}

    def touches(self, index: int, entry: Entry) -> bool:
        """Say whether anything of an entry may be absent by right."""
        return any(self.find(index, name, entry) is not None for name in entry.commit)

    def _named(self, key: str, index: int) -> Iterator[int]:
        spans = self._spans.get(key)
        return spans.holding(index) if spans is not None else iter(())


def as_ranges(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Return indices as inclusive ranges, ascending.

    >>> as_ranges([4, 1, 2, 9])
    [(1, 2), (4, 4), (9, 9)]
    """
    ranges: list[tuple[int, int]] = []
    for index in sorted(set(indices)):
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1] = (ranges[-1][0], index)
        else:
            ranges.append((index, index))
    return ranges


def as_parts(named: Iterable[tuple[int, str]]) -> tuple[Part, ...]:
    """Return (index, name) pairs as the parts of an event: entries with the same names together.

    >>> as_parts([(3, "body"), (4, "body"), (4, "blob/0")])
    (Part(ranges=((3, 3),), names=('body',)), Part(ranges=((4, 4),), names=('blob/0', 'body')))
    """
    names: dict[int, set[str]] = {}
    for index, name in named:
        names.setdefault(index, set()).add(name)
    together: dict[tuple[str, ...], list[int]] = {}
    for index in sorted(names):
        together.setdefault(tuple(sorted(names[index])), []).append(index)
    return tuple(Part(tuple(as_ranges(some)), key) for key, some in together.items())


def size_of(parts: Sequence[Part]) -> int:
    """Return how many entries the parts of an event name."""
    return len(
        {at for part in parts for first, last in part.ranges for at in range(first, last + 1)}
    )
