"""Evidence blobs on disk, each named by the SHA-256 of its stored bytes: `DIR/blobs/ab/ab12...`.

They come and go piece by piece: what is held in memory does not grow with a blob.  The bytes are
sealed by whoever puts them (`counterfoil.app.blobs`); here they are only bytes.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.stores.file_system import sync_directory
from counterfoil.stores.files import Aside, Staging, os_errors_translated

STORED_NAME = re.compile(r"sha256:([0-9a-f]{64})")
"""How a stored blob is named: by the SHA-256 of its bytes as they lie on the disk."""

STEP_BYTES = 256 * 1024


class BlobFiles:
    """The blobs of one ledger directory.

    Args:
        directory: `DIR/blobs`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staging = Staging(directory, 0o400)

    @contextmanager
    def receive(self) -> Iterator["Incoming"]:
        """Take in one blob; after the block nothing of it is left unless it was kept.

        If we crash inside, what is left is cleared by the first write of the next process.
        """
        with self._staging.open_aside() as aside:
            yield Incoming(self, aside)

    def read(self, stored: str) -> Iterator[bytes]:
        """Yield the bytes of that name, in pieces, without checking them.

        Raises:
            EvidenceError: `missing`.
            RequestError: `blob_invalid`: no such name can be.
        """
        path = self.path(stored)
        with os_errors_translated(path):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                raise EvidenceError("missing", f"blob {stored} is missing") from None
            with file:
                while data := file.read(STEP_BYTES):
                    yield data

    def check(self, stored: str) -> None:
        """Read a whole blob and compare it with its name.  Cost: one SHA-256 over it.

        Raises:
            EvidenceError: `missing`, or `damaged` if the bytes do not hash to their name.
            RequestError: `blob_invalid`.
        """
        digest = hashlib.sha256()
        for piece in self.read(stored):
            digest.update(piece)
        if f"sha256:{digest.hexdigest()}" != stored:
            raise EvidenceError("damaged", f"blob {stored} is damaged: its bytes hash otherwise")

    def size_bytes(self, stored: str) -> int | None:
        """Return the length of a stored blob, None when it is not there."""
        path = self.path(stored)
        with os_errors_translated(path):
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return None

    def remove(self, stored: str) -> None:
        """Remove a blob; durable on return.  One that is not there is no error."""
        path = self.path(stored)
        with os_errors_translated(path):
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_directory(path.parent)

    def path(self, stored: str) -> Path:
        """Return where the blob of that name lies, whether it is there or not."""
        match = STORED_NAME.fullmatch(stored)
        if match is None:
            raise RequestError("blob_invalid", f"{stored[:80]!r} is no blob name (sha256:HEX)")
        return self._directory / match[1][:2] / match[1]


class Incoming:
    """One blob on its way to the disk."""

    def __init__(self, files: BlobFiles, aside: Aside) -> None:
        self._files = files
        self._aside = aside
        self._digest = hashlib.sha256()

    @property
    def stored(self) -> str:
        """The name of what has been written so far."""
        return f"sha256:{self._digest.hexdigest()}"

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._digest.update(data)
        self._aside.write(data)

    def read(self) -> Iterator[bytes]:
        """Yield what has been written."""
        return self._aside.read(STEP_BYTES)

    def sync(self) -> None:
        """Make what has been written durable; it has no name yet."""
        self._aside.sync()

    def keep(self) -> str:
        """Keep the blob, durable on return, and return its name.

        A damaged file of that name is replaced, for the right bytes are at hand.
        """
        stored = self.stored
        self._aside.keep(self._files.path(stored))
        return stored
