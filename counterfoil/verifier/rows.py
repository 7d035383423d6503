"""What is stored beside the entries: does it open, and is it what the entries committed to?

Every cell of `ledger.db` and of the keys in `erasable.db` is reached from an entry that the tree
binds: sealed pieces and salts through the commitments, blob names and their files likewise, the
idempotency digest because it follows from the opened event and its key.  Absence counts: an
entry commits to pieces, so a piece or a key that is gone without an erasure in the log is an
`unlogged_absence`.  The recorded time of an entry is never before that of an earlier one.

Source: docs/adr/0003-entry-format-1.md, docs/adr/0005; the schema in stores/sqlite_statements.py.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import canonical, codec, commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry, read_entry
from counterfoil.verifier import rules
from counterfoil.verifier.blobs import BlobsCheck
from counterfoil.verifier.depth import Enter, unmetered
from counterfoil.verifier.kept import (
    IdemRow,
    KeptRows,
    PieceRow,
    RowNames,
    person_key,
)
from counterfoil.verifier.opened import Opened
from counterfoil.verifier.report import Findings
from counterfoil.verifier.suspects import Observation, Suspects


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was checked in a range of entries, and found to be whole.

    Args:
        pieces: sealed pieces opened.
        blobs: blobs opened.
        idem: idempotency digests compared.
        listed: idempotency rows found.
        erased: parts that are absent, as an event of the log says.
    """

    pieces: int
    blobs: int
    idem: int
    listed: int
    erased: int = 0


class RowsCheck:
    """Checks what is stored beside the entries of one log.

    Args:
        rows: where rows come from.
        findings: where findings go.
        names: how rows are called.
        enter: told of the stage idempotency.

    Cost: about 60 us an entry, and every blob is read; memory holds one bundle and a
    piece of one blob.
    """

    def __init__(
        self, rows: KeptRows, findings: Findings, names: RowNames, enter: Enter = unmetered
    ) -> None:
        self.pieces = 0
        self.idem = 0
        self._rows = rows
        self._findings = findings
        self._names = names
        self._enter = enter
        self._suspects = Suspects(findings)
        self._blobs = BlobsCheck(rows, findings, names)
        self._erased = 0
        self._absent: dict[str, tuple[int, int]] = {}
        self._accounts: dict[str, tuple[int, int]] = {}
        self._unlisted: dict[int, str] = {}
        self._listed = 0
        self._size = 0
        self._latest = ""

    @property
    def blobs(self) -> int:
        """Return how many blobs were opened."""
        return self._blobs.count

    @property
    def erased(self) -> int:
        """Return how many parts are absent as an event of the log says."""
        return self._erased + self._blobs.erased

    def bundle(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Check the rows of some entries; None stands for an entry that is not the tree's."""
        end = self._size = first + len(entries)
        salts = self._rows.salts(first, end)
        pieces = self._rows.pieces(first, end)
        blobs = self._rows.blobs(first, end)
        keys = self._rows.event_keys(first, end)
        own: dict[int, dict[str, commitments.Keys]] = {}
        for (index, name), its in self._rows.piece_keys(first, end).items():
            own.setdefault(index, {})[name] = its
        readable = dict(self._readable(first, entries))
        idem = self._idem(readable.values())
        self._check_times(readable)
        for index, entry in readable.items():
            opened = Opened(
                index, entry, salts.get(index, b""),
                keys.get(index) if keys is not None else None, pieces.get(index, ()),
                blobs.get(index, ()), idem.get((entry.source, entry.id)), [], set(), None, {},
                complete=True, own=own.get(index, {}),
            )  # fmt: skip
            self._check(opened, readable=keys is not None)

    def listed(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Check only that the idempotency keys of some entries lead to them; open nothing."""
        self._size = first + len(entries)
        readable = dict(self._readable(first, entries))
        idem = self._idem(readable.values())
        self._check_times(readable)
        for index, entry in readable.items():
            self._check_listed(index, entry, idem.get((entry.source, entry.id)))

    def _idem(self, entries: Iterable[Entry]) -> Mapping[tuple[str, str], IdemRow]:
        with self._enter("idempotency"):
            return self._rows.idem([(entry.source, entry.id) for entry in entries])

    def _check_times(self, entries: Mapping[int, Entry]) -> None:
        """Report entries that claim to be older than one before them: the server never does."""
        for index, entry in entries.items():
            if entry.recordedtime < self._latest:
                name = self._names.row("entries", index, "entry")
                message = f"recorded at {entry.recordedtime}, but one before it at {self._latest}"
                self._findings.add("damaged", name, message, index)
            else:
                self._latest = entry.recordedtime

    def _readable(self, first: int, entries: Sequence[bytes | None]) -> Iterator[tuple[int, Entry]]:
        for index, data in enumerate(entries, first):
            # Of an entry that is none, the idempotency row cannot be looked up either: it is not
            # a stray for that.
            self._unlisted[index] = ""
            if data is None:
                continue
            try:
                yield index, read_entry(data)
            except EvidenceError as error:
                name = self._names.row("entries", index, "entry")
                self._findings.add("damaged", name, error.message, index)
                continue
            del self._unlisted[index]

    def take(self, tallies: Iterable[Tally], size: int) -> None:
        """Count ranges that were checked elsewhere and are whole: together, `size` entries."""
        for one in tallies:
            self.pieces += one.pieces
            self._blobs.count += one.blobs
            self.idem += one.idem
            self._listed += one.listed
            self._erased += one.erased
        self._size = size

    def settle(self) -> Tally | None:
        """End a range: report what needed all of it, and count it if every row was there."""
        self._finish_keys()
        if self._unlisted:
            return None
        return Tally(self.pieces, self._blobs.count, self.idem, self._listed, self.erased)

    @property
    def idem_listed(self) -> int:
        """Return how many idempotency keys were found to be there."""
        return self._listed

    def finish(self, *, everything: bool = True) -> None:
        """Report what needed all entries: keys of people, and idempotency rows of no entry.

        Without `everything` some were not looked at, so rows of no entry cannot be told.
        """
        self._finish_keys()
        with self._enter("idempotency"):
            if everything:
                self._find_stray_idem()
            else:
                self._report_unlisted(self._unlisted)

    def _finish_keys(self) -> None:
        self._suspects.finish()
        for pseudonym, (first, last) in sorted(self._absent.items()):
            self._findings.add(
                "unlogged_absence", f"erasable.db people row {pseudonym}",
                "the key is gone and the log holds no erasure", first, last,
            )  # fmt: skip
        for pseudonym, (first, last) in sorted(self._accounts.items()):
            self._findings.add(
                "damaged", f"erasable.db people row {pseudonym} column account",
                "not the account that the sealed pieces name", first, last,
            )  # fmt: skip

    def _check(self, one: Opened, *, readable: bool) -> None:
        pieces = self._match_pieces(one)
        if not readable:
            one.complete = False
        elif not commitments.is_salt(one.salt):
            name = self._names.row("entries", one.index, "salt")
            message = f"a salt of {len(one.salt)} bytes, not {commitments.SALT_BYTES}"
            self._findings.add("damaged", name, message, one.index)
            one.complete = False
        else:
            if one.event_key is None or len(one.event_key) != commitments.KEY_BYTES:
                self._report_event_key(one)
            for piece in pieces:
                self._open(one, piece)
        event = self._event(one)
        self._blobs.check(one, event, readable=readable)
        self._check_idem(one, event)
        self._suspects.judge(one.index, one.tried, one.shared)

    def _event(self, one: Opened) -> dict[str, JSON] | None:
        """Return the event as far as it opened; None without its body."""
        if one.body is None:
            return None
        try:
            return codec.join(one.entry, one.body, one.personal)
        except EvidenceError as error:
            self._report_committed(one, error.message)
            return None

    def _report_committed(self, one: Opened, message: str) -> None:
        # The log commits to these bytes, so it is our own fault and no tampering; say so.
        name = self._names.row("bodies", one.index)
        self._findings.add("damaged", name, f"committed to, but {message}", one.index)

    def _report_event_key(self, one: Opened) -> None:
        name = self._names.event_key(one.index)
        if one.event_key is None and self._rows.erasures().touches(one.index, one.entry):
            # It went with a part that was erased; each of the others has keys of its own, or is
            # named below.
            return
        if one.event_key is None:
            message = "the key is gone and the log holds no erasure"
            self._findings.add("unlogged_absence", name, message, one.index)
        else:
            message = f"a key of {len(one.event_key)} bytes, not {commitments.KEY_BYTES}"
            self._findings.add("damaged", name, message, one.index)
        one.event_key = None

    def _match_pieces(self, one: Opened) -> list[PieceRow]:
        """Return the pieces the entry commits to; report rows too many, too few or misnamed."""
        wanted = rules.piece_names(one.entry)
        matched: list[PieceRow] = []
        strangers = []
        for piece in one.pieces:
            if piece.name in wanted:
                wanted.remove(piece.name)
                matched.append(piece)
            else:
                strangers.append(piece)
        for piece in strangers:
            name = self._names.piece(one.index, piece.position, "name" if wanted else "")
            message = f"the entry commits to no {piece.name[:64]!a}, or to one piece of that name"
            self._findings.add("damaged", name, message, one.index)
        if wanted:
            one.complete = False
        erased = {name for name in wanted if self._is_erased(one, name)}
        self._erased += len(erased)
        wanted -= erased
        if len(strangers) < len(wanted):
            for missing in sorted(wanted):
                name = self._names.row("bodies", one.index)
                message = f"{missing[:64]!a} is gone and the log holds no erasure"
                self._findings.add("unlogged_absence", name, message, one.index)
        positions = [piece.position for piece in one.pieces]
        if positions != list(range(len(positions))) and not wanted and not erased:
            at = next(n for n, position in enumerate([*positions, -1]) if n != position)
            name = self._names.piece(one.index, positions[at], "position")
            self._findings.add("damaged", name, f"positions {positions} have a gap", one.index)
        return matched

    def _open(self, one: Opened, piece: PieceRow) -> None:
        """Open one piece, compare it with its commitment, and keep the value if it agrees."""
        derived, cell = self._keys_of(one, piece)
        if derived is None:
            one.complete = False
            return
        self.pieces += 1
        plain: bytes | None = piece.data
        if piece.owner != rules.PLAIN:
            try:
                plain = commitments.unseal(derived.sealing, piece.data, piece.name)
            except EvidenceError:
                plain = None

        def keys() -> frozenset[str]:
            return frozenset({self._names.row("entries", one.index, "salt"), cell()})

        def cells() -> frozenset[str]:
            return keys() | {self._names.piece(one.index, piece.position, "data")}

        if plain is not None and rules.is_committed(one.entry, derived.opening, piece.name, plain):
            one.tried.append(Observation(ok=True, cells=cells, message=""))
            if piece.name == "body":
                one.body = plain
            else:
                self._keep_value(one, piece, plain)
            return
        one.complete = False
        message = f"{piece.name[:64]!a} does not open to what the entry committed to"
        if plain is not None and piece.owner != rules.PLAIN:
            # It opens, so key and salt are right: somebody who has the keys sealed other content.
            one.tried.append(Observation(ok=True, cells=keys, message=""))
            data = self._names.piece(one.index, piece.position, "data")
            self._findings.add("damaged", data, message, one.index)
            return
        one.tried.append(Observation(ok=False, cells=cells, message=message))

    def _keys_of(
        self, one: Opened, piece: PieceRow
    ) -> tuple[commitments.Keys | None, Callable[[], str]]:
        """Return the keys that open a piece and what holds them.

        None, where there are none: reported, unless an event of the log erased it.
        """

        def event_cell() -> str:
            return self._names.event_key(one.index)

        if not rules.owns(one.entry, piece.name, piece.owner):
            name = self._names.piece(one.index, piece.position, "owner")
            message = f"{piece.owner[:64]!a} is no owner of {piece.name[:64]!a} in this entry"
            self._findings.add("damaged", name, message, one.index)
            return None, event_cell
        own = one.own.get(piece.name)
        if own is not None:
            return self._own_keys(one, piece, own)
        if rules.is_person(piece.owner):
            return self._person_keys(one, piece)
        if one.event_key is not None:
            return commitments.derive(one.event_key, one.salt, piece.name), event_cell
        if self._is_erased(one, piece.name):
            self._erased += 1
        elif self._rows.erasures().touches(one.index, one.entry):
            name = self._names.piece_key(one.index, piece.name[:64])
            message = "the keys are gone and the log holds no erasure of this part"
            self._findings.add("unlogged_absence", name, message, one.index)
        return None, event_cell

    def _person_keys(
        self, one: Opened, piece: PieceRow
    ) -> tuple[commitments.Keys | None, Callable[[], str]]:
        cell = person_key(piece.owner)
        person = self._rows.person(piece.owner)
        if person is None:
            if self._is_erased(one, piece.name, piece.owner):
                self._erased += 1
                return None, lambda: cell
            first, _ = self._absent.get(piece.owner, (one.index, one.index))
            self._absent[piece.owner] = (first, one.index)
            return None, lambda: cell
        if len(person.key) != commitments.KEY_BYTES:
            self._findings.add("damaged", cell, f"a key of {len(person.key)} bytes", one.index)
            return None, lambda: cell
        one.shared.add(cell)
        return commitments.derive(person.key, one.salt, piece.name), lambda: cell

    def _own_keys(
        self, one: Opened, piece: PieceRow, own: commitments.Keys
    ) -> tuple[commitments.Keys | None, Callable[[], str]]:
        cell = self._names.piece_key(one.index, piece.name[:64])
        if {len(own.opening), len(own.sealing)} != {commitments.KEY_BYTES}:
            self._findings.add("damaged", cell, "keys of another length", one.index)
            return None, lambda: cell
        return own, lambda: cell

    def _is_erased(self, one: Opened, name: str, owner: str = "") -> bool:
        return self._rows.erasures().find(one.index, name, one.entry, owner) is not None

    def _keep_value(self, one: Opened, piece: PieceRow, plain: bytes) -> None:
        try:
            value = canonical.read_written(plain, "the piece")
        except RequestError as error:
            name = self._names.piece(one.index, piece.position, "data")
            self._findings.add("damaged", name, error.message, one.index)
            one.complete = False
            return
        one.personal[piece.name] = value
        account = rules.account_in(piece.name, value)
        if account is None or not rules.is_person(piece.owner):
            return
        person = self._rows.person(piece.owner)
        if person is None or person.account != account:
            first, _ = self._accounts.get(piece.owner, (one.index, one.index))
            self._accounts[piece.owner] = (first, one.index)

    def _check_idem(self, one: Opened, event: dict[str, JSON] | None) -> None:
        row = one.idem
        self._check_listed(one.index, one.entry, row)
        if row is None or event is None or one.event_key is None or not one.complete:
            return
        self.idem += 1
        try:
            expected = rules.idem_digest(one.event_key, canonical.write(event))
        except RequestError as error:
            self._report_committed(one, error.message)
            return

        def cells() -> frozenset[str]:
            row = self._names.row("idem", one.index, "digest")
            return frozenset({row, self._names.event_key(one.index)})

        message = "the idempotency digest is not that of the event"
        one.tried.append(
            Observation(ok=hmac.compare_digest(expected, row.digest), cells=cells, message=message)
        )

    def _check_listed(self, index: int, entry: Entry, row: IdemRow | None) -> None:
        if row is None:
            self._unlisted[index] = entry.id
            return
        self._listed += 1
        if row.index != index:
            name = self._names.row("idem", index, "idx")
            message = f"the key of entry {index} leads to entry {row.index}"
            self._findings.add("damaged", name, message, index)

    def _find_stray_idem(self) -> None:
        """Tell rows of a changed key from rows that are gone, and name those of no entry."""
        count = self._rows.idem_count()
        waiting = {index: key for index, key in self._unlisted.items() if key}
        if count != self._listed + len(self._unlisted) - len(waiting):
            waiting = self._name_strays(waiting)
        self._report_unlisted(waiting)

    def _report_unlisted(self, waiting: Mapping[int, str]) -> None:
        for index in sorted(index for index, key in waiting.items() if key):
            name = self._names.row("idem", index)
            self._findings.add("missing", name, "the entry's key is not there", index)

    def _name_strays(self, waiting: dict[int, str]) -> dict[int, str]:
        left = dict(waiting)
        seen: set[int] = set()
        for source, event_id, index in self._rows.idem_keys():
            if left.pop(index, None) is not None:
                name = self._names.row("idem", index, "source or id")
                message = f"({source[:64]!a}, {event_id[:64]!a}) is not the key of that entry"
                self._findings.add("damaged", name, message, index)
            elif index in seen or not 0 <= index < self._size:
                self._findings.add(
                    "damaged", self._names.row("idem", index), "a row too many", index
                )
            seen.add(index)
        return left
