"""Storage that fails once, where it is told to: real stores inside, one fault on the way.

Each fault comes in two kinds.  `fails`: the step did not happen.  `persists`: it happened, and
still the caller got an error, as when a sync is done but its answer is lost.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from counterfoil.errors import UnavailableError
from counterfoil.events.commitments import Keys
from counterfoil.ledger.store import (
    BlobKey,
    Exporter,
    Kept,
    KeyStore,
    Known,
    LogInfo,
    LogStore,
    Person,
    Row,
    Writing,
)
from counterfoil.tlog.note import SignerKey
from counterfoil.tlog.tree import TreeHead

POINTS = (
    "key put",
    "begin",
    "insert",
    "commit",
    "read-back",
    "sign",
    "export tile write",
    "export checkpoint rename",
)


@dataclass
class Fault:
    """Where and how the next fault strikes; it strikes once."""

    point: str = ""
    persists: bool = False
    struck: list[str] = field(default_factory=list)

    def arm(self, point: str, *, persists: bool) -> None:
        """Let the next pass of `point` fail."""
        self.point, self.persists = point, persists

    @contextmanager
    def at(self, point: str) -> Iterator[None]:
        """Fail before the block, or after it, if this is the point."""
        if self.point != point:
            yield
            return
        self.point = ""
        self.struck.append(point)
        if self.persists:
            yield
        raise UnavailableError("storage", f"injected at {point}")


@dataclass
class FaultyStore:
    """A log store whose write path fails where told."""

    inner: LogStore
    fault: Fault

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """Fail at the begin, or at the commit: rolled back, or durable and unanswered."""
        with self.fault.at("begin"):
            pass
        unanswered = self.fault.point == "commit" and self.fault.persists
        with self.inner.write() as writing:
            yield FaultyWriting(writing, self.fault)
            if not unanswered:
                with self.fault.at("commit"):
                    pass
        if unanswered:
            with self.fault.at("commit"):
                pass

    def projects(self) -> list[LogInfo]:
        """Pass on."""
        return self.inner.projects()

    def create_log(self, project: str, origin: str) -> None:
        """Pass on."""
        self.inner.create_log(project, origin)

    def head(self, project: str) -> TreeHead:
        """Pass on."""
        return self.inner.head(project)

    def entries(self, project: str, start: int, end: int) -> list[bytes]:
        """Pass on."""
        return self.inner.entries(project, start, end)

    def kept(self, project: str, start: int, end: int) -> list[Kept]:
        """Fail at the read-back."""
        with self.fault.at("read-back"):
            return self.inner.kept(project, start, end)

    def tile(self, project: str, level: int, n: int) -> bytes:
        """Pass on."""
        return self.inner.tile(project, level, n)

    def find(self, project: str, source: str, event_id: str) -> int | None:
        """Pass on."""
        return self.inner.find(project, source, event_id)

    def find_all(
        self, project: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Known]:
        """Pass on."""
        return self.inner.find_all(project, keys)

    def named_blobs(self, stored: Iterable[str]) -> set[str]:
        """Pass on."""
        return self.inner.named_blobs(stored)

    def names_blob(self, project: str, stored: str) -> bool:
        """Pass on."""
        return self.inner.names_blob(project, stored)

    def close(self) -> None:
        """Pass on."""
        self.inner.close()


@dataclass
class FaultyWriting:
    """One write transaction that fails at the insert where told."""

    inner: Writing
    fault: Fault

    def head(self, project: str) -> TreeHead:
        """Pass on."""
        return self.inner.head(project)

    def find_all(
        self, project: str, keys: Collection[tuple[str, str]]
    ) -> dict[tuple[str, str], Known]:
        """Pass on."""
        return self.inner.find_all(project, keys)

    def insert(self, project: str, first: int, rows: Sequence[Row]) -> None:
        """Fail at the insert."""
        with self.fault.at("insert"):
            self.inner.insert(project, first, rows)

    def put_tiles(self, project: str, tiles: Mapping[tuple[int, int], bytes]) -> None:
        """Pass on."""
        self.inner.put_tiles(project, tiles)

    def advance(self, project: str, old: TreeHead, head: TreeHead) -> None:
        """Pass on."""
        self.inner.advance(project, old, head)


@dataclass
class FaultyKeys:
    """A key store whose event keys fail to be put where told."""

    inner: KeyStore
    fault: Fault

    def put_event_keys(self, project: str, first: int, keys: Sequence[bytes]) -> None:
        """Fail at the key put."""
        with self.fault.at("key put"):
            self.inner.put_event_keys(project, first, keys)

    def event_key(self, project: str, index: int) -> bytes | None:
        """Pass on."""
        return self.inner.event_key(project, index)

    def event_keys(self, project: str, start: int, end: int) -> dict[int, bytes]:
        """Pass on."""
        return self.inner.event_keys(project, start, end)

    def piece_keys(self, project: str, start: int, end: int) -> dict[tuple[int, str], Keys]:
        """Pass on."""
        return self.inner.piece_keys(project, start, end)

    def person(self, account: str) -> Person:
        """Pass on."""
        return self.inner.person(account)

    def people(self, accounts: Iterable[str]) -> dict[str, Person]:
        """Pass on."""
        return self.inner.people(accounts)

    def known_people(self, accounts: Iterable[str]) -> dict[str, Person]:
        """Pass on."""
        return self.inner.known_people(accounts)

    def people_named(self, name: str, limit: int) -> list[Person]:
        """Pass on."""
        return self.inner.people_named(name, limit)

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Pass on."""
        return self.inner.person_by_pseudonym(pseudonym)

    def put_blob(self, digest: str, stored: str, key: bytes) -> None:
        """Pass on."""
        self.inner.put_blob(digest, stored, key)

    def blob(self, digest: str) -> BlobKey | None:
        """Pass on."""
        return self.inner.blob(digest)

    def blob_by_stored(self, stored: str) -> BlobKey | None:
        """Pass on."""
        return self.inner.blob_by_stored(stored)

    def remove_blob(self, digest: str, stored: str) -> None:
        """Pass on."""
        self.inner.remove_blob(digest, stored)

    def close(self) -> None:
        """Pass on."""
        self.inner.close()


@dataclass
class FaultyExporter:
    """A public directory that fails where told; half a set of tiles may be written by then."""

    inner: Exporter
    fault: Fault

    def published(self, project: str) -> bytes | None:
        """Pass on."""
        return self.inner.published(project)

    def write(self, project: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Fail at the tile write: half the files stand, or all of them."""
        whole = list(files)
        if self.fault.point == "export tile write" and not self.fault.persists:
            self.inner.write(project, whole[: len(whole) // 2])
        with self.fault.at("export tile write"):
            self.inner.write(project, whole)

    def publish(self, project: str, checkpoint: bytes, size: int) -> None:
        """Fail at the checkpoint rename."""
        with self.fault.at("export checkpoint rename"):
            self.inner.publish(project, checkpoint, size)

    def remove_partials(self, project: str, full: Iterable[str]) -> None:
        """Pass on."""
        self.inner.remove_partials(project, full)


@dataclass(frozen=True)
class FaultySigner(SignerKey):
    """A signing key out of reach where told."""

    fault: Fault = field(default_factory=Fault)

    def sign(self, text: bytes) -> bytes:
        """Fail at the signature."""
        with self.fault.at("sign"):
            return super().sign(text)
