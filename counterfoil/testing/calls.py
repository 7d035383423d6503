"""The system calls of one process on the simulated disk, and the one fault that strikes there.

Every call is counted and noted in the trace, so a seed that fails can be read like an strace.  A
fault strikes at the n-th call that changes something, or at the n-th that reads: the power goes,
the process is killed, the call fails (EIO) or the disk is full (ENOSPC).  A call that fails may
have done nothing, half of it, or all.

Source: POSIX.1-2024; what Linux does after a failed fsync: `disk.File.forget`.
"""

import errno
import os
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from counterfoil.testing.disk import Disk, File, Nowhere, parent_of

Kind = Literal["power cut", "kill", "EIO", "ENOSPC"]
Counted = Literal["changes", "syncs", "log syncs", "reads"]
Moment = Literal["before", "half", "after"]


class Ended(BaseException):
    """The process is no more: killed, or the machine lost power.

    Not an `Exception`, because no code of that process may answer to it.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """What will go wrong.

    Args:
        kind: what it is.
        counted: which calls are counted: all that change something, of these the syncs, of these
            the ones of a write-ahead log, or reads.
        at: at which of them, from 1.
        moment: how much of that call is done; of a read nothing is.
    """

    kind: Kind
    counted: Counted
    at: int
    moment: Moment


@dataclass
class Trace:
    """What happened, in order; equal for equal seeds, byte for byte."""

    lines: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, *words: object) -> None:
        """Note one thing."""
        self.lines.append(words)

    def text(self) -> str:
        """Return it to be read, a line each."""
        return "".join(" ".join(map(str, words)) + "\n" for words in self.lines)


class Calls:
    """What one process may ask of its machine's disk; every error is an OSError, or `Ended`.

    Args:
        name: of the process, in the trace.
        disk: of its machine.
        trace: where each call is noted.
        chance: decides what half of a call is.
        fault: what will go wrong, if anything.

    Attributes:
        ended: whether the process is no more: nothing it asks is done.
        fault: what will go wrong, or did.
        struck: whether the fault has happened.
    """

    def __init__(
        self,
        name: str,
        disk: Disk,
        trace: Trace,
        chance: random.Random,
        fault: Fault | None = None,
    ) -> None:
        self.name = name
        self.ended = False
        self.struck = False
        self._changes = 0
        self._between: Callable[[], None] | None = None
        self._between_at = 0
        self._counted = 0
        self._asides = 0
        self._disk = disk
        self._trace = trace
        self._chance = chance
        self.fault = fault
        self._fault = fault
        self._full = False

    @property
    def failed(self) -> bool:
        """Whether a call of it failed, and it lived on."""
        return self._met("EIO", "ENOSPC")

    @property
    def lost_power(self) -> bool:
        """Whether it ended because the machine did."""
        return self._met("power cut")

    def _met(self, *kinds: Kind) -> bool:
        return self.struck and self.fault is not None and self.fault.kind in kinds

    @contextmanager
    def vanishing(self) -> Iterator[None]:
        """End, and let what the process has open be closed: nothing of that reaches the disk."""
        self._disk, self._trace, self._fault = Nowhere(), Trace(), None
        self._full = self.ended = False
        try:
            yield
        finally:
            self.ended = True

    def interrupt(self, after: int, between: Callable[[], None]) -> None:
        """Call `between` once, in the middle of the call that is `after` changing ones from here.

        It is what another process does in that very moment.
        """
        self._between, self._between_at = between, self._changes + after

    def find(self, path: str) -> File | None:
        """Return the file that stands there."""
        self._alive()
        return self._disk.find(path)

    def is_directory(self, path: str) -> bool:
        """Say whether a directory stands there."""
        self._alive()
        return self._disk.is_directory(path)

    def read(self, file: File, path: str, offset: int, size_bytes: int) -> bytes:
        """Read bytes; fewer at the end of the file."""
        self._alive()
        if self._due("reads"):
            self._strike("read", path)
            self._fail(path)
        return bytes(file.cached[offset : offset + size_bytes])

    def create(self, path: str) -> File:
        """Make an empty file.

        Raises:
            FileExistsError: one stands there.
        """
        failing = self._begin("create", path)
        if self._disk.find(path) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        file = self._disk.create(path)
        self._finish(failing)
        return file

    def create_aside(self, directory: str) -> tuple[File, str]:
        """Make an empty file under a name of its own."""
        self._asides += 1
        path = f"{directory}/{self.name}-{self._asides}"
        return self.create(path), path

    def write(self, file: File, path: str, offset: int, data: bytes) -> None:
        """Write bytes."""
        failing = self._begin("write", path, offset, len(data), zlib.crc32(data), grows=True)
        if failing == "half":
            data = data[: self._chance.randrange(len(data) + 1)]
        self._disk.write(file, offset, data)
        self._finish(failing)

    def truncate(self, file: File, path: str, size_bytes: int) -> None:
        """Set a file's length."""
        failing = self._begin("truncate", path, size_bytes)
        self._disk.truncate(file, size_bytes)
        self._finish(failing)

    def sync(self, file: File, path: str) -> None:
        """Make a file's bytes durable."""
        of_log: tuple[Counted, ...] = ("log syncs",) if path.endswith("-wal") else ()
        failing = self._begin("sync", path, also=("syncs", *of_log))
        if failing != "half":
            self._disk.sync(file)
        elif self.failed:  # of a kill or a power cut nobody hears, and nothing is given up
            self._disk.forget(file, self._chance)
        self._finish(failing)

    def rename(self, path: str, to: str) -> None:
        """Give a file another name.

        Raises:
            FileNotFoundError: another process took it away.
        """
        failing = self._begin("rename", path, to)
        self._standing(path)
        self._disk.rename(path, to)
        self._finish(failing)

    def remove(self, path: str) -> None:
        """Remove a file.

        Raises:
            FileNotFoundError: another process took it away.
        """
        failing = self._begin("remove", path)
        self._standing(path)
        self._disk.remove(path)
        self._finish(failing)

    def make_directory(self, path: str) -> None:
        """Make a directory; one that stands there is no error."""
        failing = self._begin("mkdir", path, grows=True)
        if not self._disk.is_directory(path):
            self._disk.make_directory(path)
        self._finish(failing)

    def remove_tree(self, directory: str) -> None:
        """Remove a directory with all that is in it, one call a name.

        Raises:
            FileNotFoundError: no directory stands there.
        """
        if not self.is_directory(directory):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), directory)
        for path in self._disk.below(directory):
            if self._disk.is_directory(path):
                self._remove_directory(path)
            else:
                self.remove(path)
        self._remove_directory(directory)

    def sync_directory(self, directory: str) -> None:
        """Make the names in a directory durable."""
        failing = self._begin("sync names", directory, also=("syncs",))
        if failing != "half":
            self._disk.sync_directory(directory)
        self._finish(failing)

    def sync_parent(self, path: str) -> None:
        """Make a file's name durable."""
        self.sync_directory(parent_of(path))

    def _remove_directory(self, directory: str) -> None:
        failing = self._begin("rmdir", directory)
        self._disk.remove_directory(directory)
        self._finish(failing)

    def _standing(self, path: str) -> None:
        if self._disk.find(path) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _alive(self) -> None:
        if self.ended:
            raise Ended(self.name)

    def _begin(
        self,
        call: str,
        path: str,
        *facts: object,
        grows: bool = False,
        also: tuple[Counted, ...] = (),
    ) -> Moment | None:
        """Count and note a call; return how much of it is done if it fails after that.

        Args:
            call: its name.
            path: of what.
            facts: what else the trace says.
            grows: whether a full disk refuses it.
            also: what it counts as besides a change.

        Raises:
            OSError: it fails with nothing done.
            Ended: likewise.
        """
        self._alive()
        self._changes += 1
        if self._between is not None and self._changes == self._between_at:
            between, self._between = self._between, None
            between()
            self._alive()
        self._trace.add(self.name, call, path, *facts)
        if not self._due("changes", *also):
            if self._full and grows:
                raise _full(path)
            return None
        moment = self._strike(call, path)
        if moment == "before":
            self._fail(path)
        return moment

    def _finish(self, failing: Moment | None) -> None:
        if failing is not None:
            self._fail("")

    def _due(self, *counted: Counted) -> bool:
        """Count a call; say whether the fault is due at it."""
        if self._fault is None or self._fault.counted not in counted:
            return False
        self._counted += 1
        return self._counted == self._fault.at

    def _strike(self, call: str, path: str) -> Moment:
        assert self._fault is not None
        self.struck = True
        self._trace.add(self.name, "**", self._fault.kind, self._fault.moment, call, path)
        return self._fault.moment

    def _fail(self, path: str) -> None:
        assert self._fault is not None
        kind = self._fault.kind
        if kind == "EIO":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        if kind == "ENOSPC":
            self._full = True
            raise _full(path)
        self.ended = True
        raise Ended(kind)


def _full(path: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
