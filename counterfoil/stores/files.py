"""Files that must be whole or absent: the exported log, and evidence blobs.

Every file is written aside, synced, renamed into place, and its directory synced: a crash leaves
the whole file or none, and nothing half-written ever stands where the public reads.  Files are
made in `.writing` beside the trees they belong to; the first write of a process clears what a
crash left there.

A file that stands is never replaced by other bytes: different content is two histories, and
that is for a person to look at.
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.tlog.note import parse_note

STORED_NAME = re.compile(r"sha256:([0-9a-f]{64})")
"""How a stored blob is named: by the SHA-256 of its bytes as they lie on the disk."""


class Staging:
    """Writes files of one tree, durably and atomically.

    Args:
        root: the directory the files lie below; made at the first write.
        mode: the permissions of finished files.
    """

    def __init__(self, root: Path, mode: int) -> None:
        self._aside = root / ".writing"
        self._mode = mode
        self._cleared = False
        self._lock = threading.Lock()

    def write(self, files: Iterable[tuple[Path, bytes]]) -> None:
        """Write files in order; all of them are durable on return.

        If we crash here, some of the files are there, each of them whole.
        """
        changed: set[Path] = set()
        with os_errors_translated(self._aside.parent):
            self._clear()
            for path, data in files:
                changed.update(_make_directories(path.parent))
                changed.add(path.parent)
                handle, aside = tempfile.mkstemp(dir=self._aside)
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fchmod(handle, self._mode)
                    os.fsync(handle)
                Path(aside).rename(path)
            for directory in changed:
                sync_directory(directory)

    def _clear(self) -> None:
        with self._lock:
            if not self._cleared:
                shutil.rmtree(self._aside, ignore_errors=True)
                self._aside.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._cleared = True


class PublicFiles:
    """The public directory of each project's log; `counterfoil.ledger.store.Exporter`.

    Args:
        directory: `DIR/public`; below it one directory a project, holding `checkpoint` and
            `tile/...` and nothing else, all of mode 0444.

    Who owns these files can withhold them or show an earlier state; they cannot make a reader
    who checks the signature believe anything else.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staging = Staging(directory, 0o444)

    def published(self, project: str) -> bytes | None:
        """Return the signed checkpoint that stands there; None before the first."""
        return _read(self._directory / project / "checkpoint")

    def write(self, project: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files that are absent or hold the same bytes; durable on return."""
        self._staging.write(self._checked(project, files))

    def publish(self, project: str, checkpoint: bytes, size: int) -> None:
        """Replace the checkpoint at once by one of a larger size; durable on return."""
        standing = self.published(project)
        if standing is not None:
            stands, comes = _parse(standing), _parse(checkpoint)
            if stands.size > size:
                raise EvidenceError(
                    "rolled_back",
                    f"log {project}: a checkpoint of size {stands.size} is published, "
                    f"this one has size {size}",
                )
            if stands.size == size:
                if stands.root != comes.root:
                    raise EvidenceError(
                        "forked", f"log {project}: two checkpoints of size {size} differ"
                    )
                return
        self._staging.write([(self._directory / project / "checkpoint", checkpoint)])

    def remove_partials(self, project: str, full: Iterable[str]) -> None:
        """Remove the partial forms of full tiles that a published checkpoint covers.

        If we crash here, partial tiles stay behind; they are true and harm nobody.
        """
        with os_errors_translated(self._directory):
            for path in full:
                partials = self._directory / project / f"{path}.p"
                if partials.is_dir():
                    shutil.rmtree(partials)

    def _checked(
        self, project: str, files: Iterable[tuple[str, bytes]]
    ) -> Iterator[tuple[Path, bytes]]:
        for name, data in files:
            path = self._directory / project / name
            standing = _read(path)
            if standing is not None and standing != data:
                raise EvidenceError(
                    "forked",
                    f"{path} holds other bytes than the log does: keep both and compare them",
                )
            # The same bytes are written once more: the file stands above the published size,
            # so an earlier export broke off, and its sync may be the very thing that failed.
            yield path, data


class BlobFiles:
    """Evidence blobs, each named by the SHA-256 of its stored bytes: `DIR/blobs/ab/ab12...`.

    Args:
        directory: `DIR/blobs`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._staging = Staging(directory, 0o400)

    def put(self, data: bytes) -> str:
        """Keep bytes, durable on return, and return their name (`sha256:HEX`).

        Bytes that are kept already are left alone; a damaged file of that name is replaced,
        for the right bytes are at hand.
        """
        stored = f"sha256:{hashlib.sha256(data).hexdigest()}"
        path = self.path(stored)
        if _read(path) != data:
            self._staging.write([(path, data)])
        return stored

    def get(self, stored: str) -> bytes:
        """Return the bytes of that name.

        Raises:
            EvidenceError: `missing`, or `damaged` if they do not hash to their name.
            RequestError: `blob_invalid`: no such name can be.
        """
        data = _read(self.path(stored))
        if data is None:
            raise EvidenceError("missing", f"blob {stored} is missing")
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != stored:
            raise EvidenceError("damaged", f"blob {stored} is damaged: its bytes hash otherwise")
        return data

    def path(self, stored: str) -> Path:
        """Return where the blob of that name lies, whether it is there or not."""
        match = STORED_NAME.fullmatch(stored)
        if match is None:
            raise RequestError("blob_invalid", f"{stored[:80]!r} is no blob name (sha256:HEX)")
        return self._directory / match[1][:2] / match[1]


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def os_errors_translated(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals into ours."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else place
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise UnavailableError(
                "read_only", f"{where} cannot be written: {error.strerror}; check the disk"
            ) from error
        raise UnavailableError(
            "storage", f"{where}: {error.strerror}; check the disk, then restart"
        ) from error


def _make_directories(directory: Path) -> list[Path]:
    """Make a directory and return the parents whose list of names changed."""
    if directory.is_dir():
        return []
    changed = _make_directories(directory.parent)
    directory.mkdir(mode=0o755, exist_ok=True)
    return [*changed, directory.parent]


def _read(path: Path) -> bytes | None:
    with os_errors_translated(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _parse(checkpoint: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(checkpoint).text)
