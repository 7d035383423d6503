"""What has to hold between an entry and the rows beside it: rules, and no word about blame.

`counterfoil.verifier.rows` says which cell breaks one, `counterfoil.verifier.whole` only whether
any does.  Both ask here, so they cannot come to know different rules.

Source: docs/adr/0003-entry-format-1.md, docs/life-of-an-event.md.
"""

import binascii
import hashlib
import hmac
from collections.abc import Mapping

from counterfoil.events import codec, commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry

PLAIN = "plain"
"""The owner of a body that is kept unsealed."""

_EVENT = "event"
_ACTOR = "actor:"
_BLOB = "blob/"
_REFS = "/data/refs/"
_IDEM_LABEL = b"counterfoil.idem.v1\0"


def piece_names(entry: Entry) -> set[str]:
    """Return the names of the pieces an entry commits to: exactly these have a row."""
    return {name for name in entry.commit if not name.startswith(_BLOB)}


def blob_names(entry: Entry) -> set[str]:
    """Return the names of the blobs an entry commits to: `blob/` and the position."""
    return {name for name in entry.commit if name.startswith(_BLOB)}


def owns(entry: Entry, name: str, owner: str) -> bool:
    """Say whether a piece of that name may belong to that owner.

    Bodies belong to the event, or lie plain if it is technical; personal values to the event or
    to the actor whom they name or are about.
    """
    if name == "body":
        return owner == (PLAIN if entry.retention == "technical" else _EVENT)
    if not is_person(owner):
        return owner == _EVENT
    return owner in codec.persons_of(entry, name)


def is_person(owner: str) -> bool:
    """Say whether a piece is sealed under the key of a person, and not the event's."""
    return owner.startswith(_ACTOR)


def is_committed(entry: Entry, opening: bytes, name: str, content: bytes) -> bool:
    """Say whether `content` is what the entry committed to under `name`.

    Args:
        entry: it commits to that name.
        opening: 32 bytes.
        name: of the piece.
        content: its plain bytes.
    """
    made = binascii.b2a_base64(commitments.commit(opening, content), newline=False).decode()
    return hmac.compare_digest(made, entry.commit[name])


def account_in(name: str, value: JSON) -> str | None:
    """Return the account that a piece of that name names, None if it names none.

    Where its owner is a person, it has to be theirs.
    """
    if not isinstance(value, str):
        return None
    if name == "authid":
        return value
    return value.removeprefix(_ACTOR) if name == "subject" or name.startswith(_REFS) else None


def blob_digests(event: Mapping[str, JSON]) -> list[str]:
    """Return the digests in `data.blobs`, in order: each of them has a row."""
    data = event.get("data")
    blobs = data.get("blobs") if isinstance(data, dict) else None
    if not isinstance(blobs, list):
        return []
    return [str(blob.get("digest")) if isinstance(blob, dict) else "" for blob in blobs]


def idem_digest(event_key: bytes, written: bytes) -> bytes:
    """Return the 32 bytes the idempotency row of a whole event has to hold.

    Args:
        event_key: of the entry.
        written: the RFC 8785 form of the event as posted.
    """
    return hmac.digest(event_key, _IDEM_LABEL + hashlib.sha256(written).digest(), "sha256")
