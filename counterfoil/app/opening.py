"""Opening what is kept beside an entry: keys, seals and the check against the commitments.

A part whose key is gone is erased: that is an answer, not an error; so is one that the entry
commits to and whose sealed bytes are gone as well.  A part that opens to something else than the
entry commits to is damage: stop and tell a person.

A part may outlive the key it was sealed under, when another part under that key was erased: then
its own derived keys are kept, and they are asked first.
"""

import base64
import dataclasses
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from counterfoil.errors import EvidenceError
from counterfoil.events.canonical import JSON
from counterfoil.events.commitments import Keys, commit, derive, unseal
from counterfoil.events.entry import Entry
from counterfoil.ledger.store import Kept, KeyStore, Person, Sealed
from counterfoil.projections.base import Recorded

BODY = "body"
BLOB = "blob/"

Pieces = Mapping[tuple[int, str], Keys]
"""Keys of parts that outlived their owner's, by (index, name)."""
_NONE: Pieces = {}


class OpeningKeys(Protocol):
    """What opening asks of a key store."""

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of an entry; None once it is erased."""
        ...

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Return the person behind a pseudonym; None once erased."""
        ...

    def piece_keys(self, project: str, start: int, end: int) -> Pieces:
        """Return the keys of parts of a range that outlived their owner's."""
        ...


class RangeKeys:
    """The keys of the bodies of a range of entries, read at once.

    Args:
        keys: the key store.
        project: whose log.
        start, end: the range, half-open.
    """

    def __init__(self, keys: KeyStore, project: str, start: int, end: int) -> None:
        self._events = keys.event_keys(project, start, end)
        whole = len(self._events) == end - start
        self._pieces = _NONE if whole else keys.piece_keys(project, start, end)

    def open_body(self, entry: Entry, kept: Kept) -> bytes | None:
        """Return the bytes of a body; see the function of that name."""
        return open_body(entry, kept, self._events.get(kept.index), self._pieces)


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """The kept parts of one entry.

    Attributes:
        body: the body's bytes, None once erased.
        personal: opened personal values by name.
        erased: names of the parts whose key is gone, in the order kept.
    """

    body: bytes | None
    personal: Mapping[str, JSON]
    erased: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ShownPart:
    """A part of an entry with the 32 bytes that open its commitment.

    Attributes:
        name: of the commitment.
        opening: 32 bytes.
        plain: RFC 8785 bytes of the value.
    """

    name: str
    opening: bytes
    plain: bytes


def open_body(
    entry: Entry, kept: Kept, event_key: bytes | None, pieces: Pieces = _NONE
) -> bytes | None:
    """Return the bytes of the body, checked against the entry's commitment; None once erased.

    Raises:
        EvidenceError: `damaged` (it does not open), `commitment` (it opens to something else than
            the entry commits to), `missing` (its key is there, and nothing to open with it).
    """
    for sealed in kept.sealed:
        if sealed.name == BODY:
            return _open(entry, kept, sealed, _keys_of(kept, sealed, event_key, pieces))
    if event_key is not None and not any(index == kept.index for index, _ in pieces):
        raise EvidenceError("missing", f"entry {kept.index} has no body beside it; run verify")
    return None


def open_all(
    entry: Entry, kept: Kept, keys: OpeningKeys, project: str,
    only: Collection[str] | None = None,
) -> Opened:  # fmt: skip
    """Return every part that can be opened, each checked against its commitment.

    With `only`, parts of other names are passed over.

    Raises:
        EvidenceError: as `open_body`, but for `missing`.
    """
    owners = _Owners(keys, project, kept.index)
    body: bytes | None = None
    personal: dict[str, JSON] = {}
    absent = [name for name in entry.commit if not name.startswith(BLOB)]
    for sealed in kept.sealed:
        if only is not None and sealed.name not in only:
            continue
        plain = _open(entry, kept, sealed, owners.keys_of(kept, sealed))
        if plain is None:
            continue
        absent.remove(sealed.name)
        if sealed.name == BODY:
            body = plain
        else:
            personal[sealed.name] = msgspec.json.decode(plain)
    erased = tuple(name for name in absent if only is None or name in only)
    return Opened(body, personal, erased)


def show_parts(
    entry: Entry, kept: Kept, keys: OpeningKeys, project: str, *, personal: bool
) -> list[ShownPart]:
    """Return the parts that can be opened, with their openings: what a stranger can check.

    With `personal`, the personal values too, and not the body alone.

    Raises:
        EvidenceError: as `open_all`.
    """
    owners = _Owners(keys, project, kept.index)
    shown = []
    for sealed in kept.sealed:
        its = owners.keys_of(kept, sealed) if personal or sealed.name == BODY else None
        plain = _open(entry, kept, sealed, its) if its is not None else None
        if its is not None and plain is not None:
            shown.append(ShownPart(sealed.name, its.opening, plain))
    return shown


def recorded_of(kept: Kept, entry: Entry, body: bytes | None) -> Recorded:
    """Return the entry as folds see it."""
    data: object = None
    if body is not None:
        whole = msgspec.json.decode(body)
        data = whole.get("data") if isinstance(whole, dict) else None
    actor = next(
        (
            named.ref
            for named in reversed(entry.refs)
            if named.role == "actor" and named.ref.startswith("actor:")
        ),
        None,
    )
    return Recorded(kept.index, entry, data if isinstance(data, dict) else {}, actor)


class _Owners:
    """The keys of the parts of one entry."""

    def __init__(self, keys: OpeningKeys, project: str, index: int) -> None:
        self._keys = keys
        self._event_key = keys.event_key(project, index)
        self._pieces = keys.piece_keys(project, index, index + 1)

    def keys_of(self, kept: Kept, sealed: Sealed) -> Keys | None:
        """Return the keys of a part; None once they are erased."""
        key = self._event_key
        if sealed.owner.startswith("actor:") and (kept.index, sealed.name) not in self._pieces:
            person = self._keys.person_by_pseudonym(sealed.owner)
            key = person.key if person is not None else None
        return _keys_of(kept, sealed, key, self._pieces)


def _keys_of(kept: Kept, sealed: Sealed, key: bytes | None, pieces: Pieces) -> Keys | None:
    """Return the keys of a part: its own, or derived from its owner's; None once erased."""
    own = pieces.get((kept.index, sealed.name))
    if own is None and key is not None:
        return derive(key, kept.salt, sealed.name)
    return own


def _open(entry: Entry, kept: Kept, sealed: Sealed, keys: Keys | None) -> bytes | None:
    """Return one part's bytes, None if its keys are gone."""
    if keys is None:
        # Technical entries hold nothing to erase; without the key nothing can be compared.
        return sealed.data if sealed.owner == "plain" else None
    plain = sealed.data
    if sealed.owner != "plain":
        plain = unseal(keys.sealing, sealed.data, sealed.name)
    stated = entry.commit.get(sealed.name)
    if stated is None or base64.b64decode(stated) != commit(keys.opening, plain):
        raise EvidenceError(
            "commitment",
            f"{sealed.name} of entry {kept.index} is not what the entry commits to; run verify",
        )
    return plain
