"""Evidence: taken in piece by piece, sealed on the way, kept once, and gone if nothing names it.

    bytes -> SHA-256 of the plain bytes, sealed under a fresh key -> a file beside the others
          -> arrival (state.db) -> the file gets its name -> its key (erasable.db)

What must hold: plain bytes never touch the disk; a blob that an entry names is never removed; a
blob that was answered for stays for `ORPHAN_S`, so that the event naming it can follow.

If we crash on the way, the arrival leads the next sweep to whatever is there.  A blob is known
once its key is kept, and not before.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from counterfoil.clock import Clock, format_time
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import sealing
from counterfoil.ids import Randomness
from counterfoil.ledger.store import BlobKey, KeyStore, LogReads
from counterfoil.stores.blobs import BlobFiles, Incoming
from counterfoil.stores.state import Arrival, State

BLOB_MAX_BYTES = 100 * 1024 * 1024
ORPHAN_S = 24 * 3600
QUOTA_BYTES = 10 * 1024**3
LOOK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class KeptBlob:
    """A blob that is kept.

    Attributes:
        digest: `sha256:HEX` of the plain bytes: what events name.
        size_bytes: of the plain bytes.
        known: whether it was kept here before.
    """

    digest: str
    size_bytes: int
    known: bool


@dataclass(frozen=True, slots=True)
class Look:
    """A glance at a blob.

    Attributes:
        begin: its first plain bytes, at most `LOOK_BYTES`.
        size_bytes: how long it is.
        sound: False when its stored bytes do not open.
    """

    begin: bytes
    size_bytes: int
    sound: bool


class Blobs:
    """The evidence of one ledger directory.  Safe to use from any thread."""

    def __init__(
        self,
        *,
        files: BlobFiles,
        keys: KeyStore,
        log: LogReads,
        state: State,
        clock: Clock,
        randomness: Randomness,
        quota_bytes: int = QUOTA_BYTES,
    ) -> None:
        self._files = files
        self._keys = keys
        self._log = log
        self._state = state
        self._clock = clock
        self._randomness = randomness
        self.quota_bytes = quota_bytes
        self._keeping = threading.Lock()
        # One sweep at a time: what is touched is told from the beginning of a sweep.
        self._sweeping = threading.Lock()
        # Guards the two below, and the removal of a key: who pins first, wins.
        self._pinning = threading.Lock()
        self._pins: Counter[str] = Counter()
        self._touched: set[str] = set()

    @contextmanager
    def receive(self, project: str, expected: str = "") -> Iterator["Receiving"]:
        """Take in one blob of a project; nothing of it is left unless it was kept.

        Args:
            project: whose quota it counts against.
            expected: the digest it was announced under, "" if nobody said.
        """
        free = expected and self._state.arrival(project, expected) is not None
        room_bytes = BLOB_MAX_BYTES if free else self._room_bytes(project)
        with self._files.receive() as incoming:
            key = self._randomness.token(sealing.KEY_BYTES)
            yield Receiving(self, project, expected, incoming, key, room_bytes)

    def admit(
        self, project: str, digest: str, size_bytes: int, incoming: Incoming, key: bytes
    ) -> bool:
        """Keep a blob that has come whole: the end of `Receiving`; say whether it was known."""
        self._pin({digest})
        try:
            with self._keeping:
                before = self._state.arrival(project, digest)
                if before is None and size_bytes > self._room_bytes(project):
                    raise _no_room(project, self.quota_bytes)
                kept = self._keys.blob(digest)
                stored = incoming.stored if kept is None else kept.stored
                now = format_time(self._clock.now())
                self._state.put_arrival(project, Arrival(digest, stored, size_bytes, now))
                if kept is None:
                    incoming.keep()
                    self._keys.put_blob(digest, stored, key)
                elif self._files.size_bytes(stored) is None:
                    self._restore(kept, incoming, key)
                if before is not None and before.stored != stored:
                    self._drop_unkeyed(before.stored)
        finally:
            self.release([digest])
        return kept is not None

    def put(self, project: str, content: bytes) -> KeptBlob:
        """Keep bytes that are in memory already; see `receive`."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        with self.receive(project, digest) as receiving:
            receiving.add(content)
            return receiving.keep()

    def read(self, digest: str) -> Iterator[bytes]:
        """Return the plain bytes of a blob, in pieces; its file was checked against its name.

        Raises:
            RequestError: `not_found`.
            EvidenceError: `missing`, `damaged`.
        """
        kept = self._key(digest)
        self._files.check(kept.stored)
        return sealing.unseal(kept.key, self._files.read(kept.stored))

    def size_bytes(self, digest: str) -> int | None:
        """Return the plain size of a blob, None when it is not kept here."""
        kept = self._keys.blob(digest)
        sealed_bytes = None if kept is None else self._files.size_bytes(kept.stored)
        if kept is None or sealed_bytes is None:
            return None
        return sealing.plain_size(sealed_bytes, next(self._files.read(kept.stored), b""))

    def look(self, project: str, digest: str) -> "Look | None":
        """Return how a blob of a project begins; None when it is not kept here.

        Cost: opening its first chunk.
        """
        try:
            self.require(project, digest)
            key = self._key(digest)
            begin = next(self.opened(key), b"")[:LOOK_BYTES]
            return Look(begin, self.size_bytes(digest) or 0, sound=True)
        except RequestError:
            return None
        except EvidenceError as error:
            return None if error.code == "missing" else Look(b"", 0, sound=False)

    def part(self, digest: str, start: int, length: int) -> bytes:
        """Return some of the plain bytes of a blob; see `read`.

        Cost: the file is hashed, and opened from its beginning; memory holds a chunk.
        """
        found = bytearray()
        at = 0
        for piece in self.read(digest):
            found += piece[max(start - at, 0) : max(start + length - at, 0)]
            at += len(piece)
            if at >= start + length:
                break
        return bytes(found)

    def require(self, project: str, digest: str) -> None:
        """Refuse a blob that is not one of this project: sent to it, or named by its log.

        Raises:
            RequestError: `not_found`, in the same words whether another project holds it.
        """
        if self._own(project, digest) is None:
            raise _unknown(digest)

    def _own(self, project: str, digest: str) -> BlobKey | None:
        """Return the key of a blob of this project, None for one of others and for none."""
        kept = self._keys.blob(digest)
        if kept is None or (
            self._state.arrival(project, digest) is None
            and not self._log.names_blob(project, kept.stored)
        ):
            return None
        return kept

    def hold(self, project: str, digests: Iterable[str]) -> Mapping[str, BlobKey]:
        """Keep blobs from being swept until `release`; return the keys of those of a project.

        What only another project holds is not there: an entry that named it would make it this
        project's, and let whoever knows a digest read it.
        """
        wanted = set(digests)
        self._pin(wanted)
        kept = {digest: self._own(project, digest) for digest in wanted}
        return {digest: key for digest, key in kept.items() if key is not None}

    def _pin(self, digests: set[str]) -> None:
        with self._pinning:
            self._pins.update(digests)
            self._touched |= digests

    def release(self, digests: Iterable[str]) -> None:
        """End a `hold` of the same digests."""
        with self._pinning:
            self._pins -= Counter(set(digests))

    def opened(self, key: BlobKey) -> Iterator[bytes]:
        """Yield the plain bytes under a key that is held; sound only once it has ended.

        Raises:
            EvidenceError: `missing`, `damaged`.
        """
        return sealing.unseal(key.key, self._files.read(key.stored))

    def sweep(self) -> int:
        """Remove what arrived over 24 h ago and no entry names; return how many blobs went.

        Cost: one pass over the log's table of blobs, if there is anything to ask about.
        """
        with self._sweeping:
            return self._sweep()

    def _sweep(self) -> int:
        with self._pinning:
            self._touched = set(self._pins)
        until = format_time(self._clock.now() - timedelta(seconds=ORPHAN_S))
        due = self._state.unnamed_arrivals(until)
        if not due:
            return 0
        named = self._log.named_blobs(arrival.stored for arrival in due)
        self._state.mark_named(sorted(named))
        return sum(self._remove(one) for one in due if one.stored not in named)

    def _remove(self, orphan: Arrival) -> bool:
        with self._pinning:
            # Held now, or held since the log was asked: an entry may name it by now.
            if orphan.digest in self._touched:
                return False
            self._keys.remove_blob(orphan.digest, orphan.stored)
        self._files.remove(orphan.stored)
        self._state.forget_arrivals(orphan.stored)
        return True

    def _key(self, digest: str) -> BlobKey:
        kept = self._keys.blob(digest)
        if kept is None:
            raise _unknown(digest)
        return kept

    def _room_bytes(self, project: str) -> int:
        return self.quota_bytes - self._state.arrived_bytes(project)

    def _restore(self, kept: BlobKey, incoming: Incoming, key: bytes) -> None:
        """Make the lost file of a blob again: sealed under its key, it has the same bytes.

        One that was sealed in form 1 has other bytes, and then nothing is kept.
        """
        sealer = sealing.Sealer(kept.key)
        with self._files.receive() as again:
            for plain in sealing.unseal(key, incoming.read()):
                again.write(sealer.add(plain))
            again.write(sealer.finish())
            if again.stored == kept.stored:
                again.keep()

    def _drop_unkeyed(self, stored: str) -> None:
        """Remove the file of an arrival that a crash kept from getting its key."""
        if not self._log.named_blobs([stored]):
            self._files.remove(stored)


class Receiving:
    """One blob while it arrives; memory holds one chunk of it."""

    def __init__(
        self,
        blobs: Blobs,
        project: str,
        expected: str,
        incoming: Incoming,
        key: bytes,
        room_bytes: int,
    ) -> None:
        self._blobs = blobs
        self._project = project
        self._expected = expected
        self._incoming = incoming
        self._key = key
        self._room_bytes = room_bytes
        self._sealer = sealing.Sealer(key)
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def announce(self, size_bytes: int) -> None:
        """Refuse at once what will not fit; see `add`."""
        if size_bytes > BLOB_MAX_BYTES:
            raise RequestError("body_too_large", f"a blob is at most {BLOB_MAX_BYTES} bytes")
        if size_bytes > self._room_bytes:
            raise _no_room(self._project, self._blobs.quota_bytes)

    def add(self, plain: bytes) -> None:
        """Take further bytes.

        Raises:
            RequestError: `body_too_large` over 100 MiB, `blob_quota`.
        """
        self._size_bytes += len(plain)
        self.announce(self._size_bytes)
        self._digest.update(plain)
        self._incoming.write(self._sealer.add(plain))

    def keep(self) -> KeptBlob:
        """Keep what has come, durable on return; the same bytes are kept once.

        Raises:
            RequestError: `blob_digest`: it was announced under another name; `blob_quota`.
            UnavailableError: `storage`, `read_only`.
        """
        digest = f"sha256:{self._digest.hexdigest()}"
        if self._expected and digest != self._expected:
            raise RequestError(
                "blob_digest",
                f"the {self._size_bytes} bytes hash to {digest}, not to {self._expected}; "
                "nothing was kept: send them again",
            )
        self._incoming.write(self._sealer.finish())
        self._incoming.sync()
        known = self._blobs.admit(
            self._project, digest, self._size_bytes, self._incoming, self._key
        )
        return KeptBlob(digest, self._size_bytes, known)


def _unknown(digest: str) -> RequestError:
    return RequestError("not_found", f"no blob {digest} is kept here")


def _no_room(project: str, quota_bytes: int) -> RequestError:
    return RequestError(
        "blob_quota",
        f"project {project} may keep {quota_bytes} bytes of evidence, and this would be more; "
        "raise quota_bytes under [blobs] in counterfoil.toml, or send less",
    )
