"""The files that ship with the package: what they are, and the bytes of each.

`captured/` holds other people's data under its own licences, `project/` a snapshot of this
repository's own history and test runs, made by tools/demo_data.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

REPOSITORY = "counterfoil/counterfoil"


@dataclass(frozen=True, slots=True)
class Sample:
    """One file: its name without suffix, and its bytes."""

    name: str
    content: bytes


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test run of this project.

    Attributes:
        file: name in `project/`.
        name: what was tested.
        commit: the hexadecimal name of the commit it ran on.
    """

    file: str
    name: str
    commit: str


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `project/snapshot.json` says.

    Attributes:
        branch: the branch the history was read from.
        runs: the test runs that were kept.
    """

    branch: str
    runs: tuple[Run, ...]


def deliveries() -> Iterator[Sample]:
    """Yield the captured GitHub deliveries; a name begins with the event and a full stop."""
    yield from _samples(_folder("captured", "github"), ".json")


def reports() -> Iterator[Sample]:
    """Yield the captured test reports."""
    yield from _samples(_folder("captured", "reports"), ".xml")


def snapshot() -> Snapshot:
    """Return what is known of the snapshot of this project."""
    return msgspec.json.decode(project_file("snapshot.json"), type=Snapshot)


def project_file(name: str) -> bytes:
    """Return the bytes of a file of the snapshot."""
    return _folder("project").joinpath(name).read_bytes()


def _folder(*path: str) -> Traversable:
    return files("counterfoil.demo").joinpath(*path)


def _samples(folder: Traversable, suffix: str) -> Iterator[Sample]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name.endswith(suffix):
            yield Sample(item.name.removesuffix(suffix), item.read_bytes())
