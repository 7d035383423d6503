"""Taking a backup from beginning to end: the place, the copy, what goes, and what is said of it."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from counterfoil.app.backup import Plan, Taken, take_backup
from counterfoil.app.backup_place import (
    generations,
    held,
    keys_place,
    moment_of,
    prepare_place,
    remove_generation,
)
from counterfoil.app.config import read_config
from counterfoil.app.naming import check_ledger
from counterfoil.app.place import real_place
from counterfoil.clock import Clock
from counterfoil.errors import RequestError
from counterfoil.stores.files import os_errors_translated

Announce = Callable[[dict[str, object]], None]
"""Told what the action `backup-taken` takes, before anything is copied."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What taking a backup came to.

    Attributes:
        taken: the backup.
        generations: how many its destination holds with it.
        removed: stamps of those that had their time.
        keys_removed: stamps of those whose keys had theirs.
    """

    taken: Taken
    generations: int
    removed: tuple[str, ...]
    keys_removed: tuple[str, ...]

    def said(self) -> dict[str, object]:
        """Return what it came to, in figures."""
        manifest = self.taken.manifest
        return {
            "stamp": manifest.stamp,
            "logs": {one.project: one.size for one in manifest.logs},
            "files": len(manifest.files),
            "size_bytes": sum(one.size_bytes for one in manifest.files),
            "copied_bytes": self.taken.copied_bytes,
            "generations": self.generations,
            "signing_keys": manifest.signing_keys,
        }


def back_up(
    directory: Path, destination: Path, clock: Clock, *, keys_to: Path | None = None,
    signing_keys: bool = False, whole: bool = False, announce: Announce | None = None,
) -> BackedUp:  # fmt: skip
    """Take a backup beside whoever serves the ledger, and remove those that had their time.

    Args:
        directory: the ledger.
        destination: a folder of backups, made if it is absent.
        clock: names the backup, and says which ones had their time.
        keys_to: the folder for what has a short life; beside the other if None.
        signing_keys: take the keys that sign along.
        whole: link nothing to the backup before.
        announce: records that it is being taken; None to tell nobody.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`, `usage`, `unsafe_access`, `backup_invalid`,
            `config_invalid`.
        EvidenceError: `damaged`.
        UnavailableError: `storage`, `locked`, `read_only`.
    """
    check_ledger(directory)
    with os_errors_translated(directory):
        directory = real_place(directory)
    config = read_config(directory)
    destination = prepare_place(destination, directory)
    keys_to = prepare_place(keys_to or keys_place(destination), directory)
    if keys_to.is_relative_to(destination) or destination.is_relative_to(keys_to):
        raise RequestError(
            "usage", "the two halves of a backup go to folders apart: the keys have a short life"
        )
    keys = Path(os.path.normpath(directory / config.keys.directory))
    plan = Plan(directory, keys, destination, keys_to, signing_keys, whole)

    def tell(stamp: str) -> None:
        if announce is not None:
            announce(
                {
                    "stamp": stamp,
                    "to": _line(destination),
                    "keys_to": _line(keys_to),
                    "signing_keys": signing_keys,
                }
            )

    # Whatever call fails, of locks too, is told by name.
    with os_errors_translated(destination), contextlib.ExitStack() as stack:
        for place in (destination, keys_to):
            stack.enter_context(held(place))
        taken = take_backup(plan, clock, tell)
        removed = _remove_old(generations(destination), taken.folder, config.backup.keep)
        gone = {one.name for one in removed}
        until = clock.now() - timedelta(days=config.backup.keys_days)
        keys_removed = [
            one
            for one in generations(keys_to)
            if one != taken.keys_folder and (one.name in gone or moment_of(one.name) < until)
        ]
        for one in keys_removed:
            remove_generation(one, overwrite=True)
        count = len(generations(destination))
    return BackedUp(
        taken,
        count,
        tuple(one.name for one in removed),
        tuple(one.name for one in keys_removed),
    )


def _line(place: Path) -> str:
    return os.fsencode(place).decode("utf-8", "replace")[:500]


def _remove_old(found: Sequence[Path], latest: Path, keep: int) -> list[Path]:
    """Remove the earliest generations, and never the one that was just taken."""
    others = [one for one in found if one != latest]
    old = others[: max(0, len(others) - (keep - 1))]
    for one in old:
        remove_generation(one)
    return old
