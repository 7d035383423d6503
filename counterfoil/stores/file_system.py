"""The calls that files are made durable by, one method each.

What is written aside and renamed into place (`counterfoil.stores.files`) goes through these calls
and no others, so that the crash simulator can be the disk below them and lose power between any
two (`counterfoil.testing.files`).  Each method is one call of the operating system, or a few that
belong together; none of them decides anything.

Source: POSIX.1-2024 fsync, rename; a name is durable once its directory was synced.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, Protocol


class FileSystem(Protocol):
    """Files as the exporter and the blobs make them.  Every error is an OSError."""

    def read(self, path: Path) -> bytes | None:
        """Return a file's bytes; None if no file stands there."""
        ...

    def open_read(self, path: Path) -> IO[bytes]:
        """Open a file that is still being written, from its beginning."""
        ...

    def create_aside(self, directory: Path) -> tuple[IO[bytes], Path]:
        """Make a file under a name of its own, to be written and renamed."""
        ...

    def sync(self, file: IO[bytes]) -> None:
        """Make what was written to an open file durable; its name is another matter."""
        ...

    def set_mode(self, file: IO[bytes], mode: int) -> None:
        """Set the permissions of an open file."""
        ...

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name at once, in the place of what stands there."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def is_directory(self, path: Path) -> bool:
        """Say whether a directory stands there."""
        ...

    def make_directory(self, path: Path) -> None:
        """Make a directory of mode 0755; one that stands there is no error."""
        ...

    def clear_directory(self, path: Path) -> None:
        """Make an empty directory of mode 0700, with its parents, whatever stands there."""
        ...

    def remove_tree(self, path: Path) -> None:
        """Remove a directory with all that is in it."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        ...


class SystemFiles:
    """The machine's own files."""

    def read(self, path: Path) -> bytes | None:
        """Return a file's bytes; None if no file stands there."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def open_read(self, path: Path) -> IO[bytes]:
        """Open a file that is still being written, from its beginning."""
        return path.open("rb")

    def create_aside(self, directory: Path) -> tuple[IO[bytes], Path]:
        """Make a file under a name of its own, to be written and renamed."""
        handle, path = tempfile.mkstemp(dir=directory)
        return os.fdopen(handle, "wb"), Path(path)

    def sync(self, file: IO[bytes]) -> None:
        """Make what was written to an open file durable; its name is another matter."""
        file.flush()
        os.fsync(file.fileno())

    def set_mode(self, file: IO[bytes], mode: int) -> None:
        """Set the permissions of an open file."""
        os.fchmod(file.fileno(), mode)

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name at once, in the place of what stands there."""
        path.rename(to)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        path.unlink(missing_ok=True)

    def is_directory(self, path: Path) -> bool:
        """Say whether a directory stands there."""
        return path.is_dir()

    def make_directory(self, path: Path) -> None:
        """Make a directory of mode 0755; one that stands there is no error."""
        path.mkdir(mode=0o755, exist_ok=True)

    def clear_directory(self, path: Path) -> None:
        """Make an empty directory of mode 0700, with its parent (0755), whatever stands there."""
        shutil.rmtree(path, ignore_errors=True)
        # A parent that `mkdir` makes by the way has the bits of the umask, and others may get in.
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.mkdir(exist_ok=True, mode=0o700)

    def remove_tree(self, path: Path) -> None:
        """Remove a directory with all that is in it."""
        shutil.rmtree(path)

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        sync_directory(path)


SYSTEM = SystemFiles()


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directory_durably(directory: Path) -> None:
    """Make a directory (0700) unless it stands; its name, and those made above it, are durable.

    A file in it that is synced can still be lost with the directory's name.
    """
    made = [one for one in (directory, *directory.parents) if not one.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for one in made:
        sync_directory(one.parent)
