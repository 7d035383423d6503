"""Is a range of entries whole?  Yes or no, and nothing about what is wrong.

The rules are those of `counterfoil.verifier.rules`, `BlobsCheck` and `read_entry`, which the
check that names cells follows too.  What is left out here is all that blame needs: names of
cells, what was tried, what may be excused.  So "no" may be too strict, and the other check then
decides; "yes" has to be right.

Source: docs/adr/0003-entry-format-1.md; the schema in stores/sqlite_statements.py.
"""

import itertools
import operator
from collections.abc import Sequence
from typing import Protocol

from counterfoil.errors import CounterfoilError
from counterfoil.events import canonical, codec, commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry, read_entry
from counterfoil.tlog.tile import TILE_WIDTH
from counterfoil.tlog.tree import leaf_hash
from counterfoil.verifier import rules
from counterfoil.verifier.blobs import BlobsCheck
from counterfoil.verifier.kept import BlobRow, KeptRows, RowNames
from counterfoil.verifier.opened import Opened
from counterfoil.verifier.report import Findings
from counterfoil.verifier.rows import RowsCheck, Tally

PieceCells = tuple[int, int, str, str, bytes]
"""A row of `bodies`: index, position, name, owner, data."""


class RangeRows(KeptRows, Protocol):
    """The rows of one log, many at a time.  Ranges are half-open.

    Each of these raises EvidenceError for a cell that is not of its column's type.
    """

    def tile(self, level: int, n: int) -> bytes | None:
        """Return a tile as stored."""
        ...

    def entry_cells(self, start: int, end: int) -> Sequence[tuple[int, bytes, bytes]]:
        """Return (index, entry, salt) in order of the index."""
        ...

    def event_key_cells(self, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Return (index, key) in order of the index."""
        ...

    def piece_cells(self, start: int, end: int) -> Sequence[PieceCells]:
        """Return (index, position, name, owner, data) in order of index and position."""
        ...

    def idem_cells(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[int, int, bytes]]:
        """Return (place in `keys`, index, digest) for each (source, id) that is there."""
        ...


def tally_range(rows: RangeRows, first: int, end: int) -> Tally | None:
    """Check the rows of the entries from `first` to before `end`, as one of a crew.

    Args:
        rows: all rows of the log.
        first: a multiple of 256.
        end: beyond the last entry.

    Returns:
        What was counted, or None when anything is not whole: what, is for `LedgerCheck` to say.

    Cost: about 40 us an entry, and every blob is read; memory holds one bundle and a piece of
    one blob.
    """
    check = _Whole(rows)
    for start in range(first, end, TILE_WIDTH):
        bundle = (start, min(start + TILE_WIDTH, end))
        if not (check.is_whole(*bundle) or check.is_whole_but_for_erasures(*bundle)):
            return None
    return check.tally(end - first)


def tally_listed(rows: RangeRows, first: int, end: int) -> Tally | None:
    """Check entries, their leaves and their idempotency keys, and open nothing; as `tally_range`.

    Cost: about 15 us an entry.
    """
    times = _Times(rows)
    try:
        for start in range(first, end, TILE_WIDTH):
            cells = _leaves(rows, start, min(start + TILE_WIDTH, end))
            if cells is None:
                return None
            read = [read_entry(data) for _, data, _ in cells]
            if not times.are_in_order(start, [entry.recordedtime for entry in read]):
                return None
            posted = [(entry.source, entry.id) for entry in read]
            idem = {place: index for place, index, _ in rows.idem_cells(posted)}
            if any(idem.get(place) != cell[0] for place, cell in enumerate(cells)):
                return None
    except CounterfoilError:
        return None
    return Tally(0, 0, 0, end - first)


def _leaves(rows: RangeRows, start: int, end: int) -> Sequence[tuple[int, bytes, bytes]] | None:
    """Return the entries of one bundle if each is there and what its leaf commits to."""
    entries = rows.entry_cells(start, end)
    if [one[0] for one in entries] != list(range(start, end)):
        return None
    # A server may have added to the last tile since somebody counted the entries.
    tile = rows.tile(0, start // TILE_WIDTH) or b""
    if not tile.startswith(b"".join([leaf_hash(data) for _, data, _ in entries])):
        return None
    return entries


class _Times:
    """Says whether recorded times never step back."""

    def __init__(self, rows: RangeRows) -> None:
        self._rows = rows
        self._latest = ""
        self._asked = (-1, "")

    def are_in_order(self, start: int, times: list[str]) -> bool:
        """Say whether no entry claims to be older than one before it, in another range too."""
        if start == self._asked[0]:
            self._latest = self._asked[1]
        self._asked = (start, self._latest)
        if start and not self._latest:
            [(_, before, _)] = self._rows.entry_cells(start - 1, start)
            self._latest = read_entry(before).recordedtime
        ordered = [self._latest, *times]
        self._latest = ordered[-1]
        return ordered == sorted(ordered)


class _Whole:
    """Says whether bundles are whole, and counts what it opened."""

    def __init__(self, rows: RangeRows) -> None:
        self._rows = rows
        self._pieces = 0
        self._erased = 0
        self._unkeyed = 0
        self._times = _Times(rows)
        self._found = Findings()
        self._blobs = BlobsCheck(rows, self._found, RowNames())

    def tally(self, entries: int) -> Tally:
        """Return the counts of that many entries; each of them has its row in `idem`."""
        digests = entries - self._unkeyed
        return Tally(self._pieces, self._blobs.count, digests, entries, self._erased)

    def is_whole(self, start: int, end: int) -> bool:
        """Say whether the entries of one bundle, and all rows beside them, are whole."""
        before = self._pieces, self._blobs.count
        try:
            if self.is_bundle_whole(start, end):
                return True
        except CounterfoilError:
            pass
        self._pieces, self._blobs.count = before
        return False

    def is_whole_but_for_erasures(self, start: int, end: int) -> bool:
        """Say whether all that is absent of one bundle was erased by an event of the log."""
        try:
            entries = _leaves(self._rows, start, end)
            if entries is None or not self._rows.erasures():
                return False
            times = [read_entry(data).recordedtime for _, data, _ in entries]
            findings = Findings()
            check = RowsCheck(self._rows, findings, RowNames())
            check.bundle(start, [data for _, data, _ in entries])
            tally = check.settle()
            if tally is None or len(findings) or not self._times.are_in_order(start, times):
                return False
        except CounterfoilError:
            return False
        self._pieces += tally.pieces
        self._blobs.count += tally.blobs
        self._unkeyed += end - start - tally.idem
        self._erased += tally.erased
        return True

    def is_bundle_whole(self, start: int, end: int) -> bool:
        """Say whether the entries of one bundle, and all rows beside them, are whole.

        Raises:
            CounterfoilError: they are not, or nobody can tell.
        """
        rows, indices = self._rows, list(range(start, end))
        entries, keys = _leaves(rows, start, end), rows.event_key_cells(start, end)
        if entries is None or [one[0] for one in keys] != indices:
            return False
        read = [read_entry(data) for _, data, _ in entries]
        if not self._times.are_in_order(start, [entry.recordedtime for entry in read]):
            return False
        posted = [(entry.source, entry.id) for entry in read]
        idem = {place: (index, digest) for place, index, digest in rows.idem_cells(posted)}
        pieces = {
            index: list(cells)
            for index, cells in itertools.groupby(
                rows.piece_cells(start, end), key=operator.itemgetter(0)
            )
        }
        blobs = rows.blobs(start, end)
        for place, index in enumerate(indices):
            entry, salt, key = read[place], entries[place][2], keys[place][1]
            opened = self._open(entry, salt, key, pieces.get(index, ()))
            if opened is None:
                return False
            body, personal = opened
            written = codec.write_joined(entry, body, personal)
            if idem.get(place) != (index, rules.idem_digest(key, written)):
                return False
            its_blobs = blobs.get(index, ())
            # An event names blobs by a member of that name, which its canonical form spells so.
            if its_blobs or b'"blobs":' in written or rules.blob_names(entry):
                event = codec.join(entry, body, personal)
                if not self._are_blobs_whole(index, entry, salt, key, its_blobs, event):
                    return False
        return True

    def _open(
        self, entry: Entry, salt: bytes, event_key: bytes, pieces: Sequence[PieceCells]
    ) -> tuple[bytes, dict[str, JSON]] | None:
        """Return body and personal values; None unless each is there and as committed to."""
        if not commitments.is_salt(salt) or len(event_key) != commitments.KEY_BYTES:
            return None
        wanted = rules.piece_names(entry)
        if [one[1] for one in pieces] != list(range(len(wanted))):
            return None
        body = b""
        personal: dict[str, JSON] = {}
        for _, _, name, owner, data in pieces:
            if name not in wanted or not rules.owns(entry, name, owner):
                return None
            wanted.remove(name)
            if (sealer := self._sealer(owner, event_key)) is None:
                return None
            key, account = sealer
            keys = commitments.derive(key, salt, name)
            plain = data
            if owner != rules.PLAIN:
                plain = commitments.unseal(keys.sealing, data, name)
            if not rules.is_committed(entry, keys.opening, name, plain):
                return None
            if name == "body":
                body = plain
                continue
            value = personal[name] = canonical.read_written(plain)
            if account is not None and rules.account_in(name, value) not in {None, account}:
                return None
        self._pieces += len(pieces)
        return body, personal

    def _sealer(self, owner: str, event_key: bytes) -> tuple[bytes, str | None] | None:
        """Return the key an owner seals with, and the account if it is a person."""
        if not rules.is_person(owner):
            return event_key, None
        person = self._rows.person(owner)
        if person is None or len(person.key) != commitments.KEY_BYTES:
            return None
        return person.key, person.account

    def _are_blobs_whole(
        self, index: int, entry: Entry, salt: bytes, event_key: bytes,
        blobs: Sequence[BlobRow], event: dict[str, JSON],
    ) -> bool:  # fmt: skip
        one = Opened(
            index, entry, salt, event_key, (), blobs, None, [], set(), None, {}, complete=True
        )
        self._blobs.check(one, event, readable=True)
        return one.complete and not len(self._found) and all(tried.ok for tried in one.tried)
