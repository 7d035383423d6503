"""A directory on a disk that keeps only what it promised: contents synced, names synced.

What a file system may lose at a power cut, taken at its weakest (POSIX, not what one journal
happens to do):

- bytes written to a file are durable once a sync of that file has returned that began after
  them; until then any of the 512-byte sectors of any write, and any change of length, may be
  there or not, in any order;
- a name (made, renamed, removed) is durable once its directory was synced, and until then it may
  be there or not, each by itself; a sync of the file does not make its name durable;
- the old and the new name of a rename are two such changes, each whole.

Contents under shared mappings are no part of it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

SECTOR_BYTES: Final = 512


@dataclass(frozen=True)
class Change:
    """One change that is not durable yet.

    Args:
        at: when it was made, as a position in the history.
        offset: of the bytes, or the length that `data` None cuts or extends the file to.
        data: the bytes written; None for a change of length.
    """

    at: int
    offset: int
    data: bytes | None


@dataclass(frozen=True)
class Naming:
    """One change of a name that is not durable yet: what it stands for now, None if removed."""

    at: int
    name: str
    node: "Node | None"


@dataclass(eq=False)
class Node:
    """A file, or a directory if `names` is not None; with what is durable and what is not."""

    content: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)
    names: "dict[str, Node] | None" = None
    namings: list[Naming] = field(default_factory=list)


Keep = Callable[[int], bool]
"""Whether a change made at a position survives; asked for each sector and each name by itself."""


class Disk:
    """One directory tree and its history.

    Args:
        standing: what stands there, durably: contents by path relative to the root, `a/b/c`;
            None for a directory, which comes before what is in it.
    """

    def __init__(self, standing: dict[str, bytes | None]) -> None:
        self._root = Node(names={})
        for path, content in standing.items():
            folder, _, name = path.rpartition("/")
            parent = self.find(folder)
            assert parent is not None
            assert parent.names is not None
            node = Node(names={}) if content is None else Node(bytearray(content))
            parent.names[name] = node

    def find(self, path: str) -> Node | None:
        """Return what a running process finds at a path; "" is the root."""
        node: Node | None = self._root
        for name in path.split("/") if path else ():
            if node is None or node.names is None:
                return None
            node = _names(node, _everything).get(name)
        return node

    def read(self, path: str) -> bytes | None:
        """Return what a running process reads there; None if there is no such file."""
        node = self.find(path)
        return None if node is None or node.names is not None else _content(node, _everything)

    def make(self, at: int, path: str, *, directory: bool = False) -> Node:
        """Make an empty file or directory, in the place of what may stand there."""
        node = Node(names={} if directory else None)
        self._name(at, path, node)
        return node

    def rename(self, at: int, old: str, new: str) -> None:
        """Give a file another name."""
        node = self.find(old)
        assert node is not None, f"{old} is renamed and is not there"
        self._name(at, new, node)
        self._name(at, old, None)

    def remove(self, at: int, path: str) -> None:
        """Take a name away; who has the file open goes on with it."""
        self._name(at, path, None)

    def images(self, keep: Keep) -> Iterator[tuple[str, bytes | None]]:
        """Yield what stands there after a power cut: paths with contents, None for directories.

        Args:
            keep: what of the changes that are not durable survives.
        """
        yield from _walk(self._root, "", keep)

    def _name(self, at: int, path: str, node: Node | None) -> None:
        folder, _, name = path.rpartition("/")
        parent = self.find(folder)
        assert parent is not None, f"{folder} is no directory here"
        parent.namings.append(Naming(at, name, node))


def write(node: Node, at: int, offset: int, data: bytes) -> None:
    """Write bytes into a file."""
    node.changes.append(Change(at, offset, data))


def resize(node: Node, at: int, size_bytes: int) -> None:
    """Cut or extend a file to a length."""
    node.changes.append(Change(at, size_bytes, None))


def sync(node: Node, began: int) -> None:
    """Make durable what a file's content, or a directory's names, were when the sync began."""

    def covered(at: int) -> bool:
        return at < began

    node.content = bytearray(_content(node, covered))
    node.changes = [one for one in node.changes if not covered(one.at)]
    if node.names is not None:
        node.names = _names(node, covered)
        node.namings = [one for one in node.namings if not covered(one.at)]


def nothing(_at: int) -> bool:
    """Keep only what is durable: the disk's cache was lost whole."""
    return False


def _everything(_at: int) -> bool:
    """Keep all of it, as when a process is killed and the machine goes on."""
    return True


everything: Final = _everything


def some(chance: random.Random) -> Keep:
    """Keep any part of it, in no order; how much of it differs from image to image."""
    share = chance.random()
    return lambda _at: chance.random() < share


def until(end: int, chance: random.Random) -> Keep:
    """Keep what was made before a position, and what was made at it torn."""
    return lambda at: at < end or (at == end and chance.random() < 0.5)


def _content(node: Node, keep: Keep) -> bytes:
    content = bytearray(node.content)
    for change in node.changes:
        if change.data is None:
            if keep(change.at):
                del content[change.offset :]
                content.extend(bytes(change.offset - len(content)))
            continue
        for start, piece in _sectors(change.offset, change.data):
            if keep(change.at):
                # What lies between the old end and a kept sector reads as zeroes.
                content.extend(bytes(max(0, start - len(content))))
                content[start : start + len(piece)] = piece
    return bytes(content)


def _sectors(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a write at the borders of sectors: a sector is written whole or not at all."""
    at = 0
    while at < len(data):
        length = SECTOR_BYTES - (offset + at) % SECTOR_BYTES
        yield offset + at, data[at : at + length]
        at += length


def _names(node: Node, keep: Keep) -> dict[str, Node]:
    assert node.names is not None
    names = dict(node.names)
    for naming in node.namings:
        if not keep(naming.at):
            continue
        if naming.node is None:
            names.pop(naming.name, None)
        else:
            names[naming.name] = naming.node
    return names


def _walk(node: Node, prefix: str, keep: Keep) -> Iterator[tuple[str, bytes | None]]:
    for name, child in _names(node, keep).items():
        if child.names is None:
            yield prefix + name, _content(child, keep)
        else:
            yield prefix + name, None
            yield from _walk(child, f"{prefix}{name}/", keep)
