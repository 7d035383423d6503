"""A disk that can lose power: it knows what was synced and what was only written.

For processes it is a file system like any other: what one writes the next one reads, at once.
Beside that it keeps what would be there after a power cut.  Three rules say what survives:

- a file's bytes are durable once the file was synced, a name once its directory was;
- of what was written and not synced any part may survive: all of it, nothing, the first writes,
  or single sectors of single writes in any choice (which is what reordering and tearing leave);
- a rename happens or does not: it is never half of one.

This promises less than ext4 or XFS do, so what survives here survives there.  A sector of 512
bytes is never torn: SQLite and the disks it is for count on that.

Source: POSIX.1-2024 fsync, rename; https://sqlite.org/atomiccommit.html section 2.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

SECTOR_BYTES = 512
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes on their way to the platter."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A change of a file's length on its way to the platter."""

    size_bytes: int


@dataclass(slots=True)
class File:
    """One file, whatever its name.

    Attributes:
        cached: what processes read.
        durable: what is on the platter for sure.
        pending: what was done since, in order.
    """

    cached: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Written | Cut] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A change of names on its way to the platter: `file` leaves `path` and stands at `to`.

    Without a path the file is made, without a `to` it is removed; without a file it is a
    directory.
    """

    path: str
    to: str
    file: File | None

    def directories(self) -> set[str]:
        """Return whose lists of names this changes."""
        return {parent_of(name) for name in (self.path, self.to) if name}


@dataclass(slots=True)
class Names:
    """What stands where."""

    files: dict[str, File] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)

    def apply(self, change: Renamed) -> None:
        """Carry out one change; what it takes away may be gone already."""
        if change.file is None:
            self.directories.discard(change.path)
            if change.to:
                self.directories.add(change.to)
            return
        if change.path and self.files.get(change.path) is change.file:
            del self.files[change.path]
        if change.to:
            self.files[change.to] = change.file


Image = tuple[frozenset[str], dict[str, bytes]]
"""Directories, and the bytes of every file: a disk at rest, or a backup of one."""


class Disk:
    """One machine's disk.

    Args:
        image: what lies on it, durable.
    """

    def __init__(self, image: Image) -> None:
        directories, files = image
        self._cached = Names(directories=set(directories))
        self._durable = Names(directories=set(directories))
        self._changes: list[Renamed] = []
        for path, data in files.items():
            file = File(bytearray(data), bytearray(data))
            self._cached.files[path] = self._durable.files[path] = file

    def find(self, path: str) -> File | None:
        """Return the file that stands there."""
        return self._cached.files.get(path)

    def is_directory(self, path: str) -> bool:
        """Say whether a directory stands there."""
        return path in self._cached.directories

    def below(self, directory: str) -> Iterator[str]:
        """Yield every file and directory below a directory, what is deepest first."""
        inside = f"{directory}/"
        standing = {*self._cached.files, *self._cached.directories}
        yield from sorted((name for name in standing if name.startswith(inside)), reverse=True)

    def files_below(self, directory: str) -> dict[str, bytes]:
        """Return every file below a directory, by its path from there."""
        inside = f"{directory}/"
        return {
            path.removeprefix(inside): bytes(file.cached)
            for path, file in self._cached.files.items()
            if path.startswith(inside)
        }

    def create(self, path: str) -> File:
        """Make an empty file where none stands."""
        file = File()
        self._change(Renamed("", path, file))
        return file

    def rename(self, path: str, to: str) -> None:
        """Give a file another name, in the place of what stands there."""
        self._change(Renamed(path, to, self._cached.files[path]))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._change(Renamed(path, "", self._cached.files[path]))

    def make_directory(self, path: str) -> None:
        """Make a directory."""
        self._change(Renamed("", path, None))

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        self._change(Renamed(path, "", None))

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Write bytes; a gap before them is zeroes."""
        self._do(file, Written(offset, data))

    def truncate(self, file: File, size_bytes: int) -> None:
        """Set a file's length."""
        self._do(file, Cut(size_bytes))

    def sync(self, file: File) -> None:
        """Make a file's bytes durable."""
        for change in file.pending:
            _apply(file.durable, change)
        file.pending.clear()

    def forget(self, file: File, chance: random.Random) -> None:
        """Fail to sync as Linux does: some of it is durable, and the rest is never tried again.

        After a failed writeback the pages count as clean.  Processes go on reading what was
        written; only writing it once more brings it to the platter.
        """
        for piece in _Survival(chance).pieces(file.pending):
            _apply(file.durable, piece)
        file.pending.clear()

    def sync_directory(self, directory: str) -> None:
        """Make the names in a directory durable."""
        later = []
        for change in self._changes:
            if directory in change.directories():
                self._durable.apply(change)
            else:
                later.append(change)
        self._changes = later

    def image(self) -> Image:
        """Return what processes see: a backup, taken while nobody writes."""
        files = {path: bytes(file.cached) for path, file in self._cached.files.items()}
        return frozenset(self._cached.directories), files

    def lose_power(self, chance: random.Random) -> Image:
        """Return what lies there after a power cut at this moment.

        Args:
            chance: decides what of the unsynced survives.
        """
        keep = _Survival(chance)
        names = Names(dict(self._durable.files), set(self._durable.directories))
        for change in keep.names(self._changes):
            names.apply(change)
        files = {}
        for path, file in sorted(names.files.items()):
            if _reachable(path, names.directories):
                data = bytearray(file.durable)
                for piece in keep.pieces(file.pending):
                    _apply(data, piece)
                files[path] = bytes(data)
        there = {path for path in names.directories if _reachable(path, names.directories)}
        return frozenset(there), files

    def _change(self, change: Renamed) -> None:
        self._cached.apply(change)
        self._changes.append(change)

    def _do(self, file: File, change: Written | Cut) -> None:
        _apply(file.cached, change)
        file.pending.append(change)


class Nowhere(Disk):
    """The disk of a process that is no more: it takes everything and keeps nothing."""

    def __init__(self) -> None:
        super().__init__((frozenset(), {}))

    def write(self, file: File, offset: int, data: bytes) -> None:
        """Keep nothing."""

    def truncate(self, file: File, size_bytes: int) -> None:
        """Keep everything."""

    def sync(self, file: File) -> None:
        """Sync nothing."""


def parent_of(path: str) -> str:
    """Return the directory of a path."""
    return path.rpartition("/")[0]


def _apply(data: bytearray, change: Written | Cut) -> None:
    if isinstance(change, Cut):
        del data[change.size_bytes :]
        data.extend(bytes(change.size_bytes - len(data)))
        return
    if len(data) < change.offset:
        data.extend(bytes(change.offset - len(data)))
    data[change.offset : change.offset + len(change.data)] = change.data


def _reachable(path: str, directories: set[str]) -> bool:
    """Say whether every directory above a name survived, up to the root."""
    above = parent_of(path)
    return not above or (above in directories and _reachable(above, directories))


def _sectors(change: Written | Cut) -> Iterator[Written | Cut]:
    """Yield the parts of a change that survive or not each for itself."""
    if isinstance(change, Cut):
        yield change
        return
    at, end = change.offset, change.offset + len(change.data)
    while at < end:
        border = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield Written(at, change.data[at - change.offset : border - change.offset])
        at = border


class _Survival:
    """What of the unsynced a power cut leaves: one manner for the whole disk."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._share = chance.choice((0.0, 0.0, 1.0, 0.1, 0.5, 0.9, None))

    def names(self, changes: Sequence[Renamed]) -> Sequence[Renamed]:
        """Return the changes of names that survive, in order."""
        return self._some(changes)

    def pieces(self, pending: Sequence[Written | Cut]) -> Sequence[Written | Cut]:
        """Return the changes of a file's bytes that survive, sector by sector."""
        return self._some([piece for change in pending for piece in _sectors(change)])

    def _some(self, changes: Sequence[T]) -> Sequence[T]:
        if self._share is None:
            return changes[: self._chance.randint(0, len(changes))]
        return [change for change in changes if self._chance.random() < self._share]
