"""What the ledger asks of storage: the values that are kept, and who must promise what.

The interface comments are the contract.  Three parties keep bytes: the log store (the truth:
entries, sealed bodies, idempotency, tiles and tree head, in one transaction), the key store
(keys that erasing destroys) and the exporter (files the public reads).  The ledger knows no SQL
and no path; a store knows no hash and no signature.

Indices count from 0; a size is a count of entries; `start` and `end` are half-open ranges.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from counterfoil.events.commitments import Keys
from counterfoil.tlog.tree import TreeHead


class Sealed(msgspec.Struct, frozen=True, array_like=True):
    """One piece of an event as it is kept beside its entry.

    Args:
        name: what it is: `body`, `authid`, `subject`, or a JSON Pointer into the event.
        owner: whose key seals it: `event`, a pseudonym such as `actor:k3v...`, or `plain`.
        data: the sealed bytes; the plain bytes if the owner is `plain`.
    """

    name: str
    owner: str
    data: bytes


class Item(msgspec.Struct, frozen=True, array_like=True):
    """One event on its way into the log; it gets its index from the writer.

    Args:
        source: first half of the idempotency key within the project.
        id: second half.
        digest: SHA-256 of the canonical form of the event as posted; never stored as it is.
        entry: the public bytes that the tree commits to, at most 65,535.
        event_key: 32 bytes; seals the pieces of owner `event` and keys the idempotency digest.
        salt: 16 fresh bytes; openings and sealing keys are derived from a key and this salt.
        sealed: the pieces.
        blobs: stored names (`sha256:HEX`) by position in the event; "" where a blob is absent.
    """

    source: str
    id: str
    digest: bytes
    entry: bytes
    event_key: bytes
    salt: bytes
    sealed: tuple[Sealed, ...]
    blobs: tuple[str, ...]


class Kept(msgspec.Struct, frozen=True):
    """One entry with everything stored beside it; the fields are those of `Item`."""

    index: int
    entry: bytes
    salt: bytes
    sealed: tuple[Sealed, ...]
    blobs: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """One item with the idempotency digest that is stored for it (keyed, 32 bytes)."""

    item: Item
    idem_digest: bytes


class Known(msgspec.Struct, frozen=True):
    """What the log holds under an idempotency key: the entry's index and its keyed digest."""

    index: int
    idem_digest: bytes


class LogInfo(msgspec.Struct, frozen=True):
    """A log of this ledger: the project it belongs to and its origin, both fixed for life."""

    project: str
    origin: str


class Writing(Protocol):
    """One transaction of the log store: all of it becomes true at the commit, or none of it.

    It sees its own writes.  Only the writer thread holds one.
    """

    def head(self, project: str) -> TreeHead:
        """Return the tree head as this transaction sees it."""
        ...

    def find_all(
        self, project: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Known]:
        """Return what is stored under idempotency keys (source, id); absent ones are left out."""
        ...

    def insert(self, project: str, first: int, rows: Sequence[Row]) -> None:
        """Store items with their pieces, blob names and idempotency rows.

        Indices are `first`, `first + 1` and so on.  An index or a key that is taken is an error,
        never an overwrite.
        """
        ...

    def put_tiles(self, project: str, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Store tiles by (level, n), in the place of their narrower forms."""
        ...

    def advance(self, project: str, old: TreeHead, head: TreeHead) -> None:
        """Set the head to `head` if it is exactly `old`: compare-and-swap on size and root.

        Raises:
            UnavailableError: `locked`: the head is another one, so somebody else writes.
        """
        ...


class LogReads(Protocol):
    """Reading the log store; any thread; each call sees only committed transactions."""

    def projects(self) -> list[LogInfo]:
        """Return every log, by project name."""
        ...

    def head(self, project: str) -> TreeHead:
        """Return the committed tree head.

        Raises:
            RequestError: `project_unknown`.
        """
        ...

    def entries(self, project: str, start: int, end: int) -> list[bytes]:
        """Return entry bytes from `start` up to `end` or the last entry, whichever is first.

        Raises:
            EvidenceError: `missing`: an entry in the middle is not there.
        """
        ...

    def kept(self, project: str, start: int, end: int) -> list[Kept]:
        """Return the same range with all that is stored beside the entries."""
        ...

    def tile(self, project: str, level: int, n: int) -> bytes:
        """Return a tile of hashes, as wide as the committed tree makes it.

        Raises:
            EvidenceError: `missing`.
        """
        ...

    def find(self, project: str, source: str, event_id: str) -> int | None:
        """Return the index of the entry recorded under an idempotency key."""
        ...

    def find_all(
        self, project: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Known]:
        """Return what is stored under idempotency keys (source, id); absent ones are left out."""
        ...

    def named_blobs(self, stored: Iterable[str]) -> set[str]:
        """Return which of these stored blobs entries of any log name.  Cost: the whole table."""
        ...

    def names_blob(self, project: str, stored: str) -> bool:
        """Say whether an entry of a log names a stored blob.  Cost: up to the whole table."""
        ...


class LogStore(LogReads, Protocol):
    """The truth.  Reads go through other connections than the writes they check."""

    def create_log(self, project: str, origin: str) -> None:
        """Add an empty log; durable on return.

        Raises:
            RequestError: `dir_exists`: the project or the origin is taken.
        """
        ...

    def write(self) -> AbstractContextManager[Writing]:
        """Open the one write transaction there can be.

        Leaving the block normally commits, durable on return; leaving it by an exception rolls
        back.  If the commit itself raises, whether it is durable is unknown: the caller must
        stop and let a restart find out.

        Raises:
            UnavailableError: `storage`, `read_only` or `locked`.
        """
        ...

    def close(self) -> None:
        """Finish: fold the write-ahead log into the database and let go of the files."""
        ...


class Person(msgspec.Struct, frozen=True):
    """A person or service account: its pseudonym (`actor:` and 16 letters), account and key.

    The account text and the 32-byte key exist only in the key store; erasing removes both.
    """

    pseudonym: str
    account: str
    key: bytes


class BlobKey(msgspec.Struct, frozen=True):
    """Where an erasable blob lies: the name of the sealed bytes and the 32-byte key to them."""

    stored: str
    key: bytes


class KeyStore(Protocol):
    """Keys that make stored pieces readable; destroying one is what erasing means.

    Every put is durable on return.  Any thread may call.
    """

    def put_event_keys(self, project: str, first: int, keys: Sequence[bytes]) -> None:
        """Keep the keys of entries `first`, `first + 1` and so on.

        Keys that a failed transaction left at these indices are overwritten: no entry was ever
        committed there.  The caller holds the log's write transaction and has read `first` from
        it.
        """
        ...

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of an entry; None once it is erased."""
        ...

    def event_keys(self, project: str, start: int, end: int) -> dict[int, bytes]:
        """Return the keys of a range by index; erased ones are absent."""
        ...

    def piece_keys(self, project: str, start: int, end: int) -> dict[tuple[int, str], Keys]:
        """Return the keys of parts that outlived their owner's key, by (index, name)."""
        ...

    def person(self, account: str) -> Person:
        """Return the person behind an account, made and kept at first sight."""
        ...

    def people(self, accounts: Iterable[str]) -> dict[str, Person]:
        """Return the people behind accounts, by account, in one transaction."""
        ...

    def known_people(self, accounts: Iterable[str]) -> dict[str, Person]:
        """Return the people behind accounts, by account; the unknown are left out."""
        ...

    def people_named(self, name: str, limit: int) -> list[Person]:
        """Return up to `limit` people whose account is `name`, or is that behind its last colon.

        Nobody is made: asking for a name leaves no trace of it.
        """
        ...

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Return the person behind a pseudonym; None once erased."""
        ...

    def put_blob(self, digest: str, stored: str, key: bytes) -> None:
        """Keep the key of a blob: its plain and stored names (`sha256:HEX`) and 32 bytes."""
        ...

    def blob(self, digest: str) -> BlobKey | None:
        """Return where the blob of that plain digest lies."""
        ...

    def blob_by_stored(self, stored: str) -> BlobKey | None:
        """Return the key to the blob of that stored name."""
        ...

    def remove_blob(self, digest: str, stored: str) -> None:
        """Forget the key of a blob that no entry names; durable on return."""
        ...

    def close(self) -> None:
        """Finish and let go of the files."""
        ...


class Exporter(Protocol):
    """The public directory of each log: tiles and bundles that never change, one checkpoint.

    Paths are those of tlog-tiles below the log's prefix (`tile/0/000.p/5`).
    """

    def published(self, project: str) -> bytes | None:
        """Return the signed checkpoint that stands there; None before the first."""
        ...

    def write(self, project: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files; durable on return.

        Raises:
            EvidenceError: `forked`: a file of that path holds other bytes.  Nothing is replaced.
        """
        ...

    def publish(self, project: str, checkpoint: bytes, size: int) -> None:
        """Replace the checkpoint at once by one of a larger size; durable on return.

        Raises:
            EvidenceError: `rolled_back`: a larger size stands there; `forked`: another
                checkpoint of the same size does.
        """
        ...

    def remove_partials(self, project: str, full: Iterable[str]) -> None:
        """Remove the partial forms of full tiles that a published checkpoint covers."""
        ...
