"""Files that must be whole or absent: the exported log, and what evidence blobs share with it.

Every file is written aside, synced, renamed into place, and its directory synced: a crash leaves
the whole file or none, and nothing half-written ever stands where the public reads.  Files are
made in `.writing` beside the trees they belong to; the first write of a process clears what a
crash left there.

A file that stands is never replaced by other bytes: different content is two histories, and
that is for a person to look at.
"""

import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.stores.file_system import SYSTEM, FileSystem
from counterfoil.tlog.checkpoint import Checkpoint, parse_checkpoint
from counterfoil.tlog.note import parse_note


class Staging:
    """Writes files of one tree, durably and atomically.

    Args:
        root: the directory the files lie below; made at the first write.
        mode: the permissions of finished files.
        system: the calls that write.
    """

    def __init__(self, root: Path, mode: int, system: FileSystem = SYSTEM) -> None:
        self._system = system
        self._root = root
        self._named: set[Path] = set()
        self._aside = root / ".writing"
        self._mode = mode
        self._cleared = False
        self._lock = threading.Lock()

    def write(self, files: Iterable[tuple[Path, bytes]]) -> None:
        """Write files in order; all of them are durable on return.

        If we crash here, some of the files are there, each of them whole.
        """
        places: set[Path] = set()
        unnamed: set[Path] = set()
        with os_errors_translated(self._aside.parent):
            self._clear()
            for path, data in files:
                file, aside = self._system.create_aside(self._aside)
                with file:
                    file.write(data)
                    unnamed |= self._place(file, aside, path)
                    places.add(path.parent)
            self._name(places, unnamed)

    @contextmanager
    def open_aside(self) -> Iterator["Aside"]:
        """Open one file to be written piece by piece; gone after the block unless it is kept."""
        with os_errors_translated(self._aside.parent):
            self._clear()
            file, path = self._system.create_aside(self._aside)
        try:
            yield Aside(self._system, self, file, path)
        finally:
            # A disk may fail at these too, and what was written may be lost with it.
            with os_errors_translated(path), file:
                self._system.remove(path)

    def place(self, file: IO[bytes], aside: Path, path: Path) -> None:
        """Give a file that is written its name; durable on return."""
        with os_errors_translated(self._aside.parent):
            unnamed = self._place(file, aside, path)
            self._name({path.parent}, unnamed)

    def _place(self, file: IO[bytes], aside: Path, path: Path) -> set[Path]:
        """Sync a file and rename it; return the directories above whose names may be lost."""
        unnamed = self._make_directories(path.parent)
        self._system.set_mode(file, self._mode)
        self._system.sync(file)
        self._system.rename(aside, path)
        return unnamed

    def _make_directories(self, directory: Path) -> set[Path]:
        """Make a directory; return it and those above whose names may not be durable.

        One that stands there may be what an earlier write made and did not come to sync: until
        its name was synced once by this process, it counts as lost.
        """
        standing = self._system.is_directory(directory)
        if standing and directory in self._named:
            return set()
        unnamed = {directory}
        if directory != self._root:
            unnamed |= self._make_directories(directory.parent)
        if not standing:
            self._system.make_directory(directory)
        return unnamed

    def _name(self, places: set[Path], unnamed: set[Path]) -> None:
        """Make durable the names of what was put into places, and of directories."""
        for directory in sorted({*places, *(one.parent for one in unnamed)}):
            self._system.sync_directory(directory)
        self._named |= unnamed

    def _clear(self) -> None:
        with self._lock:
            if not self._cleared:
                if self._system.is_directory(self._root):
                    # Whoever made it named it; what is above it need not be ours to open.
                    self._named.add(self._root)
                self._system.clear_directory(self._aside)
                self._cleared = True


class Aside:
    """One file while it is written beside its tree."""

    def __init__(self, system: FileSystem, staging: Staging, file: IO[bytes], path: Path) -> None:
        self._system = system
        self._staging = staging
        self._file = file
        self._path = path

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with os_errors_translated(self._path):
            self._file.write(data)

    def read(self, step_bytes: int) -> Iterator[bytes]:
        """Yield what has been written, from the beginning."""
        with os_errors_translated(self._path):
            self._file.flush()
            with self._system.open_read(self._path) as file:
                while data := file.read(step_bytes):
                    yield data

    def sync(self) -> None:
        """Make what has been written durable, so that keeping it takes a moment only."""
        with os_errors_translated(self._path):
            self._system.sync(self._file)

    def keep(self, path: Path) -> None:
        """Give it its name, in the place of what may stand there; durable on return.

        If we crash here, the whole file stands at `path`, or none.
        """
        self._staging.place(self._file, self._path, path)


class PublicFiles:
    """The public directory of each project's log; `counterfoil.ledger.store.Exporter`.

    Args:
        directory: `DIR/public`; below it one directory a project, holding `checkpoint` and
            `tile/...` and nothing else, all of mode 0444.
        system: the calls that write.

    Attributes:
        before_publishing: given project and signed checkpoint before it is published, it returns
            the same with cosignatures; it may take a moment, and it does not raise.

    Who owns these files can withhold them or show an earlier state; they cannot make a reader
    who checks the signature believe anything else.
    """

    def __init__(self, directory: Path, system: FileSystem = SYSTEM) -> None:
        self._directory = directory
        self._system = system
        self._staging = Staging(directory, 0o444, system)
        self._publishing = threading.Lock()
        self.before_publishing: Callable[[str, bytes], bytes] | None = None

    def published(self, project: str) -> bytes | None:
        """Return the signed checkpoint that stands there; None before the first."""
        return self._read(self._directory / project / "checkpoint")

    def write(self, project: str, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files that are absent or hold the same bytes; durable on return."""
        self._staging.write(self._checked(project, files))

    def publish(self, project: str, checkpoint: bytes, size: int) -> None:
        """Replace the checkpoint at once by one of a larger size; durable on return."""
        if self.before_publishing is not None and not self._stands(project, size):
            checkpoint = self.before_publishing(project, checkpoint)
        with self._publishing:
            self._publish(project, checkpoint, size)

    def cosign(self, project: str, note: bytes) -> bool:
        """Put a checkpoint with more signatures in the place of the same one; durable on return.

        Returns:
            Whether it stands there now: false when another checkpoint has been published since.
        """
        comes = _parse(note)
        with self._publishing:
            standing = self.published(project)
            if standing is None or _parse(standing).head != comes.head:
                return False
            if standing != note:
                self._staging.write([(self._directory / project / "checkpoint", note)])
            return True

    def _stands(self, project: str, size: int) -> bool:
        standing = self.published(project)
        return standing is not None and _parse(standing).size >= size

    def _publish(self, project: str, checkpoint: bytes, size: int) -> None:
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
                if self._system.is_directory(partials):
                    self._system.remove_tree(partials)

    def _checked(
        self, project: str, files: Iterable[tuple[str, bytes]]
    ) -> Iterator[tuple[Path, bytes]]:
        for name, data in files:
            path = self._directory / project / name
            standing = self._read(path)
            if standing is not None and standing != data:
                raise EvidenceError(
                    "forked",
                    f"{path} holds other bytes than the log does: keep both and compare them",
                )
            # The same bytes are written once more: the file stands above the published size,
            # so an earlier export broke off, and its sync may be the very thing that failed.
            yield path, data

    def _read(self, path: Path) -> bytes | None:
        with os_errors_translated(path):
            return self._system.read(path)


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


def _parse(checkpoint: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(checkpoint).text)
