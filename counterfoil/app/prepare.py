"""Preparing events: everything about an entry but its index and its recorded time.

Who is meant (pseudonyms) -> what is committed to (codec, commitments) -> what is sealed -> the
entry's bytes with a blank where the recorded time goes.  It needs no ledger: a worker process
does it as well as the process that writes.

What is sealed: the body of every event whose retention class may hold personal data, which is
every class but `technical`, and every personal value always (docs/adr/0020).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from counterfoil.errors import RequestError
from counterfoil.events import codec, commitments, registry
from counterfoil.events.entry import Entry, write_entry
from counterfoil.events.event import Event
from counterfoil.events.naming import BlobName
from counterfoil.ids import Randomness
from counterfoil.ledger.store import BlobKey, Item, Person, Sealed
from counterfoil.policy.access import RELAYING, Credential, Decision
from counterfoil.policy.places import verb_of
from counterfoil.verifier.succession import SOURCE as KEYS_SOURCE

SALT_BYTES = 16
KEY_BYTES = 32

# What a verb of an event is about (policy.verbs).
_ABOUT = {"request": "approval", "approve": "approval", "gate": "gate"}

_BLANK = "0000-00-00T00:00:00.000Z"
_MARK = b'"recordedtime":"'


class Prepared(msgspec.Struct, frozen=True):
    """One event, ready to be stamped and appended.

    Attributes:
        item: what the ledger takes, but for the recorded time in its entry.
        time_at: where in the entry's bytes the recorded time goes.
        opening: name -> 32 bytes that open the commitments of the entry.
    """

    item: Item
    time_at: int
    opening: Mapping[str, bytes]

    def stamped(self, recordedtime: str) -> Item:
        """Return the item with its recorded time, as `format_time` writes it."""
        return stamped(self.item, self.time_at, recordedtime)


def stamped(item: Item, time_at: int, recordedtime: str) -> Item:
    """Return an item with its recorded time in the blank at `time_at`."""
    entry = stamp_entry(item.entry, time_at, recordedtime.encode())
    return Item(
        item.source, item.id, item.digest, entry, item.event_key, item.salt, item.sealed,
        item.blobs,
    )  # fmt: skip


def stamp_entry(blank: bytes, time_at: int, stamp: bytes) -> bytes:
    """Return the bytes of an entry with its recorded time in the blank at `time_at`."""
    return b"".join((blank[:time_at], stamp, blank[time_at + len(_BLANK) :]))


class _NamedBlob(msgspec.Struct, frozen=True):
    """One blob that is kept, as one event names it."""

    name: str
    digest: str
    committing: commitments.Committing


class Opening:
    """The fresh keys of one event, and the commitments to its blobs while they are made.

    Args:
        fresh: `KEY_BYTES` and `SALT_BYTES` of randomness, used for nothing else.
        parts: the event taken apart.
        held: the kept blobs by digest.
    """

    __slots__ = ("blobs", "event_key", "opening", "salt", "sealing", "stored")

    def __init__(self, fresh: bytes, parts: codec.Parts, held: Mapping[str, BlobKey]) -> None:
        self.event_key = fresh[:KEY_BYTES]
        self.salt = fresh[KEY_BYTES:]
        body = commitments.derive(self.event_key, self.salt, "body")
        self.opening, self.sealing = {"body": body.opening}, body.sealing
        self.stored: tuple[str, ...] = ()
        self.blobs: list[_NamedBlob] = []
        if parts.blobs:
            self._open_blobs(parts.blobs, held)

    def commitments(self) -> dict[str, bytes]:
        """Return the commitments to the blobs by name; every byte must have been added."""
        return {each.name: each.committing.commitment() for each in self.blobs}

    def _open_blobs(self, named: Sequence[BlobName], held: Mapping[str, BlobKey]) -> None:
        self.stored = tuple(
            held[blob.digest].stored if blob.digest in held else "" for blob in named
        )
        for position, blob in enumerate(named):
            if blob.digest in held:
                name = f"blob/{position}"
                self.opening[name] = commitments.derive_opening(self.event_key, self.salt, name)
                making = commitments.Committing(self.opening[name])
                self.blobs.append(_NamedBlob(name, blob.digest, making))


def open_keys(
    randomness: Randomness, parts: Sequence[codec.Parts], held: Mapping[str, BlobKey]
) -> list[Opening]:
    """Return fresh keys for each of some events."""
    size = KEY_BYTES + SALT_BYTES
    # One call for all of them: asking the system takes longer than a key is long.
    block = randomness.token(size * len(parts))
    return [
        Opening(block[at : at + size], one, held)
        for at, one in zip(range(0, len(block), size), parts, strict=True)
    ]


class May(Protocol):
    """Whoever says yes or no; see `Access.decide`."""

    def __call__(
        self,
        credential: Credential,
        verb: str,
        project: str,
        source: str = "",
        refs: Sequence[str] = (),
        claimed: str = "",
    ) -> Decision:
        """Say whether somebody may do something."""
        ...


def require_allowed(
    events: Sequence[Event], credential: Credential, project: str, may: May
) -> None:
    """Refuse events that this credential may not record.

    To record that an approval was signed is to approve: such types ask for their own verb, at
    the place they are about.

    Raises:
        RequestError: `not_allowed`, with `position`.
    """
    allowed: set[str] = set()
    for position, event in enumerate(events):
        if event.source == KEYS_SOURCE:
            raise RequestError(
                "not_allowed",
                f"{KEYS_SOURCE} is this ledger's own, for its keys; name the source you speak for",
                position=position,
            )
        if registry.server_only(event.type):
            raise RequestError(
                "not_allowed",
                f"{event.type[:120]} is what this server says of what it did itself; "
                "do it by its action, docs/http.md",
                position=position,
            )
        # Who relays tells what others did, which decides nothing here.
        verb = "record" if credential.kind in RELAYING else verb_of(event.type)
        if verb == "record" and event.source in allowed:
            continue
        refs: tuple[str, ...] = ()
        claimed = ""
        if verb != "record":
            refs, claimed = named_by(event, _ABOUT[verb]), event.authid
        if verb == "approve" and len(events) > 1:
            raise RequestError(
                "not_allowed",
                "an approval is answered by itself: what it answers has to be on record before",
                position=position,
            )
        decision = may(credential, verb, project, event.source, refs, claimed)
        if not decision.allowed:
            raise RequestError("not_allowed", "; ".join(decision.reasons), position=position)
        if verb == "record":
            allowed.add(event.source)


def named_by(event: Event, kind: str) -> tuple[str, ...]:
    """Return what an event is about: a thing of `kind` first, then what else it names.

    Events may leave out the thing itself: to approve is about an approval, named or not.
    """
    refs = [*([event.subject] if event.subject else []), *(one.ref for one in event.refs)]
    first = next((ref for ref in refs if ref.startswith(f"{kind}:")), f"{kind}:unnamed")
    return (first, *(ref for ref in refs if ref != first))


def accounts_of(events: Sequence[Event], parts: Sequence[codec.Parts]) -> list[str]:
    """Return the accounts that events are about, sorted, each once."""
    accounts = {event.authid for event in events}
    for one in parts:
        accounts.update(field.person for field in one.personal if field.person is not None)
    return sorted(accounts)


def prepare(
    events: Sequence[Event],
    parts: Sequence[codec.Parts],
    opened: Sequence[Opening],
    people: Mapping[str, Person],
    credential: Credential,
    via: str,
) -> list[Prepared]:
    """Return the events, sealed and committed to.

    Raises:
        RequestError: `entry_too_large`, with `position`.

    Cost: about 15 us an event, most of it HMAC-SHA-256 and AES-GCM.
    """

    def pseudonym(account: str) -> str:
        return people[account].pseudonym

    prepared = []
    for position, (event, split, fresh) in enumerate(zip(events, parts, opened, strict=True)):
        try:
            prepared.append(_prepare(event, split, fresh, people, pseudonym, credential.id, via))
        except RequestError as error:
            error.facts.setdefault("position", position)
            raise
    return prepared


def _prepare(
    event: Event,
    parts: codec.Parts,
    fresh: Opening,
    people: Mapping[str, Person],
    pseudonym: Callable[[str], str],
    recordedby: str,
    via: str,
) -> Prepared:
    event_key, salt, opening = fresh.event_key, fresh.salt, fresh.opening
    retention = registry.retention(event.type, via)
    if retention == "technical":
        sealed = [Sealed("body", "plain", parts.body)]
    else:
        sealed = [Sealed("body", "event", commitments.seal(fresh.sealing, parts.body))]
    for field in parts.personal:
        owner, key = "event", event_key
        if field.person is not None:
            person = people[field.person]
            owner, key = person.pseudonym, person.key
        keys = commitments.derive(key, salt, field.name)
        opening[field.name] = keys.opening
        sealed.append(Sealed(field.name, owner, commitments.seal(keys.sealing, field.content)))
    entry = write_entry(
        Entry(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=codec.public_subject(event, pseudonym),
            time=event.time,
            recordedtime=_BLANK,
            recordedby=recordedby,
            via=via,
            producer=event.producer,
            boot=event.boot,
            seq=event.seq,
            refs=codec.public_refs(event, pseudonym),
            retention=retention,
            commit=codec.commit_map(parts, opening, fresh.commitments()),
        )
    )
    item = Item(
        source=event.source,
        id=event.id,
        digest=hashlib.sha256(event.canonical).digest(),
        entry=entry,
        event_key=event_key,
        salt=salt,
        sealed=tuple(sealed),
        blobs=fresh.stored,
    )
    # Within a JSON string a quotation mark is escaped, so the mark stands once, as a member.
    return Prepared(item, entry.index(_MARK) + len(_MARK), opening)
