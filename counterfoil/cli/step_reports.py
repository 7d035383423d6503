"""The test reports a step wrote: those that changed while it ran, each as a run of its own."""

import os
from collections.abc import Iterator, Sequence


class WrittenReport:
    """One report: its path, and the ref of the run its cases belong to."""

    __slots__ = ("path", "run")

    def __init__(self, path: str, run: str) -> None:
        self.path = path
        self.run = run

    def read(self) -> bytes:
        """Return its bytes.

        Raises:
            OSError: it is gone again, or closed to us.
        """
        with open(self.path, "rb") as file:  # noqa: PTH123  pathlib costs 5 ms
            return file.read()


class StepReports:
    """Looks at the named files before the command and after it."""

    def __init__(self, paths: Sequence[str], run: str) -> None:
        self._run = run
        self._before = [(path, _seen(path)) for path in paths]
        self._written: list[WrittenReport] | None = None

    def __iter__(self) -> Iterator[WrittenReport]:
        return iter(self.written())

    def written(self) -> list[WrittenReport]:
        """Return those that are there now and were not so before; found out once."""
        if self._written is None:
            self._written = [
                WrittenReport(path, f"{self._run}-report-{number}")
                for number, (path, before) in enumerate(self._before, 1)
                if _seen(path) not in {None, before}
            ]
        return self._written


def _seen(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  the same
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
