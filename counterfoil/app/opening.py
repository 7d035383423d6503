"""Opening what is kept beside an entry: keys, seals and the check against the commitments.

A part whose key is gone is erased: that is an answer, not an error.  A part that opens to
something else than the entry commits to is damage: stop and tell a person.
"""

import base64
import dataclasses
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from counterfoil.errors import EvidenceError
from counterfoil.events.canonical import JSON
from counterfoil.events.commitments import commit, derive, derive_opening, unseal
from counterfoil.events.entry import Entry
from counterfoil.ledger.store import Kept, Person, Sealed
from counterfoil.projections.base import Recorded

BODY = "body"


class OpeningKeys(Protocol):
    """What opening asks of a key store."""

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of an entry; None once it is erased."""
        ...

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Return the person behind a pseudonym; None once erased."""
        ...


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


def open_body(entry: Entry, kept: Kept, event_key: bytes | None) -> bytes | None:
    """Return the bytes of the body, checked against the entry's commitment; None once erased.

    Raises:
        EvidenceError: `missing` (no body is kept), `damaged` (it does not open), `commitment`
            (it opens to something else than the entry commits to).
    """
    for sealed in kept.sealed:
        if sealed.name == BODY:
            return _open(entry, kept, sealed, event_key)
    raise EvidenceError("missing", f"entry {kept.index} has no body beside it; run verify")


def open_all(
    entry: Entry, kept: Kept, keys: OpeningKeys, project: str,
    only: Collection[str] | None = None,
) -> Opened:  # fmt: skip
    """Return every part that can be opened, each checked against its commitment.

    With `only`, parts of other names are passed over.

    Raises:
        EvidenceError: as `open_body`.
    """
    event_key = keys.event_key(project, kept.index)
    body: bytes | None = None
    personal: dict[str, JSON] = {}
    erased: list[str] = []
    for sealed in kept.sealed:
        if only is not None and sealed.name not in only:
            continue
        plain = _open(entry, kept, sealed, _key_of(sealed, event_key, keys))
        if plain is None:
            erased.append(sealed.name)
        elif sealed.name == BODY:
            body = plain
        else:
            personal[sealed.name] = msgspec.json.decode(plain)
    return Opened(body, personal, tuple(erased))


def show_parts(
    entry: Entry, kept: Kept, keys: OpeningKeys, project: str, *, personal: bool
) -> list[ShownPart]:
    """Return the parts that can be opened, with their openings: what a stranger can check.

    With `personal`, the personal values too, and not the body alone.

    Raises:
        EvidenceError: as `open_body`.
    """
    event_key = keys.event_key(project, kept.index)
    shown = []
    for sealed in kept.sealed:
        key = _key_of(sealed, event_key, keys)
        if key is None or not (personal or sealed.name == BODY):
            continue
        plain = _open(entry, kept, sealed, key)
        if plain is not None:
            opening = derive_opening(key, kept.salt, sealed.name)
            shown.append(ShownPart(sealed.name, opening, plain))
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


def _key_of(sealed: Sealed, event_key: bytes | None, keys: OpeningKeys) -> bytes | None:
    """Return the key a part is sealed under: the event's or a person's; None once erased."""
    if not sealed.owner.startswith("actor:"):
        return event_key
    person = keys.person_by_pseudonym(sealed.owner)
    return person.key if person is not None else None


def _open(entry: Entry, kept: Kept, sealed: Sealed, key: bytes | None) -> bytes | None:
    """Return one part's bytes, None if its key is gone."""
    if key is None:
        # Technical entries hold nothing to erase; without the key nothing can be compared.
        return sealed.data if sealed.owner == "plain" else None
    keys = derive(key, kept.salt, sealed.name)
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
