"""The exporter's calls on the simulated disk: `counterfoil.stores.file_system.FileSystem`."""

import io
from contextlib import suppress
from pathlib import Path
from typing import IO

from counterfoil.testing.calls import Calls
from counterfoil.testing.disk import File


class AsideFile(io.BytesIO):
    """A file while it is written: its bytes reach the disk when they are flushed."""

    def __init__(self, calls: Calls, file: File, path: str) -> None:
        super().__init__()
        self.file = file
        self.path = path
        self._calls = calls
        self._flushed = 0

    def flush(self) -> None:
        """Write what was not written."""
        data = self.getvalue()
        if len(data) > self._flushed:
            self._calls.write(self.file, self.path, self._flushed, data[self._flushed :])
            self._flushed = len(data)


class SimulatedFiles:
    """Files of one simulated process."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def read(self, path: Path) -> bytes | None:
        """Return a file's bytes; None if no file stands there."""
        file = self._calls.find(str(path))
        if file is None:
            return None
        return self._calls.read(file, str(path), 0, len(file.cached))

    def open_read(self, path: Path) -> IO[bytes]:
        """Open a file that is still being written, from its beginning."""
        data = self.read(path)
        if data is None:
            raise FileNotFoundError(str(path))
        return io.BytesIO(data)

    def create_aside(self, directory: Path) -> tuple[IO[bytes], Path]:
        """Make a file under a name of its own, to be written and renamed."""
        file, path = self._calls.create_aside(str(directory))
        return AsideFile(self._calls, file, path), Path(path)

    def sync(self, file: IO[bytes]) -> None:
        """Make what was written to an open file durable."""
        assert isinstance(file, AsideFile)
        file.flush()
        self._calls.sync(file.file, file.path)

    def set_mode(self, file: IO[bytes], mode: int) -> None:
        """Set nothing: nobody asks for permissions here."""

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name at once, in the place of what stands there."""
        self._calls.rename(str(path), str(to))

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        if self._calls.find(str(path)) is not None:
            self._calls.remove(str(path))

    def is_directory(self, path: Path) -> bool:
        """Say whether a directory stands there."""
        return self._calls.is_directory(str(path))

    def make_directory(self, path: Path) -> None:
        """Make a directory; one that stands there is no error."""
        self._calls.make_directory(str(path))

    def clear_directory(self, path: Path) -> None:
        """Make an empty directory, whatever stands there."""
        with suppress(OSError):
            self._calls.remove_tree(str(path))
        self._calls.make_directory(str(path))

    def remove_tree(self, path: Path) -> None:
        """Remove a directory with all that is in it."""
        self._calls.remove_tree(str(path))

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        self._calls.sync_directory(str(path))
